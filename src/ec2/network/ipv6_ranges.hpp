// IPv6 ranges: a /56 of the installation's pool for a VPC, a /64 of that for a subnet.
#pragma once

#include <optional>
#include <string>

#include "service/action.hpp"
#include "state/store.hpp"
#include "wire/ec2/subnets.hpp"
#include "wire/ec2/vpcs.hpp"

namespace brume::ec2 {

inline constexpr int vpc_prefix6 = 56;
inline constexpr int subnet_prefix6 = 64;

// Refuses ranges that clients bring (UnsupportedOperation). True: one of the installation's is requested.
bool asks_for_ipv6(const wire::ec2::CreateVpcRequest& request);
bool asks_for_ipv6(const wire::ec2::AssociateVpcCidrBlockRequest& request);
// Throws UnsupportedOperation for ranges from elsewhere. Called last, when nothing else is wrong with the request.
void refuse_ipv6_options(const wire::ec2::CreateVpcRequest& request);
void refuse_ipv6_options(const wire::ec2::AssociateVpcCidrBlockRequest& request);

// Gives the VPC another range. With the first one, its default network ACL and its group "default" allow IPv6 as they do IPv4, unless
// somebody changed what they allow out. The caller puts the VPC. Throws UnsupportedOperation, CidrLimitExceeded,
// InsufficientAddressCapacity.
state::VpcRange give_ipv6_range(state::Transaction& transaction, state::Vpc& vpc);
// Removes it; false: there is none with this association id. The caller puts the VPC. Throws DependencyViolation.
bool take_ipv6_range(const state::World& world, state::Vpc& vpc, const std::string& association_id);
wire::ec2::VpcIpv6CidrBlockAssociation show_ipv6_range(const service::Context& context, const state::VpcRange& range,
                                                       std::string_view state);

// Gives the subnet, which is new or has none, this range. Throws InvalidParameterValue, InvalidSubnet.Range, InvalidSubnet.Conflict.
void give_subnet_ipv6(state::Transaction& transaction, const state::Vpc& vpc, state::Subnet& subnet, const std::string& cidr);
// One association, or none.
std::vector<wire::ec2::SubnetIpv6CidrBlockAssociation> show_subnet_ipv6(const state::Subnet& subnet, std::string_view state);

// Part of subnet_actions().
std::vector<service::Action> subnet_ipv6_actions();

}  // namespace brume::ec2
