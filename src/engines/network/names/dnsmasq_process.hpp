// One running dnsmasq: that of the configuration and the pid file in a folder. It outlives the daemon.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace brume::network {

// True when the file's content changed or is new. Not replaced by renaming: dnsmasq would read the draft too.
Result<bool> put_dnsmasq_file(const std::string& path, std::string_view content);
// The folder, for dnsmasq's group and nobody else: who else is on this host need not know the guests' names and addresses.
Result<void> make_dnsmasq_folder(const std::string& folder, const std::string& group);

// Threads: one at a time.
class DnsmasqProcess {
 public:
  // `network_namespace`: its name; empty: the host's.
  DnsmasqProcess(std::string folder, std::string network_namespace)
      : folder_(std::move(folder)), namespace_(std::move(network_namespace)) {}

  std::string configuration() const { return folder_ + "/dnsmasq.conf"; }
  std::optional<int> id() const;
  // It runs where it shall: not in a namespace that is gone while another has its name.
  bool is_in_place() const;
  // In place of the one that runs.
  Result<void> start();
  void end();
  // What is in its folders of names and leases.
  void read_again() const;

  // Around each change of its files and the telling of it. True: an earlier change failed or its daemon was killed between the two, so it
  // is still to be told. An error: no file may be changed, since nobody would know that it is to be told of it.
  Result<bool> begin_change() const;
  void end_change() const;

 private:
  std::string change_mark() const { return folder_ + "/changing"; }

  std::string folder_;
  std::string namespace_;
};

}  // namespace brume::network
