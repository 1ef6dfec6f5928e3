// What the files of RunInstances share: everything that a request means, looked up and checked before anything is changed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "domain/instance_types.hpp"
#include "ec2/interfaces/ipv6_addresses.hpp"
#include "service/action.hpp"
#include "state/store.hpp"
#include "wire/ec2/instances.hpp"

namespace brume::ec2 {

// A network interface of each instance: a new one, or an existing one.
struct LaunchInterface {
  std::string existing_id;  // empty: a new one, as follows
  std::int64_t device_index = 0;
  state::Subnet subnet;
  std::vector<std::string> group_ids;
  std::string private_ip;  // empty: a free one
  std::vector<std::string> secondary_ips;
  std::int64_t secondary_count = 0;  // further free ones
  Ipv6Plan ipv6;
  bool public_address = false;
  bool delete_on_termination = true;
  std::string description;
};

struct Launch {
  const state::Image* image = nullptr;
  const domain::InstanceType* type = nullptr;
  const state::PlacementGroup* group = nullptr;
  std::int64_t least = 1;
  std::int64_t most = 1;
  std::string zone;
  std::string vpc_id;
  std::vector<LaunchInterface> interfaces;          // by device index
  std::vector<state::BlockDevice> disks;            // volumes, the root first
  std::vector<state::BlockDevice> instance_stores;  // disks of the host
  std::string user_data;
};

// UnsupportedOperation: `what` is not supported yet.
void refuse(bool asked, std::string_view what);

// launch_options.cpp: requested options that Brume does not have, and everything about an instance except its disks and interfaces.
void refuse_what_is_not_built(const wire::ec2::RunInstancesRequest& request);
void read_options(const state::World& world, const service::Context& context, const wire::ec2::RunInstancesRequest& request,
                  const Launch& launch, state::Instance& instance);

// Of the numbers that the type allows. Throws InvalidParameterCombination, InvalidParameterValue.
void choose_processors(const std::optional<std::int64_t>& cores, const std::optional<std::int64_t>& threads,
                       const domain::InstanceType& type, state::Instance& instance);

// launch_network.cpp: zone, subnets, groups, addresses.
void read_network(const state::World& world, const service::Context& context, const wire::ec2::RunInstancesRequest& request,
                  Launch& launch);
// Throws VPCResourceNotSpecified if instances of the type run only in a VPC.
void check_runs_in_classic(std::string_view type);
// For how many instances, at most `instances`, there are private and public addresses.
std::int64_t count_with_addresses(const state::World& world, const Launch& launch, std::int64_t instances);
// Makes or attaches the instance's interfaces and records them in it.
void make_interfaces(state::Transaction& transaction, const Launch& launch, const std::vector<wire::ec2::TagSpecification>& tags,
                     state::Instance& instance);

// launch_disks.cpp: the image's block devices with the request's laid over them (STO-112).
void read_disks(const state::World& world, const service::Context& context, const wire::ec2::RunInstancesRequest& request, Launch& launch);
// A store that the type does not have is omitted, as in EC2; the others are as large as the type's (STO-083). The second store of a small
// type becomes its swap space, and is called "swap" from then on (STO-082).
void fit_instance_stores(const domain::InstanceType& type, std::vector<state::BlockDevice>& stores);
// The name of the store in a mapping: what an instance has as "swap" was "ephemeral1".
std::string mapped_name(const state::BlockDevice& store);
// For how many instances, at most `instances`, the account's limits allow the volumes.
std::int64_t count_with_disks(const state::World& world, const service::Context& context, const Launch& launch, std::int64_t instances);
// Makes the instance's volumes and records them and its instance stores in it.
void make_disks(state::Transaction& transaction, const Launch& launch, const std::vector<wire::ec2::TagSpecification>& tags,
                state::Instance& instance);

}  // namespace brume::ec2
