#include <CLI/CLI.hpp>
#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include <algorithm>
#include <string_view>

#include "cli/commands.hpp"

using namespace brume::cli;

namespace {

struct AccountValues {
  std::string name, id, key, platform = "vpc";
  std::vector<std::string> said;
  bool json = false;
};

// The commands that change an existing account.
void add_account_changes(CLI::App& account, const std::shared_ptr<AccountValues>& values, const Options& options, int& code) {
  auto* limit = account.add_subcommand("limit", "How many instances, addresses, VPCs, ... an account may have; alone: list them");
  limit->add_option("account", values->id, "Account id")->required();
  limit->add_option("limit", values->said, "Name of a quota (default: instances), and a number, 'none' or 'default'")->expected(0, 2);
  limit->callback([&options, values, &code] { code = account_limit(options, values->id, values->said); });
  auto* rename = account.add_subcommand("rename", "Call an account otherwise");
  rename->add_option("account", values->id, "Account id")->required();
  rename->add_option("name", values->name, "The new name")->required();
  rename->callback([&options, values, &code] { code = account_rename(options, values->id, values->name); });
  auto* disable = account.add_subcommand("disable", "Its keys are good for nothing until it is enabled; what runs goes on");
  disable->add_option("account", values->id, "Account id")->required();
  disable->callback([&options, values, &code] { code = account_enable(options, values->id, false); });
  auto* enable = account.add_subcommand("enable", "End that");
  enable->add_option("account", values->id, "Account id")->required();
  enable->callback([&options, values, &code] { code = account_enable(options, values->id, true); });
  auto* remove = account.add_subcommand("delete", "Delete an account that has nothing any more but empty networks");
  remove->add_option("account", values->id, "Account id")->required();
  remove->callback([&options, values, &code] { code = account_delete(options, values->id); });
  auto* subscribe = account.add_subcommand("subscribe", "Sign up for a product code: images that bear it may be launched");
  subscribe->add_option("account", values->id, "Account id")->required();
  subscribe->add_option("code", values->name, "Product code: eight hexadecimal digits")->required();
  subscribe->callback([&options, values, &code] { code = account_subscribe(options, values->id, values->name); });
  auto* unsubscribe = account.add_subcommand("unsubscribe", "End that; what runs goes on");
  unsubscribe->add_option("account", values->id, "Account id")->required();
  unsubscribe->add_option("code", values->name, "Product code")->required();
  unsubscribe->callback([&options, values, &code] { code = account_unsubscribe(options, values->id, values->name); });
}

void add_account_commands(CLI::App& app, const Options& options, int& code) {
  auto* account = app.add_subcommand("account", "Accounts and their access keys");
  account->require_subcommand(1);
  const auto values = std::make_shared<AccountValues>();
  auto* create = account->add_subcommand("create", "Make an account with an access key, and a default VPC or a place in EC2-Classic");
  create->add_option("name", values->name, "What to call it");
  create->add_option("--id", values->id, "Twelve digits; default: random");
  create->add_option("--platform", values->platform, "vpc, or classic: what names no subnet goes to EC2-Classic")
      ->check(CLI::IsMember({"vpc", "classic"}));
  create->callback([&options, values, &code] { code = account_create(options, values->name, values->id, values->platform); });
  auto* list = account->add_subcommand("list", "All accounts, without secrets");
  list->add_flag("--json", values->json, "As JSON");
  list->callback([&options, values, &code] { code = account_list(options, values->json); });
  auto* add_key = account->add_subcommand("add-key", "Make a second access key");
  add_key->add_option("account", values->id, "Account id")->required();
  add_key->callback([&options, values, &code] { code = account_add_key(options, values->id); });
  auto* delete_key = account->add_subcommand("delete-key", "Delete an access key at once");
  delete_key->add_option("account", values->id, "Account id")->required();
  delete_key->add_option("key", values->key, "Access key id")->required();
  delete_key->callback([&options, values, &code] { code = account_delete_key(options, values->id, values->key); });
  add_account_changes(*account, values, options, code);
}

void add_image_commands(CLI::App& app, const Options& options, int& code) {
  auto* image = app.add_subcommand("image", "Machine images: build the starter images, bring in others");
  image->require_subcommand(1);
  const auto recipe = std::make_shared<std::string>();
  auto* build = image->add_subcommand("build", "Build a starter image from Debian's packages and register it");
  build->add_option("recipe", *recipe, "tiny or debian-12")->required();
  build->callback([&options, recipe, &code] { code = image_build(options, *recipe); });
  const auto import = std::make_shared<ImportOptions>();
  auto* bring = image->add_subcommand("import", "Register a cloud image: qcow2, raw, VMDK or VHD");
  bring->add_option("file", import->file, "The disk image")->required()->check(CLI::ExistingFile);
  bring->add_option("--name", import->name, "Name of the image")->required();
  bring->add_option("--description", import->description, "What it is");
  bring->add_option("--architecture", import->architecture, "x86_64 or i386")->capture_default_str();
  bring->add_option("--root-device", import->root_device_name, "Name of the root device")->capture_default_str();
  bring->add_option("--account", import->account, "Owner; default: the first account");
  bring->add_flag("--public", import->is_public, "Every account may launch it");
  bring->callback([&options, import, &code] { code = image_import(options, *import); });
  const auto json = std::make_shared<bool>(false);
  auto* list = image->add_subcommand("list", "All images with their state");
  list->add_flag("--json", *json, "As JSON");
  list->callback([&options, json, &code] { code = image_list(options, *json); });
}

// What runs, what it costs, and how clients get in.
void add_look_commands(CLI::App& app, const Options& options, int& code) {
  struct Values {
    bool json = false;
    bool counters = false;
    std::string account;
  };
  const auto values = std::make_shared<Values>();
  auto* status_command = app.add_subcommand("status", "What runs");
  status_command->add_flag("--json", values->json, "As JSON");
  status_command->callback([&options, values, &code] { code = status(options, values->json); });
  auto* storage_command = app.add_subcommand("storage", "What volumes and snapshots cost on the disk");
  storage_command->add_flag("--json", values->json, "As JSON");
  storage_command->add_flag("--counters", values->counters, "What volumes and instance stores did: requests, bytes, time, since ever");
  storage_command->callback(
      [&options, values, &code] { code = values->counters ? storage_counters(options, values->json) : storage(options, values->json); });
  auto* env_command = app.add_subcommand("env", "Print the environment for the AWS command line and SDKs, to be evaluated by a shell");
  env_command->add_option("--account", values->account, "Account id; default: the first account");
  env_command->callback([&options, values, &code] { code = environment(options, values->account); });
}

// `remote`: the words after --, to be run in the instance.
void add_instance_commands(CLI::App& app, const Options& options, const std::vector<std::string>& remote, int& code) {
  const auto json = std::make_shared<bool>(false);
  auto* list = app.add_subcommand("list", "The instances of all accounts");
  list->add_flag("--json", *json, "As JSON");
  list->callback([&options, json, &code] { code = list_instances(options, *json); });
  const auto values = std::make_shared<SshOptions>();
  auto* login = app.add_subcommand("ssh", "Log in to an instance, or run a command there: brume ssh INSTANCE -- COMMAND");
  login->add_option("instance", values->instance, "Id or name; default: the only one that runs");
  login->add_option("--user", values->user, "Who logs in; default: by the image, ec2-user or admin");
  login->add_option("--identity", values->identity, "File of the private key; default: that of 'brume up'")->check(CLI::ExistingFile);
  login->callback([&options, &remote, values, &code] {
    values->command = remote;
    code = ssh(options, *values);
  });
  const auto wanted = std::make_shared<std::string>();
  auto* join = app.add_subcommand("console", "Join the serial console of an instance; Ctrl-] ends");
  join->add_option("instance", *wanted, "Id or name; default: the only one that runs");
  join->callback([&options, wanted, &code] { code = console(options, *wanted); });
}

void add_key_commands(CLI::App& app, int& code) {
  auto* key = app.add_subcommand("key", "SSH keys in files of your own");
  key->require_subcommand(1);
  const auto file = std::make_shared<std::string>();
  auto* fingerprint = key->add_subcommand("fingerprint", "The fingerprint that the key's pair has in DescribeKeyPairs");
  fingerprint->add_option("file", *file, "A private or public key")->required()->check(CLI::ExistingFile);
  fingerprint->callback([file, &code] { code = key_fingerprint(*file); });
}

// The home of a region after the first lies below that of the first.
void choose_region(const CLI::App& app, const std::string& region, Options& options) {
  if (region.empty()) return;
  const std::string asked = app.get_subcommands().empty() ? std::string() : app.get_subcommands().front()->get_name();
  for (const auto* each : {"env", "status", "storage", "image", "metadata", "list", "ssh", "console"}) {
    if (asked != each) continue;
    const auto home = home_of_region(options, region);
    if (!home) throw CLI::ValidationError("--region", home.error().message);
    options.home = *home;
    return;
  }
  throw CLI::ValidationError("--region", "'" + asked + "' is for all regions");
}

// Edit distance: how many letters must be inserted, removed or replaced to turn one word into the other.
size_t distance(std::string_view one, std::string_view other) {
  std::vector<size_t> row(other.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < one.size(); ++i) {
    size_t before = std::exchange(row[0], i + 1);
    for (size_t k = 0; k < other.size(); ++k)
      before = std::exchange(row[k + 1], std::min({row[k] + 1, row[k + 1] + 1, before + (one[i] == other[k] ? 0 : 1)}));
  }
  return row.back();
}

// The word that was typed instead of a command; empty: that is not what is wrong.
std::string unknown_command(const CLI::App& app) {
  const auto* at = &app;
  std::string line = "brume";
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    line += " " + at->get_name();
  }
  const auto extras = at->remaining();
  const auto known = at->get_subcommands([](const CLI::App*) { return true; });
  if (extras.empty() || known.empty() || extras.front().starts_with('-')) return {};
  const auto& typed = extras.front();
  const auto nearest = *std::min_element(known.begin(), known.end(), [&](const CLI::App* a, const CLI::App* b) {
    return distance(typed, a->get_name()) < distance(typed, b->get_name());
  });
  std::string sentence = "there is no command '" + line + " " + typed + "'";
  if (distance(typed, nearest->get_name()) <= 2) return sentence + "; did you mean '" + line + " " + nearest->get_name() + "'?";
  sentence += "; there are:";
  for (const auto* each : known) sentence += " " + each->get_name();
  return sentence;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "brume: an Amazon EC2 on machines of your own.\n\n"
      "  brume up                 start the cloud and an instance to log in to\n"
      "  eval \"$(brume env)\"      point the AWS command line and SDKs at it\n"
      "  aws ec2 describe-instances\n"
      "  brume list               the instances of all accounts\n"
      "  brume ssh                log in to the instance that runs\n"
      "  brume down               stop everything; what is stored stays\n"};
  app.get_formatter()->column_width(30);
  app.require_subcommand(1);
  Options options;
  int code = 0;
  app.add_option("--home", options.home, "Folder of all data")->envname("BRUME_HOME")->capture_default_str();
  std::string region;
  app.add_option("--region", region, "Of several regions this one; for env, status, storage, image, metadata, list, ssh and console")
      ->envname("BRUME_REGION");
  app.parse_complete_callback([&] { choose_region(app, region, options); });
  app.add_option("--port", options.port,
                 "Port of the API, for a daemon that is to be started; default: what the home's brumed.conf says, or had before, or 8773")
      ->envname("BRUME_PORT");
  UpOptions up_options;
  bool only_image = false;
  auto* up_command = app.add_subcommand("up", "Start the cloud, build the starter images, launch an instance and wait until SSH answers");
  up_command->add_option("--image", up_options.image, "Recipe of the image to launch")->capture_default_str();
  up_command->add_flag("--only-this-image", only_image, "Do not build the other starter images");
  up_command->callback([&] {
    up_options.all_images = !only_image;
    code = up(options, up_options);
  });
  app.add_subcommand("down", "Stop the instances' machines and the cloud; a later 'up' goes on where it was")->callback([&] {
    code = down(options);
  });
  add_look_commands(app, options, code);
  auto* metadata = app.add_subcommand("metadata", "What instances are told of themselves");
  metadata->require_subcommand(1);
  metadata->add_subcommand("certificate", "Print the certificate that checks their identity documents")->callback([&] {
    code = metadata_certificate(options);
  });
  add_account_commands(app, options, code);
  add_image_commands(app, options, code);
  // Not parsed here: it belongs to another program, and may look like an option or an instance.
  const auto end = std::find(argv, argv + argc, std::string_view("--"));
  const std::vector<std::string> remote(end == argv + argc ? end : end + 1, argv + argc);
  add_instance_commands(app, options, remote, code);
  add_key_commands(app, code);
  try {
    app.parse(static_cast<int>(end - argv), argv);
  } catch (const CLI::ParseError& error) {
    if (const auto wrong = unknown_command(app); !wrong.empty()) return complain(wrong);
    return app.exit(error);
  }
  return code;
}
