#include "state/kinds.hpp"

#include <algorithm>
#include <array>

namespace brume::state {
namespace {

constexpr std::array<std::string_view, static_cast<size_t>(Kind::count)> kind_names = {"account",
                                                                                       "access-key",
                                                                                       "key-pair",
                                                                                       "security-group",
                                                                                       "vpc",
                                                                                       "subnet",
                                                                                       "network-interface",
                                                                                       "image",
                                                                                       "snapshot",
                                                                                       "volume",
                                                                                       "instance",
                                                                                       "user-data",
                                                                                       "tag-set",
                                                                                       "client-token",
                                                                                       "dependents",
                                                                                       "setting",
                                                                                       "volume-modification",
                                                                                       "image-defaults",
                                                                                       "placement-group",
                                                                                       "launch-template",
                                                                                       "launch-template-version",
                                                                                       "storage-defaults",
                                                                                       "elastic-ip",
                                                                                       "internet-gateway",
                                                                                       "route-table",
                                                                                       "network-acl",
                                                                                       "dhcp-options",
                                                                                       "nat-gateway",
                                                                                       "prefix-list",
                                                                                       "root-replacement",
                                                                                       "vpc-peering",
                                                                                       "vpc-endpoint",
                                                                                       "flow-log",
                                                                                       "customer-gateway",
                                                                                       "vpn-gateway",
                                                                                       "vpn-connection",
                                                                                       "egress-only-gateway",
                                                                                       "host",
                                                                                       "instance-change"};

// Collects the index entries of one record; a value that is empty has none.
class IndexEntries {
 public:
  explicit IndexEntries(std::string_view primary_key) : primary_key_(primary_key) {}

  void add(Index index, std::string_view value) {
    if (value.empty()) return;
    IndexEntry entry{index, {}};
    entry.key.reserve(value.size() + 1 + primary_key_.size());
    entry.key.append(value).append(1, '\x1f').append(primary_key_);
    if (std::find(entries_.begin(), entries_.end(), entry) == entries_.end()) entries_.push_back(std::move(entry));
  }
  std::vector<IndexEntry> take() { return std::move(entries_); }

 private:
  std::string_view primary_key_;
  std::vector<IndexEntry> entries_;
};

template <class R>
void index(const R&, IndexEntries&) {}

void index(const Vpc& vpc, IndexEntries& entries) { entries.add(Index::vpc_by_id, vpc.id); }

void index(const Subnet& subnet, IndexEntries& entries) { entries.add(Index::subnet_by_vpc, subnet.vpc_id); }

void index(const SecurityGroup& group, IndexEntries& entries) {
  entries.add(Index::security_group_by_id, group.id);
  entries.add(Index::security_group_by_vpc, group.vpc_id);
}

void index(const Image& image, IndexEntries& entries) {
  entries.add(Index::image_by_id, image.id);
  if (image.state != ImageState::pending || !image.import_source.empty()) return;
  entries.add(Index::image_by_instance, image.reboot_instance);
  for (const auto& device : image.block_devices) entries.add(Index::image_by_snapshot, device.snapshot_id);
}

void index(const Snapshot& snapshot, IndexEntries& entries) {
  entries.add(Index::snapshot_by_id, snapshot.id);
  if (snapshot.state != SnapshotState::pending) return;
  entries.add(Index::snapshot_by_source, snapshot.copy_of);
  if (snapshot.write_minutes > 0) entries.add(Index::snapshot_by_source, snapshot.parent_id);
  if (!snapshot.copy_of.empty()) return;
  entries.add(Index::snapshot_by_volume, snapshot.volume_id);
  if (!snapshot.set_id.empty()) entries.add(Index::snapshot_by_set, owned_key(snapshot.account, snapshot.set_id));
}

void index(const Volume& volume, IndexEntries& entries) {
  entries.add(Index::volume_by_id, volume.id);
  if (volume.state == VolumeState::creating) entries.add(Index::volume_by_source, volume.snapshot_id);
}

void index(const NetworkInterface& interface, IndexEntries& entries) {
  if (!interface.private_ip.empty()) entries.add(Index::interface_by_private_ip, owned_key(interface.vpc_id, interface.private_ip));
  entries.add(Index::interface_by_public_ip, interface.public_ip);
  for (const auto& one : interface.secondary) {
    entries.add(Index::interface_by_private_ip, owned_key(interface.vpc_id, one.private_ip));
    entries.add(Index::interface_by_public_ip, one.public_ip);
  }
  for (const auto& address : interface.ipv6) entries.add(Index::interface_by_ipv6, owned_key(interface.vpc_id, address));
  entries.add(Index::interface_by_attachment, interface.attachment_id);
  entries.add(Index::interface_by_vpc, interface.vpc_id);
  for (const auto& group : interface.group_ids) entries.add(Index::interface_by_group, group);
}

void index(const ElasticIp& address, IndexEntries& entries) {
  entries.add(Index::elastic_ip_by_public_ip, address.public_ip);
  entries.add(Index::elastic_ip_by_interface, address.interface_id);
  if (!address.domain_name.empty()) entries.add(Index::elastic_ip_with_name, "named");
}

void index(const NatGateway& gateway, IndexEntries& entries) { entries.add(Index::nat_gateway_by_vpc, gateway.vpc_id); }

void index(const VpnGateway& gateway, IndexEntries& entries) { entries.add(Index::vpn_gateway_by_vpc, gateway.vpc_id); }

void index(const VpnConnection& connection, IndexEntries& entries) {
  entries.add(Index::vpn_connection_by_gateway, connection.vpn_gateway_id);
}

void index(const RouteTable& table, IndexEntries& entries) { entries.add(Index::route_table_by_vpc, table.vpc_id); }

void index(const NetworkAcl& acl, IndexEntries& entries) { entries.add(Index::network_acl_by_vpc, acl.vpc_id); }

void index(const InternetGateway& gateway, IndexEntries& entries) { entries.add(Index::internet_gateway_by_vpc, gateway.vpc_id); }

void index(const VpcPeering& peering, IndexEntries& entries) {
  entries.add(Index::peering_by_id, peering.id);
  for (const auto& vpc : {peering.vpc_id, peering.peer_vpc_id}) entries.add(Index::peering_by_vpc, vpc);
  for (const auto& account : {peering.account, peering.peer_account}) entries.add(Index::peering_by_account, account);
}

void index(const VpcEndpoint& endpoint, IndexEntries& entries) { entries.add(Index::endpoint_by_vpc, endpoint.vpc_id); }

void index(const FlowLog& log, IndexEntries& entries) { entries.add(Index::flow_log_by_resource, log.resource_id); }

void index(const RootReplacement& task, IndexEntries& entries) {
  if (task.state == RootReplacementState::succeeded || task.state == RootReplacementState::failed) return;
  entries.add(Index::root_task_by_instance, task.instance_id);
  entries.add(Index::root_task_by_volume, task.volume_id);
}

void index(const Instance& instance, IndexEntries& entries) {
  entries.add(Index::instance_by_reservation, instance.reservation_id);
  entries.add(Index::instance_by_id, instance.id);
  if (!instance.placement_group.empty())
    entries.add(Index::instance_by_placement_group, owned_key(instance.account, instance.placement_group));
}

}  // namespace

std::string_view name_of(Kind kind) { return kind_names.at(static_cast<size_t>(kind)); }

std::optional<Kind> kind_named(std::string_view name) {
  const auto found = std::find(kind_names.begin(), kind_names.end(), name);
  if (found == kind_names.end()) return std::nullopt;
  return static_cast<Kind>(found - kind_names.begin());
}

std::string key_of(Kind kind, const void* record) {
  return with_record_type(kind, [&]<class R>(std::type_identity<R>) { return static_cast<const R*>(record)->key(); });
}

std::string log_key(Kind kind, std::string_view key) { return owned_key(name_of(kind), key); }

std::vector<IndexEntry> index_entries(Kind kind, std::string_view key, const void* record) {
  IndexEntries entries(key);
  with_record_type(kind, [&]<class R>(std::type_identity<R>) { index(*static_cast<const R*>(record), entries); });
  return entries.take();
}

}  // namespace brume::state
