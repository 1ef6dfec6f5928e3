// RunInstances (INS-030, INS-045): what is asked is checked as a whole before anything is changed.
#include "ec2/launch/launch.hpp"
#include "ec2/instances/user_data.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "domain/classic.hpp"
#include "ec2/common/audit.hpp"
#include "ec2/common/client_tokens.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/images/image_aliases.hpp"
#include "ec2/images/images.hpp"
#include "ec2/images/product_codes.hpp"
#include "ec2/instances/instances.hpp"
#include "ec2/instances/metadata_defaults.hpp"
#include "ec2/instances/placement_groups.hpp"
#include "ec2/launch/capacity.hpp"
#include "ec2/launch/launch_templates.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using wire::ec2::RunInstancesRequest;

constexpr std::int64_t launch_limit = 1000;  // instances in one request

void read_counts(const RunInstancesRequest& request, Launch& launch) {
  launch.least = *request.min_count;
  launch.most = *request.max_count;
  if (launch.least < 1 || launch.most < 1)
    throw wire::invalid_parameter_value("Value for parameter MinCount or MaxCount is invalid. It must be at least 1.");
  if (launch.least > launch.most)
    throw wire::ApiError(400, "InvalidParameterCombination",
                         fmt::format("The minimum count ({}) must not be greater than the maximum count ({})", launch.least, launch.most));
  if (launch.most > launch_limit)
    throw wire::ApiError(400, "InstanceLimitExceeded", fmt::format("One request launches at most {} instances.", launch_limit));
}

void read_image(const state::World& world, const Context& context, const RunInstancesRequest& request, Launch& launch) {
  if (!request.image_id) throw wire::missing_parameter("ImageId");
  launch.image = &find_launchable(world, context.account(), resolve_image_alias(world, context, *request.image_id));
  check_subscription(world, context, *launch.image);
  if (launch.image->type != "machine")
    throw wire::ApiError(400, "InvalidAMIID.Malformed", fmt::format("'{}' is not a machine image", launch.image->id));
}

void read_type(const Context& context, const RunInstancesRequest& request, Launch& launch) {
  // INS-006: the guide's default; clients of today are given the same where they name none.
  const auto name = request.instance_type.value_or("m1.small");
  launch.type = domain::find_instance_type(name);
  if (launch.type == nullptr) throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for InstanceType.", name));
  if (!launch.type->runs(launch.image->architecture) && (context.is_2011() || request.instance_type))
    throw wire::ApiError(400, context.is_2011() ? "InvalidParameterValue" : "Unsupported",
                         fmt::format("The architecture '{}' of the specified image is not supported by the instance type '{}'.",
                                     launch.image->architecture, name));
}

void read_user_data(const RunInstancesRequest& request, Launch& launch) {
  if (!request.user_data) return;
  const auto decoded = from_base64(*request.user_data);
  if (!decoded) throw wire::invalid_parameter_value("Invalid BASE64 encoding of user data.");
  check_user_data(*decoded);
  launch.user_data = *decoded;
}

// The instance that all of a reservation's begin as.
state::Instance make_model(state::Transaction& transaction, const Context& context, const RunInstancesRequest& request,
                           const Launch& launch) {
  state::Instance instance;
  instance.account = context.account();
  instance.reservation_id = make_id(transaction.random(), "r");
  instance.client_token = request.client_token.value_or("");
  instance.image_id = launch.image->id;
  instance.image_account = launch.image->account;
  instance.type = launch.type->name;
  instance.memory_mib = launch.type->memory_mib;
  instance.processors = launch.type->processors;
  instance.threads_per_core = launch.type->threads_per_core;
  instance.launched = transaction.now();
  instance.state_since = transaction.now();
  instance.zone = launch.zone;
  if (launch.vpc_id != domain::classic_network) {
    instance.vpc_id = launch.vpc_id;
    instance.subnet_id = launch.interfaces.front().subnet.id;
  }
  instance.root_device_name = launch.image->root_device_name;
  instance.architecture = launch.image->architecture;
  instance.virtualization_type = launch.image->virtualization_type;
  instance.platform = launch.image->platform;
  instance.product_codes = launch.image->product_codes;
  instance.boot_mode = launch.image->boot_mode;
  instance.ena_support = launch.image->ena_support;
  instance.sriov_net_support = launch.image->sriov_net_support;
  // What the image asks for holds unless the launch says otherwise: tokens, and that they reach a container of the guest's.
  if (launch.image->imds_support == "v2.0") {
    instance.metadata_tokens_required = true;
    instance.metadata_hop_limit = 2;
  }
  // Before it goes what the account has chosen.
  apply_metadata_defaults(transaction.world(), instance);
  read_options(transaction.world(), context, request, launch, instance);
  return instance;
}

// Which template an instance is of stands in its tags, as in EC2: keys that begin with "aws:" are nobody's to change.
void note_template(state::Transaction& transaction, const state::Instance& instance, const UsedTemplate& used) {
  if (used.id.empty()) return;
  state::TagSet set;
  if (const auto* there = transaction.find<state::TagSet>(instance.account, instance.id)) set = *there;
  set.account = instance.account;
  set.resource_id = instance.id;
  set.resource_type = "instance";
  set.tags.push_back({"aws:ec2launchtemplate:id", used.id});
  set.tags.push_back({"aws:ec2launchtemplate:version", std::to_string(used.version)});
  std::sort(set.tags.begin(), set.tags.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  transaction.put(std::move(set));
}

// The attribute lastLaunchedTime. An hour is exact enough, and keeps most launches from writing the image.
void note_launch(state::Transaction& transaction, const state::Image& image) {
  if (transaction.now() - image.last_launched < std::chrono::hours(1)) return;
  auto noted = image;
  noted.last_launched = transaction.now();
  transaction.put(std::move(noted));
}

// Of which files its disks are made and its machine boots.
std::vector<std::string> files_of(const Launch& launch, const state::Instance& instance) {
  std::vector<std::string> ids;
  for (const auto& device : launch.disks) ids.push_back(device.snapshot_id);
  for (const auto& id : {instance.kernel_id, instance.ramdisk_id}) ids.push_back(id);
  std::erase(ids, "");
  return ids;
}

void make_instance(state::Transaction& transaction, const RunInstancesRequest& request, const Launch& launch, const UsedTemplate& used,
                   state::Instance instance) {
  instance.id = make_id(transaction.random(), "i");
  make_interfaces(transaction, launch, request.tag_specifications, instance);
  make_disks(transaction, launch, request.tag_specifications, instance);
  if (!launch.user_data.empty()) transaction.put(state::UserData{instance.account, instance.id, launch.user_data});
  tag_on_create(transaction, instance.account, instance.id, "instance", request.tag_specifications);
  note_template(transaction, instance, used);
  put_dependents(transaction, instance);
  transaction.put(std::move(instance));
}

// From here on the instances of the launch have no volumes, which would be too many for the account, and end at once.
void refuse_disks(Launch& launch, state::Instance& instance) {
  launch.disks.clear();
  launch.instance_stores.clear();
  instance.state = state::InstanceState::shutting_down;
  instance.state_reason_code = "Client.VolumeLimitExceeded";
  instance.state_reason_message = "Client.VolumeLimitExceeded: Volume limit exceeded";
  instance.transition_reason = "Client.VolumeLimitExceeded";
}

wire::ec2::Reservation show_reservation(const state::World& world, const Context& context, const std::string& reservation_id) {
  std::vector<const state::Instance*> instances;
  world.each_indexed<state::Instance>(state::Index::instance_by_reservation, reservation_id,
                                      [&](const state::Instance& instance) { instances.push_back(&instance); });
  std::sort(instances.begin(), instances.end(), [](const auto* a, const auto* b) { return a->launch_index < b->launch_index; });
  wire::ec2::Reservation reservation;
  for (const auto* instance : instances) {
    if (!reservation.reservation_id) reservation = describe_reservation(world, context, *instance);
    reservation.instances.push_back(describe_instance(world, context, *instance));
  }
  return reservation;
}

// Launches what the request asks for; the reservation's id.
std::string launch_all(state::Transaction& transaction, const Context& context, const RunInstancesRequest& request,
                       const UsedTemplate& used) {
  const auto& world = transaction.world();
  Launch launch;
  read_counts(request, launch);
  check_tag_types(request.tag_specifications, {"instance", "volume", "network-interface"});
  read_image(world, context, request, launch);
  read_type(context, request, launch);
  if (const auto& place = request.placement)
    launch.group = find_placement_group(world, context.account(), place->group_name.value_or(""), place->group_id.value_or(""));
  read_network(world, context, request, launch);
  read_disks(world, context, request, launch);
  read_user_data(request, launch);
  auto instance = make_model(transaction, context, request, launch);
  PartitionChoice partitions;
  if (launch.group != nullptr) {
    check_group_takes(world, *launch.group, instance);
    partitions = choose_partitions(world, *launch.group, instance.partition_number);
    instance.partition_number = partitions.of(0);
  }
  // An ordinary mistake is told before what is not built.
  refuse_what_is_not_built(request);
  instance.host = host_of_disks(world, files_of(launch, instance));
  const auto hosts = hosts_to_launch(world, context, instance, launch.least, launch.most);
  const auto count = std::min(static_cast<std::int64_t>(hosts.size()), count_with_addresses(world, launch, launch.most));
  const auto with_disks = count_with_disks(world, context, launch, count);
  for (std::int64_t index = 0; index < count; ++index) {
    // EC2 takes such a launch and ends it: the instance says why it never ran.
    if (index == with_disks) refuse_disks(launch, instance);
    instance.launch_index = index;
    instance.host = hosts[static_cast<size_t>(index)];
    instance.partition_number = partitions.of(index);
    make_instance(transaction, request, launch, used, instance);
  }
  note_launch(transaction, *launch.image);
  return instance.reservation_id;
}

wire::ec2::Reservation run_instances(state::Transaction& transaction, const Context& context, const RunInstancesRequest& request) {
  // An empty token is none: some clients send the parameter always.
  const auto token = request.client_token.value_or("");
  auto reservation_id = token.empty() ? std::string() : find_launched(transaction, context, token);
  const bool launched = reservation_id.empty();
  if (launched) {
    UsedTemplate used;
    reservation_id =
        request.launch_template
            ? launch_all(transaction, context, with_launch_template(transaction.world(), context, *request.launch_template, used), used)
            : launch_all(transaction, context, request, used);
    if (!token.empty()) remember_launched(transaction, context, token, reservation_id);
  }
  auto reservation = show_reservation(transaction.world(), context, reservation_id);
  std::vector<std::string> ids;
  if (launched)
    for (const auto& instance : reservation.instances) ids.push_back(instance.instance_id.value_or(""));
  audit(transaction, context, "RunInstances", ids);
  return reservation;
}

}  // namespace

void put_dependents(state::Transaction& transaction, const state::Instance& instance) {
  state::Dependents dependents;
  dependents.account = instance.account;
  dependents.instance_id = instance.id;
  dependents.machine = true;
  dependents.taps = instance.interface_ids;
  for (const auto& id : instance.volume_ids)
    if (const auto* volume = transaction.find<state::Volume>(instance.account, id))
      if (const auto* attachment = volume->attachment_to(instance.id);
          attachment != nullptr && attachment->delete_on_termination && !attachment->served)
        dependents.volumes.push_back(id);
  transaction.put(std::move(dependents));
}

std::vector<service::Action> launch_actions() { return {service::write_action<RunInstancesRequest>("RunInstances", run_instances)}; }

}  // namespace brume::ec2
