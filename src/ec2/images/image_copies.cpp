// CopyImage: makes an image of one's own from one that may be launched, with its own snapshots, so that nothing that happens to the
// original affects the copy. Control copies the snapshots' bytes and then makes the image available.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "ec2/accounts/quotas.hpp"
#include "ec2/common/client_tokens.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/images/images.hpp"
#include "ec2/storage/snapshots.hpp"
#include "ec2/storage/volume_rules.hpp"
#include "wire/ec2/images.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::Image;
using wire::ec2::CopyImageRequest;

void check_request(const Context& context, const CopyImageRequest& request) {
  if (*request.source_region != context.services.settings.region)
    throw wire::ApiError(400, "InvalidRegion",
                         fmt::format("The region '{}' is not this one, and there is no way to another.", *request.source_region));
  check_key(context, request.kms_key_id, request.encrypted.value_or(false));
  check_tag_types(request.tag_specifications, {"image", "snapshot"});
  check_image_description(request.description.value_or(""));
}

void refuse_unbuilt_copy_options(const Image& source, const CopyImageRequest& request) {
  if (request.destination_outpost_arn || request.destination_availability_zone || request.destination_availability_zone_id)
    throw wire::unsupported_operation("There are no Outposts and no Local Zones here.");
  if (request.snapshot_copy_completion_duration_minutes)
    throw wire::unsupported_operation("Copies that are done at a set time are not supported.");
  if (root_device(source) == nullptr) throw wire::unsupported_operation("Images in S3 cannot be copied.");
}

// Permission to launch an image does not include reading its disks: those must be the account's own, shared with it, or the operator's for
// everybody.
const state::Snapshot& find_readable(const state::World& world, const Context& context, const Image& image, const std::string& id) {
  const auto* snapshot = world.find_indexed<state::Snapshot>(state::Index::snapshot_by_id, id);
  const bool provided = image.is_public && !image.owner_alias.empty();
  if (snapshot == nullptr || (!provided && !may_restore(world, *snapshot, context.account())))
    throw wire::ApiError(400, "InvalidRequest", fmt::format("You do not have permission to access the storage of {}", image.id));
  return *snapshot;
}

// What an image says about itself. What its owner decided about it (permissions, tags, deprecation, protection) is not copied.
Image begin_copy(state::Transaction& transaction, const Context& context, const Image& source, const CopyImageRequest& request) {
  Image copy = source;
  copy.account = context.account();
  copy.id = make_id(transaction.random(), "ami");
  copy.name = *request.name;
  copy.description = request.description.value_or("");
  copy.location = copy.account + "/" + copy.name;
  copy.state = state::ImageState::pending;
  copy.created = transaction.now();
  copy.source_image_id = source.id;
  copy.source_region = context.services.settings.region;
  copy.is_public = false;
  copy.launch_accounts.clear();
  copy.owner_alias.clear();
  copy.deregistration_protection = Image{}.deregistration_protection;
  copy.protected_until = copy.deprecated = copy.last_launched = Time{};
  copy.source_instance_id.clear();
  return copy;
}

void copy_tags(state::Transaction& transaction, const Image& source, const Image& copy, const CopyImageRequest& request) {
  auto specifications = request.tag_specifications;
  if (request.copy_image_tags.value_or(false) && source.account == copy.account) {
    // The request's tags replace the source's with the same key.
    std::set<std::string> named;
    for (const auto& specification : specifications)
      if (specification.resource_type == "image")
        for (const auto& tag : specification.tags) named.insert(tag.key.value_or(""));
    auto& copied = specifications.emplace_back();
    copied.resource_type = "image";
    for (const auto& tag : tags_of(transaction.world(), source.account, source.id))
      if (!named.contains(*tag.key)) copied.tags.push_back(tag);
  }
  tag_on_create(transaction, copy.account, copy.id, "image", specifications);
}

wire::ec2::CopyImageResponse copy_image(state::Transaction& transaction, const Context& context, const CopyImageRequest& request) {
  check_request(context, request);
  const auto& world = transaction.world();
  const auto token = request.client_token.value_or("");
  wire::ec2::CopyImageResponse response;
  if (!token.empty())
    if (auto made = find_made(transaction, context, "CopyImage", token); !made.empty()) {
      response.image_id = std::move(made);
      return response;
    }
  const auto source = find_launchable(world, context.account(), *request.source_image_id);
  if (source.type != "machine") throw wire::invalid_parameter_value(fmt::format("'{}' is not a machine image", source.id));
  if (!source.product_codes.empty() && source.account != context.account())
    throw wire::ApiError(400, "InvalidRequest", "Images with product codes cannot be copied to another account.");
  check_image_name(world, context.account(), *request.name);
  refuse_unbuilt_copy_options(source, request);
  check_image_quota(world, context);
  check_snapshot_quota(world, context, std::count_if(source.block_devices.begin(), source.block_devices.end(), [](const auto& device) {
                         return !device.snapshot_id.empty();
                       }));
  auto copy = begin_copy(transaction, context, source, request);
  for (auto& device : copy.block_devices) {
    if (device.snapshot_id.empty()) continue;
    const auto& original = find_readable(world, context, source, device.snapshot_id);
    auto snapshot = begin_snapshot_copy(
        transaction, copy.account, original,
        fmt::format("Copied for DestinationAmi {} from SourceAmi {} for SourceSnapshot {}.", copy.id, source.id, original.id),
        is_copied_encrypted(world, context, original, request.encrypted));
    device.snapshot_id = snapshot.id;
    device.encrypted = snapshot.encrypted;
    tag_on_create(transaction, snapshot.account, snapshot.id, "snapshot", request.tag_specifications);
    transaction.put(std::move(snapshot));
  }
  copy_tags(transaction, source, copy, request);
  if (!token.empty()) remember_made(transaction, context, "CopyImage", token, copy.id);
  response.image_id = copy.id;
  transaction.put(std::move(copy));
  return response;
}

}  // namespace

std::vector<service::Action> image_copy_actions() { return {service::write_action<CopyImageRequest>("CopyImage", copy_image)}; }

}  // namespace brume::ec2
