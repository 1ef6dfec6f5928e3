// CreateVolume, DeleteVolume, DescribeVolumes. Attachments, changes and the status are in volume_*.cpp.
#include "ec2/storage/volumes.hpp"

#include "domain/zones.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/client_tokens.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/launch/capacity.hpp"
#include "ec2/storage/snapshots.hpp"
#include "ec2/storage/volume_rules.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using wire::ec2::CreateVolumeRequest;

// Of its attachments.
template <auto member>
constexpr auto attachment_field(std::string_view name) {
  return FilterField<state::Volume>{name, [](const auto& at, auto& out) {
                                      for (const auto* attachment : at.record.attachments()) out.add(attachment->*member);
                                    }};
}

const FilterField<state::Volume> volume_filters[] = {
    field<&state::Volume::id>("volume-id"),
    field<&state::Volume::size_gib>("size"),
    field<&state::Volume::state>("status"),
    field<&state::Volume::snapshot_id>("snapshot-id"),
    field<&state::Volume::type>("volume-type"),
    field<&state::Volume::zone>("availability-zone"),
    {"availability-zone-id",
     [](const auto& at, auto& out) {
       out.add(domain::zone_id_of(at.world, at.record.account, at.context->services.settings.zones, at.record.zone));
     }},
    field<&state::Volume::created>("create-time"),
    field<&state::Volume::encrypted>("encrypted"),
    field<&state::Volume::multi_attach>("multi-attach-enabled"),
    // What no volume here is.
    {"fast-restored", [](const auto&, auto& out) { out.add(false); }},
    {"operator.managed", [](const auto&, auto& out) { out.add(false); }},
    {"operator.principal", [](const auto&, auto&) {}},
    attachment_field<&state::Volume::instance_id>("attachment.instance-id"),
    attachment_field<&state::Volume::device>("attachment.device"),
    attachment_field<&state::Volume::attachment_state>("attachment.status"),
    attachment_field<&state::Volume::attached>("attachment.attach-time"),
    attachment_field<&state::Volume::delete_on_termination>("attachment.delete-on-termination"),
};

wire::ec2::DescribeVolumesResponse describe_volumes(const state::World& world, const Context& context,
                                                    const wire::ec2::DescribeVolumesRequest& request) {
  wire::ec2::DescribeVolumesResponse response;
  const Listing<state::Volume> volumes(world, context, request,
                                       {.action = "DescribeVolumes", .filters = volume_filters, .exclusive_ids = "volumeSet"});
  response.next_token = volumes.each(
      request.volume_ids, "vol", [&](const state::Volume& volume) { response.volumes.push_back(describe_volume(world, context, volume)); });
  return response;
}

void refuse_unbuilt_volume_options(const CreateVolumeRequest& request) {
  if (request.outpost_arn) throw wire::unsupported_operation("There are no Outposts here.");
  if (request.operator_) throw wire::unsupported_operation("Volumes of service operators are not supported.");
  if (request.volume_initialization_rate)
    throw wire::unsupported_operation("VolumeInitializationRate is not supported: a volume of a snapshot is whole from the beginning.");
}

// Size, snapshot and type, of which each depends on the others.
void read_shape(const state::World& world, const Context& context, const CreateVolumeRequest& request, state::Volume& volume) {
  volume.snapshot_id = request.snapshot_id.value_or("");
  if (!request.size && volume.snapshot_id.empty()) throw wire::missing_parameter("size/snapshot");
  // Before 2012 there was but one type.
  volume.type = request.volume_type.value_or(context.is_2011() ? "standard" : "gp2");
  volume.size_gib = request.size.value_or(0);
  volume.iops = request.iops.value_or(0);
  volume.throughput = request.throughput.value_or(0);
  volume.encrypted = request.encrypted.value_or(false) || storage_defaults(world, context.account()).encrypt_by_default;
  if (!volume.snapshot_id.empty()) {
    const auto& snapshot = find_restorable_snapshot(world, context.account(), volume.snapshot_id);
    if (!request.size) volume.size_gib = snapshot.size_gib;
    if (volume.size_gib < snapshot.size_gib)
      throw wire::invalid_parameter_value(fmt::format("Volume of {}GiB is smaller than snapshot '{}', expect size >= {}GiB.",
                                                      volume.size_gib, snapshot.id, snapshot.size_gib));
    volume.encrypted = volume.encrypted || snapshot.encrypted;
  }
  check_volume_shape({volume.type, volume.size_gib, volume.iops, volume.throughput});
  volume.multi_attach = request.multi_attach_enabled.value_or(false);
  if (volume.multi_attach) check_can_multi_attach(volume.type);
}

// As CreateVolume answers: of attachments it says nothing, of tags also that there are none. (In 2011 it said nothing of these either.)
wire::ec2::Volume show_created(const state::World& world, const Context& context, const state::Volume& volume) {
  auto shown = describe_volume(world, context, volume);
  shown.attachments.reset();
  if (!shown.tags && !context.is_2011()) shown.tags.emplace();
  return shown;
}

wire::ec2::Volume create_volume(state::Transaction& transaction, const Context& context, const CreateVolumeRequest& request) {
  const auto token = request.client_token.value_or("");
  if (!token.empty())
    if (const auto made = find_made(transaction, context, "CreateVolume", token); !made.empty())
      return show_created(transaction.world(), context, find_volume(transaction.world(), context.account(), made));
  check_tag_types(request.tag_specifications, {"volume"});
  state::Volume volume;
  volume.account = context.account();
  volume.zone = find_zone(transaction.world(), context, request.availability_zone, request.availability_zone_id);
  if (volume.zone.empty()) throw wire::missing_parameter("AvailabilityZone");
  read_shape(transaction.world(), context, request, volume);
  check_key(context, request.kms_key_id, request.encrypted.value_or(false));
  refuse_unbuilt_volume_options(request);
  check_volume_quota(transaction.world(), context, 1, volume.size_gib);
  volume.id = make_id(transaction.random(), "vol");
  volume.created = transaction.now();
  // Beside its snapshot's file, else where it was asked for.
  volume.host = host_of_disks(transaction.world(), {volume.snapshot_id});
  if (volume.host.empty()) volume.host = context.services.settings.host;
  tag_on_create(transaction, volume.account, volume.id, "volume", request.tag_specifications);
  if (!token.empty()) remember_made(transaction, context, "CreateVolume", token, volume.id);
  transaction.put(volume);
  return show_created(transaction.world(), context, volume);
}

service::Done delete_volume(state::Transaction& transaction, const Context& context, const wire::ec2::DeleteVolumeRequest& request) {
  auto volume = find_volume(transaction.world(), context.account(), *request.volume_id);
  if (!volume.instance_id.empty())
    throw wire::ApiError(400, "VolumeInUse", fmt::format("Volume {} is currently attached to {}", volume.id, volume.instance_id));
  if (volume.state == state::VolumeState::deleting) return {};
  if (volume.state != state::VolumeState::available && volume.state != state::VolumeState::error)
    throw wire::ApiError(400, "IncorrectState", fmt::format("Volume '{}' is in the '{}' state.", volume.id, state::name_of(volume.state)));
  volume.state = state::VolumeState::deleting;
  erase_tags(transaction, volume.account, volume.id);
  if (transaction.find<state::VolumeModification>(volume.key()) != nullptr) transaction.erase<state::VolumeModification>(volume.key());
  transaction.put(std::move(volume));
  return {};
}

}  // namespace

const state::Volume& find_volume(const state::World& world, const std::string& account, const std::string& id) {
  check_owned<state::Volume>(world, account, "vol", {id});
  return *world.find<state::Volume>(account, id);
}

void check_can_be_snapshot(const state::Volume& volume) {
  if (volume.state != state::VolumeState::available && volume.state != state::VolumeState::in_use)
    throw wire::ApiError(400, "IncorrectState", fmt::format("Volume '{}' is in the '{}' state.", volume.id, state::name_of(volume.state)));
}

wire::ec2::VolumeAttachment describe_attachment(const state::Volume& volume, const state::VolumeAttachment& attachment) {
  wire::ec2::VolumeAttachment item;
  item.volume_id = volume.id;
  item.instance_id = attachment.instance_id;
  item.device = attachment.device;
  item.state = state::name_of(attachment.attachment_state);
  item.attach_time = attachment.attached;
  item.delete_on_termination = attachment.delete_on_termination;
  return item;
}

wire::ec2::Volume describe_volume(const state::World& world, const Context& context, const state::Volume& volume) {
  wire::ec2::Volume item;
  item.volume_id = volume.id;
  item.size = volume.size_gib;
  item.snapshot_id = volume.snapshot_id;
  item.availability_zone = volume.zone;
  item.availability_zone_id = domain::zone_id_of(world, volume.account, context.services.settings.zones, volume.zone);
  item.state = state::name_of(volume.state);
  item.create_time = volume.created;
  item.volume_type = volume.type;
  item.encrypted = volume.encrypted;
  if (volume.encrypted) item.kms_key_id = key_arn(context, volume.account);
  item.multi_attach_enabled = volume.multi_attach;
  const auto shape = shape_of(volume);
  if (const auto iops = iops_of(shape); iops > 0) item.iops = iops;
  if (const auto throughput = throughput_of(shape); throughput > 0) item.throughput = throughput;
  auto& attachments = item.attachments.emplace();
  for (const auto* attachment : volume.attachments()) attachments.push_back(describe_attachment(volume, *attachment));
  if (auto tags = tags_of(world, volume.account, volume.id); !tags.empty()) item.tags = std::move(tags);
  return item;
}

std::vector<service::Action> volume_actions() {
  using namespace wire::ec2;
  std::vector<service::Action> actions = {
      service::write_action<CreateVolumeRequest>("CreateVolume", create_volume),
      service::write_action<DeleteVolumeRequest>("DeleteVolume", delete_volume),
      service::read_action<DescribeVolumesRequest>("DescribeVolumes", describe_volumes),
  };
  for (const auto& list : {volume_attachment_actions, volume_change_actions, volume_status_actions})
    for (const auto& action : list()) actions.push_back(action);
  return actions;
}

}  // namespace brume::ec2
