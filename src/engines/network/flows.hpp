// Which connections that conntrack knows are still allowed. The same decision as nft_rules.cpp takes for a new packet; after a change
// the engine asks it for every known connection and ends the others, as EC2 does when a rule is revoked. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engines/network/model.hpp"

namespace brume::network {

// A connection as conntrack describes it: what was sent, and from where the answer comes (which shows the translation).
struct Flow {
  std::uint8_t protocol = 0;
  std::uint32_t source = 0;
  std::uint32_t destination = 0;
  std::uint32_t reply_source = 0;
  std::uint32_t reply_destination = 0;
  std::uint16_t destination_port = 0;  // as sent; translation never changes a port here
  std::uint8_t icmp_type = 0;
  std::uint8_t icmp_code = 0;
  std::uint16_t source_port = 0;
  std::uint16_t reply_source_port = 0;
  std::uint16_t reply_destination_port = 0;
};

class FlowRules {
 public:
  // `lost`: ranges that a peering led to which is no more.
  explicit FlowRules(const Model& model, std::vector<Ipv4Block> lost = {});
  bool allow(const Flow& flow) const;

 private:
  // A permission made ready to be asked a hundred thousand times.
  struct Rule {
    int protocol = -1;  // -1: all
    std::int64_t from = -1;
    std::int64_t to = -1;
    std::optional<Ipv4Block> peers;
    std::string group;
  };
  struct Group {
    std::vector<Rule> ingress;
    std::vector<Rule> egress;
  };
  static std::vector<Rule> prepare(const std::vector<Permission>& permissions);
  bool permitted(const InterfaceSpec& interface, bool ingress, std::uint32_t peer, const Flow& flow) const;
  bool matches(const Rule& rule, std::uint32_t peer, const Flow& flow) const;
  bool translated_as_now(const Flow& flow, const InterfaceSpec* sender) const;
  bool leaves_by_nat(const InterfaceSpec& sender, const Flow& flow) const;
  bool went_over_lost_peering(const Flow& flow, const InterfaceSpec* sender, const InterfaceSpec* receiver) const;
  bool in_vpc(std::uint32_t address) const;
  bool is_router(std::uint32_t address) const { return routers_.contains(address); }
  const InterfaceSpec* at(std::uint32_t address) const;

  const VpcSpec& vpc_;
  std::vector<Ipv4Block> ranges_;
  std::vector<Ipv4Block> lost_;
  std::map<std::string, Group> groups_;
  std::map<std::uint32_t, const InterfaceSpec*> interfaces_;  // of the model
  std::map<std::uint32_t, std::uint32_t> public_of_;
  std::map<std::uint32_t, std::set<std::string>> peer_groups_;  // of addresses in peer VPCs
  std::set<std::uint32_t> routers_;
  bool forwards_foreign_ = false;  // an interface without source/destination check: its traffic has any source
};

}  // namespace brume::network
