// What connects a VPC to something else, and what is recorded of its traffic: peering connections, gateway endpoints, flow logs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "state/records/kind.hpp"
#include "state/records/states.hpp"

namespace brume::state {

// Two VPCs, often of two accounts. The record belongs to the requester; both find it by its index.
struct VpcPeering {
  static constexpr Kind kind = Kind::vpc_peering;
  std::string account;  // of the requester
  std::string id;       // "pcx-…"
  std::string vpc_id;
  std::string peer_account;
  std::string peer_vpc_id;
  PeeringState state = PeeringState::none;
  std::string message;  // why it is in this state
  Time expires{};       // meaningful while it waits to be accepted
  Time ended{};         // deleted, rejected, failed
  // Public names of this side's instances resolve to private addresses in the other VPC.
  bool requester_shows_names = false;
  bool accepter_shows_names = false;
  std::string key() const { return owned_key(account, id); }
  bool is_active() const { return state == PeeringState::active; }
  // The VPC on the other side.
  const std::string& other_vpc(const std::string& vpc) const { return vpc == vpc_id ? peer_vpc_id : vpc_id; }
  bool shows_names_of(const std::string& vpc) const { return vpc == vpc_id ? requester_shows_names : accepter_shows_names; }
  const std::string& other_account(const std::string& vpc) const { return vpc == vpc_id ? peer_account : account; }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("vpcId", vpc_id);
    v("peerAccount", peer_account);
    v("peerVpcId", peer_vpc_id);
    v("state", state);
    v("message", message);
    v("expires", expires);
    v("ended", ended);
    v("requesterShowsNames", requester_shows_names);
    v("accepterShowsNames", accepter_shows_names);
  }
};

// A gateway endpoint: the route tables that it names lead to its service.
struct VpcEndpoint {
  static constexpr Kind kind = Kind::vpc_endpoint;
  std::string account;
  std::string id;  // "vpce-…"
  std::string vpc_id;
  std::string service;  // "com.amazonaws.us-east-1.s3"
  std::string policy;   // JSON; empty: everything is allowed
  std::vector<std::string> route_table_ids;
  Time created{};
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("vpcId", vpc_id);
    v("service", service);
    v("policy", policy);
    v("routeTableIds", route_table_ids);
    v("created", created);
  }
};

struct FlowLog {
  static constexpr Kind kind = Kind::flow_log;
  std::string account;
  std::string id;             // "fl-…"
  std::string resource_id;    // "vpc-…", "subnet-…", "eni-…"
  std::string traffic;        // "ACCEPT", "REJECT", "ALL"
  std::string destination;    // "arn:aws:s3:::bucket/folder/"
  std::string format;         // "${version} ${account-id} …"
  std::int64_t interval = 0;  // seconds: 60 or 600
  bool hourly = false;        // a folder for each hour
  bool hive = false;          // names of folders as Hive wants them
  std::string error;          // why the last delivery failed; empty: it succeeded
  Time created{};
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("resourceId", resource_id);
    v("traffic", traffic);
    v("destination", destination);
    v("format", format);
    v("interval", interval);
    v("hourly", hourly);
    v("hive", hive);
    v("error", error);
    v("created", created);
  }
};

}  // namespace brume::state
