// What the actions on instances share: how an instance is shown, and how the ids in a request are looked up.
#pragma once

#include <string>
#include <vector>

#include "service/action.hpp"
#include "state/store.hpp"
#include "wire/ec2/instances.hpp"

namespace brume::ec2 {

// The element of DescribeInstances and RunInstances.
wire::ec2::Instance describe_instance(const state::World& world, const service::Context& context, const state::Instance& instance);
// The reservation around it, without instances: id, owner, and in the 2011 API the groups.
wire::ec2::Reservation describe_reservation(const state::World& world, const service::Context& context, const state::Instance& instance);
wire::ec2::InstanceState describe_state(state::InstanceState state);

// The account's instances with these ids, in the order of the request, each once. Throws MissingParameter, InvalidInstanceID.Malformed,
// InvalidInstanceID.NotFound.
std::vector<const state::Instance*> find_instances(const state::World& world, const std::string& account,
                                                   const std::vector<std::string>& ids);

const state::Instance& find_instance(const state::World& world, const std::string& account, const std::string& id);
// "… is not in a state from which it can be started."
wire::ApiError incorrect_instance_state(const state::Instance& instance, std::string_view done);
// Throws IncorrectInstanceState if it is terminated or shutting down.
void need_alive(const state::Instance& instance);

// Parts of an instance's description, for actions that show only one. Some are nullptr or empty once it is terminated.
const state::NetworkInterface* primary_interface(const state::World& world, const state::Instance& instance);
// The public address, shown once the instance runs, because nothing answers there while it is pending (INS-035).
std::string public_ip_of(const state::Instance& instance, const state::NetworkInterface& interface);
std::vector<wire::ec2::InstanceBlockDeviceMapping> describe_disks(const state::World& world, const state::Instance& instance);
wire::ec2::InstanceMetadataOptionsResponse describe_metadata_options(const state::Instance& instance);
std::string platform_details(const state::Instance& instance);
std::string usage_operation(const state::Instance& instance);
// "standard" or "unlimited": the default for an instance of this burstable type.
std::string default_cpu_credits(const std::string& type);

std::vector<service::Action> launch_actions();
std::vector<service::Action> instance_state_actions();
std::vector<service::Action> instance_attribute_actions();
std::vector<service::Action> instance_option_actions();
std::vector<service::Action> instance_status_actions();
std::vector<service::Action> console_actions();

// What an instance holds on the host from now on: its machine, taps and those of its volumes that are deleted with it.
void put_dependents(state::Transaction& transaction, const state::Instance& instance);

}  // namespace brume::ec2
