// The functions of the brume command. Each returns the exit code; errors are printed with what to do about them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace brume::cli {

class AdminClient;

struct Options {
  std::string home = "/var/lib/brume";  // of the chosen region
  std::optional<std::uint16_t> port;    // none: what the home's brumed.conf says, or the port it had before
};

// Prints "brume: sentence" and returns 1.
int complain(const Error& error);
int complain(std::string_view sentence);

// "/usr/bin/brume --home /srv/cloud": the beginning of this home's commands.
std::string command_for(const Options& options);

// The folder of this program, and what belongs to it beside it: brumed, and the source tree's images/.
std::string program_folder();
std::string images_folder();

// The home of one of several regions, given the home of the first. `not_found`: there is no such region.
Result<std::string> home_of_region(const Options& options, const std::string& region);

struct UpOptions {
  std::string image = "tiny";
  bool all_images = true;
};
int up(const Options& options, const UpOptions& up_options);
int down(const Options& options);
int status(const Options& options, bool as_json);
int environment(const Options& options, const std::string& account);

int account_create(const Options& options, const std::string& name, const std::string& id, const std::string& platform);
int account_list(const Options& options, bool as_json);
int account_add_key(const Options& options, const std::string& account);
// `said`: nothing, to list the quotas; a limit of instances; or a quota's name and its limit.
int account_limit(const Options& options, const std::string& account, const std::vector<std::string>& said);
int account_rename(const Options& options, const std::string& account, const std::string& name);
int account_enable(const Options& options, const std::string& account, bool enabled);
int account_delete(const Options& options, const std::string& account);
int account_subscribe(const Options& options, const std::string& account, const std::string& product_code);
int account_unsubscribe(const Options& options, const std::string& account, const std::string& product_code);
int account_delete_key(const Options& options, const std::string& account, const std::string& key);

// Prints the certificate that checks instances' identity documents.
int metadata_certificate(const Options& options);

struct ImportOptions {
  std::string file;
  std::string name;
  std::string description;
  std::string architecture = "x86_64";
  std::string root_device_name = "/dev/sda1";
  std::string account;
  bool is_public = false;
};
int image_build(const Options& options, const std::string& recipe);
int image_import(const Options& options, const ImportOptions& import);
int image_list(const Options& options, bool as_json);

// Prints how DescribeKeyPairs shows the pair of this file's key: if "made" by CreateKeyPair, and if "imported" by ImportKeyPair (INS-110).
int key_fingerprint(const std::string& file);

// The instances of all accounts, including terminated ones that are still described.
int list_instances(const Options& options, bool as_json);

struct SshOptions {
  std::string instance;  // an id, or the tag Name of a running one; empty: the only running one
  std::string user;      // empty: according to the name of the instance's image
  std::string identity;  // file of the private key; empty: the key pair `brume`
  std::vector<std::string> command;
};
// Becomes ssh(1). Returns only if that fails.
int ssh(const Options& options, const SshOptions& ssh_options);
// Connects the terminal with the instance's serial console until Ctrl-] is typed. `wanted`: as SshOptions::instance.
int console(const Options& options, const std::string& wanted);

// What volumes and snapshots cost on the disk.
int storage(const Options& options, bool as_json);
int storage_counters(const Options& options, bool as_json);

// Starts brumed in the background unless it runs, and waits until it serves.
Result<void> start_daemon(const Options& options);
// Builds the recipe unless an image of its name exists, registers it and waits until it can be launched. Returns its id.
Result<std::string> provide_image(const AdminClient& admin, const std::string& recipe);
// Lets the daemon build it in the background. False: it exists already.
Result<bool> provide_image_later(const AdminClient& admin, const std::string& recipe);

}  // namespace brume::cli
