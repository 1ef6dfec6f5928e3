// The table of kinds: what the store, the codec and the tools need to know of a kind without knowing its type.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "state/records.hpp"
#include "state/world.hpp"

namespace brume::state {

// Calls visit(std::type_identity<R>{}) with the record type of `kind`. The one place that lists every type; -Wswitch finds a missing one.
template <class Visitor>
decltype(auto) with_record_type(Kind kind, Visitor&& visit) {
  switch (kind) {
    case Kind::account: return visit(std::type_identity<Account>{});
    case Kind::access_key: return visit(std::type_identity<AccessKey>{});
    case Kind::key_pair: return visit(std::type_identity<KeyPair>{});
    case Kind::security_group: return visit(std::type_identity<SecurityGroup>{});
    case Kind::vpc: return visit(std::type_identity<Vpc>{});
    case Kind::subnet: return visit(std::type_identity<Subnet>{});
    case Kind::network_interface: return visit(std::type_identity<NetworkInterface>{});
    case Kind::image: return visit(std::type_identity<Image>{});
    case Kind::snapshot: return visit(std::type_identity<Snapshot>{});
    case Kind::volume: return visit(std::type_identity<Volume>{});
    case Kind::instance: return visit(std::type_identity<Instance>{});
    case Kind::user_data: return visit(std::type_identity<UserData>{});
    case Kind::tag_set: return visit(std::type_identity<TagSet>{});
    case Kind::client_token: return visit(std::type_identity<ClientToken>{});
    case Kind::dependents: return visit(std::type_identity<Dependents>{});
    case Kind::setting: return visit(std::type_identity<Setting>{});
    case Kind::volume_modification: return visit(std::type_identity<VolumeModification>{});
    case Kind::image_defaults: return visit(std::type_identity<ImageDefaults>{});
    case Kind::placement_group: return visit(std::type_identity<PlacementGroup>{});
    case Kind::launch_template: return visit(std::type_identity<LaunchTemplate>{});
    case Kind::launch_template_version: return visit(std::type_identity<LaunchTemplateVersion>{});
    case Kind::storage_defaults: return visit(std::type_identity<StorageDefaults>{});
    case Kind::elastic_ip: return visit(std::type_identity<ElasticIp>{});
    case Kind::internet_gateway: return visit(std::type_identity<InternetGateway>{});
    case Kind::route_table: return visit(std::type_identity<RouteTable>{});
    case Kind::network_acl: return visit(std::type_identity<NetworkAcl>{});
    case Kind::dhcp_options: return visit(std::type_identity<DhcpOptions>{});
    case Kind::nat_gateway: return visit(std::type_identity<NatGateway>{});
    case Kind::prefix_list: return visit(std::type_identity<PrefixList>{});
    case Kind::root_replacement: return visit(std::type_identity<RootReplacement>{});
    case Kind::vpc_peering: return visit(std::type_identity<VpcPeering>{});
    case Kind::vpc_endpoint: return visit(std::type_identity<VpcEndpoint>{});
    case Kind::flow_log: return visit(std::type_identity<FlowLog>{});
    case Kind::customer_gateway: return visit(std::type_identity<CustomerGateway>{});
    case Kind::vpn_gateway: return visit(std::type_identity<VpnGateway>{});
    case Kind::vpn_connection: return visit(std::type_identity<VpnConnection>{});
    case Kind::egress_only_gateway: return visit(std::type_identity<EgressOnlyGateway>{});
    case Kind::host: return visit(std::type_identity<Host>{});
    case Kind::instance_change: return visit(std::type_identity<InstanceChange>{});
    case Kind::count: break;
  }
  throw std::logic_error("not a kind of record");
}

// The first part of a log key: "security-group". Part of the stored format: never changed once released.
std::string_view name_of(Kind kind);
std::optional<Kind> kind_named(std::string_view name);

// The record's own key. `record` is of the kind.
std::string key_of(Kind kind, const void* record);

// "kind/key", the key of the log.
std::string log_key(Kind kind, std::string_view key);

// One place of a record in an index; `key` is the whole key in the index's map.
struct IndexEntry {
  Index index;
  std::string key;
  bool operator==(const IndexEntry&) const = default;
};
std::vector<IndexEntry> index_entries(Kind kind, std::string_view key, const void* record);

}  // namespace brume::state
