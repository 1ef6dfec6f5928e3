// flows.hpp for IPv6, where no address stands for another. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ipv6.hpp"
#include "engines/network/model.hpp"

namespace brume::network {

struct Flow6 {
  std::uint8_t protocol = 0;
  Ipv6Address source;
  Ipv6Address destination;
  std::uint16_t destination_port = 0;
  std::uint8_t icmp_type = 0;
  std::uint8_t icmp_code = 0;
};

class FlowRules6 {
 public:
  // The model must outlive the rules.
  explicit FlowRules6(const Model& model);
  bool allow(const Flow6& flow) const;

 private:
  struct Rule {
    int protocol = -1;  // -1: all
    std::int64_t from = -1;
    std::int64_t to = -1;
    std::optional<Ipv6Block> peers;
    std::string group;
  };
  struct Group {
    std::vector<Rule> ingress;
    std::vector<Rule> egress;
  };
  static std::vector<Rule> prepare(const std::vector<Permission>& permissions);
  bool permitted(const InterfaceSpec& interface, bool ingress, const Ipv6Address& peer, const Flow6& flow) const;
  bool matches(const Rule& rule, const Ipv6Address& peer, const Flow6& flow) const;
  bool in_vpc(const Ipv6Address& address) const;
  // The way from the interface to an address outside; `began_here`: an egress-only gateway will do.
  bool has_way(const InterfaceSpec& interface, const Ipv6Address& address, bool began_here) const;
  const InterfaceSpec* at(const Ipv6Address& address) const;

  const VpcSpec& vpc_;
  std::vector<Ipv6Block> ranges_;
  std::map<std::string, Group> groups_;
  std::map<Ipv6Address, const InterfaceSpec*> interfaces_;  // of the model
  bool forwards_foreign_ = false;                           // an interface without source/destination check
};

}  // namespace brume::network
