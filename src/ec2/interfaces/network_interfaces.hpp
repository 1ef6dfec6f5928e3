// Network interfaces as other actions need them: made and attached at launch, shown, looked up (OPS-043 ff.).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ec2/interfaces/ipv6_addresses.hpp"
#include "service/action.hpp"
#include "state/store.hpp"
#include "wire/ec2/network_interfaces.hpp"

namespace brume::ec2 {

// The most that any type of instance allows; an unattached interface may have so many.
inline constexpr size_t addresses_per_interface = 50;

// Describes a new interface. Addresses and groups must have been checked (check_private_address, find_interface_groups).
struct InterfacePlan {
  state::Subnet subnet;
  std::vector<std::string> group_ids;
  std::string description;
  std::string private_ip;                  // empty: a free one
  std::vector<std::string> secondary_ips;  // these,
  std::int64_t secondary_count = 0;        // and so many free ones
  Ipv6Plan ipv6;
};

// A new record in this subnet, with its id and MAC address; it has no IP address yet and has not been put.
state::NetworkInterface new_interface(state::Transaction& transaction, const std::string& account, const state::Subnet& subnet,
                                      const std::string& description);
// Throws SecurityGroupsPerInterfaceLimitExceeded (NET-048).
void check_groups_of_interface(size_t groups);

// The record with its addresses, unattached and not yet put. Throws InsufficientFreeAddressesInSubnet.
state::NetworkInterface make_network_interface(state::Transaction& transaction, const std::string& account, const InterfacePlan& plan);

// Checks what a type of instances allows; if an operator has removed the type from the table, its instances keep what they have. Throws
// AttachmentLimitExceeded.
void check_interface_count(const std::string& instance_type, size_t count);
// For one interface; an empty type: the interface is not attached. Throws PrivateIpAddressLimitExceeded.
void check_address_count(const std::string& instance_type, size_t count);

// Writes the attachment into the record; the caller puts both, and adds the interface's id to the instance's, in order of device index.
void attach_to(state::Transaction& transaction, state::NetworkInterface& interface, const state::Instance& instance,
               std::int64_t device_index, bool delete_on_termination);
// Inserts the interface's id among the instance's, which are in order of device index.
void add_interface_id(const state::World& world, state::Instance& instance, const state::NetworkInterface& interface);

// The groups with these ids, all in this VPC; without any the VPC's "default". Throws InvalidGroupId.Malformed, InvalidGroup.NotFound,
// SecurityGroupsPerInterfaceLimitExceeded.
std::vector<std::string> find_interface_groups(const state::World& world, const std::string& account, const std::string& vpc_id,
                                               const std::vector<std::string>& ids);

// The account's own. Throws MissingParameter, InvalidNetworkInterfaceId.Malformed, InvalidNetworkInterfaceID.NotFound.
const state::NetworkInterface& find_interface(const state::World& world, const std::string& account, const std::optional<std::string>& id);
// The same, and the account may change it: not one that a service made for it (OperationNotPermitted).
const state::NetworkInterface& find_own_interface(const state::World& world, const std::string& account,
                                                  const std::optional<std::string>& id);

// Erases it with its tags; its Elastic IPs stay the account's.
void erase_interface(state::Transaction& transaction, const state::NetworkInterface& interface);

wire::ec2::NetworkInterface show_interface(const state::World& world, const service::Context& context,
                                           const state::NetworkInterface& interface);
wire::ec2::NetworkInterfaceAttachment show_attachment(const state::NetworkInterface& interface);
std::vector<wire::ec2::GroupIdentifier> show_groups(const state::World& world, const state::NetworkInterface& interface);

// The owner of the public address: the account for an Elastic IP, else "amazon"; shown as `ipOwnerId`.
std::string public_ip_owner(const state::World& world, const std::string& public_ip);
// The public address as answers show it: once the instance runs (INS-035), Elastic IPs always.
std::string shown_public_ip(const state::World& world, const state::NetworkInterface& interface, const std::string& public_ip);

// Parts of network_interface_actions().
std::vector<service::Action> network_interface_attachment_actions();
std::vector<service::Action> network_interface_attribute_actions();
std::vector<service::Action> private_address_actions();

}  // namespace brume::ec2
