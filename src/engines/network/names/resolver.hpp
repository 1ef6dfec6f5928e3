// Names of public addresses. Every address of the installation's pools has one, "ec2-198-18-5-7.<domain>", and a reverse record. The host
// itself asks one dnsmasq of the installation for them, which passes other questions on to the host's own resolvers.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "engines/network/names/dnsmasq.hpp"
#include "engines/network/names/dnsmasq_process.hpp"
#include "engines/network/network_engine.hpp"

namespace brume::network {

// "ec2-198-18-5-7.compute-1.amazonaws.com"
std::string public_name(const std::string& address, const std::string& domain);
// Lines for a dnsmasq that answers for all of the pools, in both directions. Other names of the domain belong to others.
std::string public_name_lines(const NamesSpec& names, const std::vector<std::string>& pools);

// Pure; golden files in tests/golden/network.
std::string resolver_configuration(const NamesSpec& names, const DnsmasqPlace& place, const std::string& address,
                                   const std::string& resolvers);

// Threads: one at a time.
class Resolver {
 public:
  // `address`: a loopback address, on port 53.
  Resolver(DnsmasqPlace place, std::string address) : place_(std::move(place)), address_(std::move(address)), process_(place_.folder, "") {}

  const std::string& address() const { return address_; }
  Result<void> ensure(const NamesSpec& names);
  void stop();

 private:
  DnsmasqPlace place_;
  std::string address_;
  DnsmasqProcess process_;
};

}  // namespace brume::network
