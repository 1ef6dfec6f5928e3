// Decides which connections that conntrack knows are still allowed. It is the decision that nftables' rules take for a new packet. After a
// change the engine asks it about every known connection and ends the others, as EC2 does when a rule is revoked. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engines/network/vpc/model.hpp"

namespace brume::network {

// A connection as conntrack describes it: what was sent, and the source of the reply (which shows the translation).
template <class Family>
struct FlowOf {
  std::uint8_t protocol = 0;
  typename Family::Address source{};
  typename Family::Address destination{};
  typename Family::Address reply_source{};
  typename Family::Address reply_destination{};
  std::uint16_t destination_port = 0;  // as sent; translation never changes a port here
  std::uint8_t icmp_type = 0;
  std::uint8_t icmp_code = 0;
  std::uint16_t source_port = 0;
  std::uint16_t reply_source_port = 0;
  std::uint16_t reply_destination_port = 0;
};
using Flow = FlowOf<Ipv4>;
using Flow6 = FlowOf<Ipv6>;

// The owners of a VPC's addresses, and what the groups of their interfaces allow. The model must outlive it.
template <class Family>
class GroupRules {
 public:
  using Address = typename Family::Address;
  explicit GroupRules(const Model& model);
  bool permit(const InterfaceSpec& interface, bool ingress, const Address& peer, const FlowOf<Family>& flow) const;
  bool in_vpc(const Address& address) const;
  // From the model; null: no interface has the address.
  const InterfaceSpec* at(const Address& address) const;
  // There is an interface without source/destination check, whose traffic may have any source.
  bool forwards_foreign() const { return forwards_foreign_; }

 private:
  // A permission prepared for being asked a hundred thousand times.
  struct Rule {
    int protocol = -1;  // -1: all
    std::int64_t from = -1;
    std::int64_t to = -1;
    std::optional<typename Family::Block> peers;
    std::string group;
  };
  struct Group {
    std::vector<Rule> ingress;
    std::vector<Rule> egress;
  };
  static std::vector<Rule> prepare(const std::vector<Permission>& permissions);
  bool matches(const Rule& rule, const Address& peer, const FlowOf<Family>& flow) const;

  std::vector<typename Family::Block> ranges_;
  std::map<std::string, Group> groups_;
  std::map<Address, const InterfaceSpec*> interfaces_;
  std::map<Address, std::set<std::string>> peer_groups_;  // for addresses in peer VPCs
  bool forwards_foreign_ = false;
};

class FlowRules {
 public:
  using Family = Ipv4;
  // `lost`: ranges of a peering that no longer exists.
  explicit FlowRules(const Model& model, std::vector<Ipv4Block> lost = {});
  bool allow(const Flow& flow) const;

 private:
  bool translated_as_now(const Flow& flow, const InterfaceSpec* sender) const;
  bool leaves_by_nat(const InterfaceSpec& sender, const Flow& flow) const;
  bool went_over_lost_peering(const Flow& flow, const InterfaceSpec* sender, const InterfaceSpec* receiver) const;
  bool is_router(std::uint32_t address) const { return routers_.contains(address); }

  const VpcSpec& vpc_;
  GroupRules<Ipv4> groups_;
  std::vector<Ipv4Block> lost_;
  std::map<std::uint32_t, std::uint32_t> public_of_;
  std::set<std::uint32_t> routers_;
};

// For IPv6, where addresses are not translated.
class FlowRules6 {
 public:
  using Family = Ipv6;
  explicit FlowRules6(const Model& model) : vpc_(model.vpc), groups_(model) {}
  bool allow(const Flow6& flow) const;

 private:
  // The way from the interface to an address outside; `began_here`: an egress-only gateway is enough.
  bool has_way(const InterfaceSpec& interface, const Ipv6Address& address, bool began_here) const;

  const VpcSpec& vpc_;
  GroupRules<Ipv6> groups_;
};

}  // namespace brume::network
