// One running dnsmasq, identified by the configuration and the pid file in a folder. It outlives the daemon.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace brume::network {

// True if the file's content changed or is new. Not replaced by renaming, because dnsmasq would read the draft too.
Result<bool> put_dnsmasq_file(const std::string& path, std::string_view content);
// Makes the folder accessible for dnsmasq's group only: other users of this host need not know the guests' names and addresses.
Result<void> make_dnsmasq_folder(const std::string& folder, const std::string& group);

// Threads: one at a time.
class DnsmasqProcess {
 public:
  // `network_namespace`: its name; empty: the host's.
  DnsmasqProcess(std::string folder, std::string network_namespace)
      : folder_(std::move(folder)), namespace_(std::move(network_namespace)) {}

  std::string configuration() const { return folder_ + "/dnsmasq.conf"; }
  std::optional<int> id() const;
  // It runs in the right namespace, not in one that is gone while another has its name.
  bool is_in_place() const;
  // Replaces the running one.
  Result<void> start();
  void end();
  // Removes what is in its folders of names and leases.
  void read_again() const;

  // Call around each change of its files and the reload that follows. True: an earlier change failed, or its daemon was killed in between,
  // so the reload is still due. An error: no file may be changed, because nobody would know that a reload is due.
  Result<bool> begin_change() const;
  void end_change() const;

 private:
  std::string change_mark() const { return folder_ + "/changing"; }

  std::string folder_;
  std::string namespace_;
};

}  // namespace brume::network
