// Addresses and names for a VPC's guests: one dnsmasq per VPC. It outlives the daemon.
//
//   <folder>/dnsmasq.conf   leases/<interface>   names/<interface>   dnsmasq.pid   dnsmasq.log
// New files in leases and names are read as they appear; after a change or removal the process reads all of them again.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "engines/network/names/dnsmasq_process.hpp"
#include "engines/network/vpc/model.hpp"

namespace brume::network {

struct DnsmasqPlace {
  std::string folder;  // /run/brume-<mark>/<vpc id>
  std::string user;    // the user that it becomes once it runs
  std::string group;
  std::vector<std::string> resolvers;  // servers for other names; empty: none
  std::vector<std::string> pools{};    // ranges of the installation's public addresses
};

// Pure; golden files in tests/golden/network.
std::string dnsmasq_configuration(const VpcSpec& vpc, const DnsmasqPlace& place);
std::string lease_line(const InterfaceSpec& interface);
// The names of the interface's addresses inside its VPC: the private address's own name, and the public one's, which resolves to the
// private address.
std::string name_lines(const InterfaceSpec& interface, const VpcSpec& vpc);
// The names of the peer's public addresses that it shows to this VPC.
std::string name_lines(const PeeringSpec& peering, const VpcSpec& vpc);

// The host's resolvers that can be reached from another network namespace.
std::vector<std::string> reachable_resolvers(std::string_view resolv_conf);

// Threads: one at a time.
class Dnsmasq {
 public:
  Dnsmasq(DnsmasqPlace place, std::string network_namespace)
      : place_(std::move(place)), process_(place_.folder, std::move(network_namespace)) {}

  // Brings files and process into the wanted state: started, told to read again, or left alone.
  Result<void> ensure(const Model& model);
  Result<void> put(const InterfaceSpec& interface, const VpcSpec& vpc);
  Result<void> remove(const InterfaceSpec& interface);
  // Stops the process and removes the folder.
  void stop();

 private:
  Result<void> start();
  bool forget_lease_of(const InterfaceSpec& interface);

  DnsmasqPlace place_;
  DnsmasqProcess process_;
};

}  // namespace brume::network
