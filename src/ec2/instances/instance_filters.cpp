#include "ec2/instances/instance_filters.hpp"

#include "domain/classic.hpp"
#include "domain/elastic_ips.hpp"
#include "ec2/common/dns_names.hpp"
#include "ec2/images/product_codes.hpp"
#include "ec2/instances/instances.hpp"
#include "ec2/interfaces/network_interfaces.hpp"

namespace brume::ec2 {
namespace {

using At = FilterSubject<state::Instance>;
using Values = FilterValues;

const service::Settings& settings(const At& at) { return at.context->services.settings; }

// A filter on something that nothing here has: EC2 knows it, and no instance matches.
void none(const At&, Values&) {}
void no(const At&, Values& out) { out.add(false); }

void add_if_any(Values& out, const std::string& value) {
  if (!value.empty()) out.add(value);
}

// Of a terminated instance only itself is left, even if its records still wait to be removed.
bool is_gone(const state::Instance& instance) { return instance.state == state::InstanceState::terminated; }

template <class Add>
void each_interface(const At& at, Add&& add) {
  const auto& instance = at.record;
  // An instance of EC2-Classic has none that a client sees.
  if (is_gone(instance) || domain::is_classic(instance)) return;
  for (const auto& id : instance.interface_ids)
    if (const auto* interface = at.world.find<state::NetworkInterface>(instance.account, id)) add(*interface);
}

template <class Add>
void with_primary(const At& at, Add&& add) {
  if (is_gone(at.record)) return;
  if (const auto* interface = primary_interface(at.world, at.record)) add(*interface);
}

// Each volume as it is attached to the instance.
template <class Add>
void each_volume(const At& at, Add&& add) {
  const auto& instance = at.record;
  if (is_gone(instance)) return;
  for (const auto& id : instance.volume_ids)
    if (const auto* volume = at.world.find<state::Volume>(instance.account, id))
      if (const auto* attachment = volume->attachment_to(instance.id)) add(*attachment, volume->id);
}

template <class Add>
void each_group(const At& at, const state::NetworkInterface& interface, Add&& add) {
  for (const auto& id : interface.group_ids)
    if (const auto* group = at.world.find<state::SecurityGroup>(interface.account, id)) add(*group);
}

void group_ids(const At& at, Values& out) {
  with_primary(at, [&](const auto& interface) {
    for (const auto& id : interface.group_ids) out.add(id);
  });
}
void group_names(const At& at, Values& out) {
  with_primary(at, [&](const auto& interface) { each_group(at, interface, [&](const auto& group) { out.add(group.name); }); });
}

// Of every interface: each private address and the public one mapped to it, which may be empty.
template <class Add>
void each_address(const At& at, Add&& add) {
  each_interface(at, [&](const auto& i) {
    add(i, i.private_ip, public_ip_of(at.record, i));
    for (const auto& one : i.secondary) add(i, one.private_ip, one.public_ip);
  });
}
template <class Add>
void each_public_address(const At& at, Add&& add) {
  each_address(at, [&](const auto& i, const auto&, const auto& public_ip) {
    if (!public_ip.empty()) add(i, public_ip);
  });
}
template <class Add>
void each_elastic_ip(const At& at, Add&& add) {
  each_public_address(at, [&](const auto&, const auto& public_ip) {
    if (const auto* elastic = domain::find_elastic_ip(at.world, public_ip)) add(*elastic);
  });
}

void public_addresses(const At& at, Values& out) {
  each_public_address(at, [&](const auto&, const auto& ip) { out.add(ip); });
}
void public_names(const At& at, Values& out) {
  each_public_address(at, [&](const auto& i, const auto& ip) { add_if_any(out, public_dns_name(at.world, settings(at), i.vpc_id, ip)); });
}
void public_address_owners(const At& at, Values& out) {
  each_public_address(at, [&](const auto&, const auto& ip) { out.add(public_ip_owner(at.world, ip)); });
}
void allocation_ids(const At& at, Values& out) {
  each_elastic_ip(at, [&](const auto& elastic) { out.add(elastic.allocation_id); });
}
void association_ids(const At& at, Values& out) {
  each_elastic_ip(at, [&](const auto& elastic) { out.add(elastic.association_id); });
}
void private_addresses(const At& at, Values& out) {
  each_address(at, [&](const auto&, const auto& private_ip, const auto&) { out.add(private_ip); });
}
void ipv6_addresses(const At& at, Values& out) {
  each_interface(at, [&](const auto& interface) {
    for (const auto& address : interface.ipv6) out.add(address);
  });
}
void private_names(const At& at, Values& out) {
  each_address(at, [&](const auto&, const auto& private_ip, const auto&) { out.add(private_dns_name(settings(at), private_ip)); });
}

template <class Add>
void each_interface_tag(const At& at, Add&& add) {
  each_interface(at, [&](const auto& i) {
    if (const auto* set = at.world.find<state::TagSet>(i.account, i.id))
      for (const auto& tag : set->tags) add(tag);
  });
}

const char* enabled(bool on) { return on ? "enabled" : "disabled"; }

const FilterField<state::Instance> instance_fields[] = {
    // Of the instance itself.
    {"affinity", none},
    field<&state::Instance::architecture>("architecture"),
    field<&state::Instance::zone>("availability-zone"),
    {"availability-zone-id",
     [](const At& at, Values& out) {
       out.add(domain::zone_id_of(at.world, at.record.account, settings(at).zones, at.record.zone));
     }},
    field_if_set<&state::Instance::boot_mode>("boot-mode"),
    {"capacity-reservation-id", none},
    field<&state::Instance::capacity_reservation_preference>("capacity-reservation-specification.capacity-reservation-preference"),
    {"capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id", none},
    {"capacity-reservation-specification.capacity-reservation-target.capacity-reservation-resource-group-arn", none},
    field_if_set<&state::Instance::client_token>("client-token"),
    {"current-instance-boot-mode", [](const At&, Values& out) { out.add("legacy-bios"); }},
    {"dns-name",
     [](const At& at, Values& out) {
       with_primary(at, [&](const auto& i) {
         add_if_any(out, public_dns_name(at.world, settings(at), i.vpc_id, public_ip_of(at.record, i)));
       });
     }},
    field<&state::Instance::ebs_optimized>("ebs-optimized"),
    field<&state::Instance::ena_support>("ena-support"),
    {"enclave-options.enabled", no},
    {"group-id", group_ids},
    {"group-name", group_names},
    {"hibernation-options.configured", no},
    {"host-id", none},
    {"hypervisor", [](const At&, Values& out) { out.add("xen"); }},
    {"iam-instance-profile.arn", none},
    {"iam-instance-profile.id", none},
    {"iam-instance-profile.name", none},
    field<&state::Instance::image_id>("image-id"),
    field<&state::Instance::id>("instance-id"),
    {"instance-lifecycle", none},
    {"instance-state-code", [](const At& at, Values& out) { out.add(static_cast<std::int64_t>(at.record.state)); }},
    {"instance-state-name", [](const At& at, Values& out) { out.add(state::name_of(at.record.state)); }},
    field<&state::Instance::type>("instance-type"),
    {"instance.group-id", group_ids},
    {"instance.group-name", group_names},
    {"ip-address",
     [](const At& at, Values& out) { with_primary(at, [&](const auto& i) { add_if_any(out, public_ip_of(at.record, i)); }); }},
    {"ipv6-address",
     [](const At& at, Values& out) {
       with_primary(at, [&](const auto& i) {
         if (!i.ipv6.empty()) out.add(i.ipv6.front());
       });
     }},
    field_if_set<&state::Instance::kernel_id>("kernel-id"),
    field_if_set<&state::Instance::key_name>("key-name"),
    field<&state::Instance::launch_index>("launch-index"),
    field<&state::Instance::launched>("launch-time"),
    field<&state::Instance::auto_recovery>("maintenance-options.auto-recovery"),
    {"metadata-options.http-endpoint", [](const At& at, Values& out) { out.add(enabled(at.record.metadata_enabled)); }},
    {"metadata-options.http-protocol-ipv4", [](const At& at, Values& out) { out.add(enabled(at.record.metadata_enabled)); }},
    {"metadata-options.http-protocol-ipv6", [](const At&, Values& out) { out.add("disabled"); }},
    field<&state::Instance::metadata_hop_limit>("metadata-options.http-put-response-hop-limit"),
    {"metadata-options.http-tokens",
     [](const At& at, Values& out) { out.add(at.record.metadata_tokens_required ? "required" : "optional"); }},
    {"metadata-options.instance-metadata-tags", [](const At& at, Values& out) { out.add(enabled(at.record.metadata_tags)); }},
    {"metadata-options.state", [](const At&, Values& out) { out.add("applied"); }},
    {"monitoring-state", [](const At& at, Values& out) { out.add(enabled(at.record.monitoring)); }},
    {"network-performance-options.bandwidth-weighting", [](const At&, Values& out) { out.add("default"); }},
    {"operator.managed", no},
    {"operator.principal", none},
    {"outpost-arn", none},
    field<&state::Instance::account>("owner-id"),
    field_if_set<&state::Instance::placement_group>("placement-group-name"),
    {"placement-partition-number",
     [](const At& at, Values& out) {
       if (at.record.partition_number > 0) out.add(at.record.partition_number);
     }},
    field_if_set<&state::Instance::platform>("platform"),
    {"platform-details", [](const At& at, Values& out) { out.add(platform_details(at.record)); }},
    {"private-dns-name",
     [](const At& at, Values& out) {
       with_primary(at, [&](const auto& i) { out.add(private_dns_name(settings(at), i.private_ip)); });
     }},
    {"private-dns-name-options.enable-resource-name-dns-a-record", no},
    {"private-dns-name-options.enable-resource-name-dns-aaaa-record", no},
    {"private-dns-name-options.hostname-type", [](const At&, Values& out) { out.add("ip-name"); }},
    {"private-ip-address", [](const At& at, Values& out) { with_primary(at, [&](const auto& i) { add_if_any(out, i.private_ip); }); }},
    field<&state::Instance::product_codes>("product-code"),
    {"product-code.type",
     [](const At& at, Values& out) {
       if (!at.record.product_codes.empty()) out.add(product_code_type);
     }},
    field_if_set<&state::Instance::ramdisk_id>("ramdisk-id"),
    field_if_set<&state::Instance::transition_reason>("reason"),
    {"requester-id", none},
    field<&state::Instance::reservation_id>("reservation-id"),
    field<&state::Instance::root_device_name>("root-device-name"),
    {"root-device-type", [](const At&, Values& out) { out.add("ebs"); }},
    {"source-dest-check", 
     [](const At& at, Values& out) {
       if (!domain::is_classic(at.record)) with_primary(at, [&](const auto& i) { out.add(i.source_dest_check); });
     }},
    {"spot-instance-request-id", none},
    field_if_set<&state::Instance::state_reason_code>("state-reason-code"),
    field_if_set<&state::Instance::state_reason_message>("state-reason-message"),
    {"subnet-id", [](const At& at, Values& out) { with_primary(at, [&](const auto&) { add_if_any(out, at.record.subnet_id); }); }},
    field<&state::Instance::tenancy>("tenancy"),
    {"tpm-support", none},
    {"usage-operation", [](const At& at, Values& out) { out.add(usage_operation(at.record)); }},
    field<&state::Instance::launched>("usage-operation-update-time"),
    field<&state::Instance::virtualization_type>("virtualization-type"),
    {"vpc-id", [](const At& at, Values& out) { with_primary(at, [&](const auto&) { add_if_any(out, at.record.vpc_id); }); }},

    // Of its volumes.
    {"block-device-mapping.attach-time",
     [](const At& at, Values& out) { each_volume(at, [&](const auto& v, const auto&) { out.add(v.attached); }); }},
    {"block-device-mapping.delete-on-termination",
     [](const At& at, Values& out) { each_volume(at, [&](const auto& v, const auto&) { out.add(v.delete_on_termination); }); }},
    {"block-device-mapping.device-name", [](const At& at, Values& out) { each_volume(at, [&](const auto& v, const auto&) { out.add(v.device); }); }},
    {"block-device-mapping.status",
     [](const At& at, Values& out) { each_volume(at, [&](const auto& v, const auto&) { out.add(v.attachment_state); }); }},
    {"block-device-mapping.volume-id", [](const At& at, Values& out) { each_volume(at, [&](const auto&, const auto& id) { out.add(id); }); }},

    // Filters on its network interfaces. "association.…" is what the first VPC clients called the first of them.
    {"association.allocation-id", allocation_ids},
    {"association.association-id", association_ids},
    {"association.ip-owner-id", public_address_owners},
    {"association.public-ip", public_addresses},
    {"network-interface.addresses.association.allocation-id", allocation_ids},
    {"network-interface.addresses.association.association-id", association_ids},
    {"network-interface.addresses.association.carrier-ip", none},
    {"network-interface.addresses.association.customer-owned-ip", none},
    {"network-interface.addresses.association.ip-owner-id", public_address_owners},
    {"network-interface.addresses.association.public-dns-name", public_names},
    {"network-interface.addresses.association.public-ip", public_addresses},
    {"network-interface.addresses.primary",
     [](const At& at, Values& out) { each_address(at, [&](const auto& i, const auto& ip, const auto&) { out.add(ip == i.private_ip); }); }},
    {"network-interface.addresses.private-dns-name", private_names},
    {"network-interface.addresses.private-ip-address", private_addresses},
    {"network-interface.association.allocation-id", allocation_ids},
    {"network-interface.association.association-id", association_ids},
    {"network-interface.association.carrier-ip", none},
    {"network-interface.association.customer-owned-ip", none},
    {"network-interface.association.ip-owner-id", public_address_owners},
    {"network-interface.association.public-dns-name", public_names},
    {"network-interface.association.public-ip", public_addresses},
    {"network-interface.attachment.attach-time",
     [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(i.attached); }); }},
    {"network-interface.attachment.attachment-id",
     [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(i.attachment_id); }); }},
    {"network-interface.attachment.delete-on-termination",
     [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(i.delete_on_termination); }); }},
    {"network-interface.attachment.device-index",
     [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(i.device_index); }); }},
    {"network-interface.attachment.instance-id",
     [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(i.instance_id); }); }},
    {"network-interface.attachment.instance-owner-id",
     [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(i.account); }); }},
    {"network-interface.attachment.network-card-index",
     [](const At& at, Values& out) { each_interface(at, [&](const auto&) { out.add(std::int64_t{0}); }); }},
    {"network-interface.attachment.status",
     [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(i.attachment_state); }); }},
    {"network-interface.availability-zone",
     [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(i.zone); }); }},
    {"network-interface.deny-all-igw-traffic", none},
    {"network-interface.description",
     [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(i.description); }); }},
    {"network-interface.group-id",
     [](const At& at, Values& out) {
       each_interface(at, [&](const auto& i) {
         for (const auto& id : i.group_ids) out.add(id);
       });
     }},
    {"network-interface.group-name",
     [](const At& at, Values& out) {
       each_interface(at, [&](const auto& i) { each_group(at, i, [&](const auto& group) { out.add(group.name); }); });
     }},
    {"network-interface.ipv4-prefixes.ipv4-prefix", none},
    {"network-interface.ipv6-address", ipv6_addresses},
    {"network-interface.ipv6-addresses.ipv6-address", ipv6_addresses},
    {"network-interface.ipv6-addresses.is-primary-ipv6",
     [](const At& at, Values& out) {
       each_interface(at, [&](const auto& i) {
         if (!i.ipv6.empty()) out.add(false);
       });
     }},
    {"network-interface.ipv6-native", [](const At& at, Values& out) { each_interface(at, [&](const auto&) { out.add(false); }); }},
    {"network-interface.ipv6-prefixes.ipv6-prefix", none},
    {"network-interface.mac-address", [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(i.mac); }); }},
    {"network-interface.network-interface-id",
     [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(i.id); }); }},
    {"network-interface.operator.managed", [](const At& at, Values& out) { each_interface(at, [&](const auto&) { out.add(false); }); }},
    {"network-interface.operator.principal", none},
    {"network-interface.outpost-arn", none},
    {"network-interface.owner-id", [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(i.account); }); }},
    {"network-interface.private-dns-name",
     [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(private_dns_name(settings(at), i.private_ip)); }); }},
    {"network-interface.private-ip-address",
     [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(i.private_ip); }); }},
    {"network-interface.public-dns-name", public_names},
    {"network-interface.requester-id", none},
    {"network-interface.requester-managed", [](const At& at, Values& out) { each_interface(at, [&](const auto&) { out.add(false); }); }},
    {"network-interface.source-dest-check",
     [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(i.source_dest_check); }); }},
    {"network-interface.status", [](const At& at, Values& out) { each_interface(at, [&](const auto&) { out.add("in-use"); }); }},
    {"network-interface.subnet-id", [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(i.subnet_id); }); }},
    {"network-interface.tag-key",
     [](const At& at, Values& out) { each_interface_tag(at, [&](const auto& tag) { out.add(tag.name); }); }},
    {"network-interface.tag-value",
     [](const At& at, Values& out) { each_interface_tag(at, [&](const auto& tag) { out.add(tag.value); }); }},
    {"network-interface.vpc-id", [](const At& at, Values& out) { each_interface(at, [&](const auto& i) { out.add(i.vpc_id); }); }},
};

}  // namespace

std::span<const FilterField<state::Instance>> instance_filters() { return instance_fields; }

}  // namespace brume::ec2
