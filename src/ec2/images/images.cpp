#include "ec2/images/images.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "ec2/actions.hpp"
#include "ec2/common/filters.hpp"
#include "ec2/common/paging.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/images/product_codes.hpp"
#include "ec2/storage/snapshots.hpp"
#include "wire/ec2/images.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::BlockDevice;
using state::Image;

bool is_among(const std::string& one, const std::vector<std::string>& all) { return std::find(all.begin(), all.end(), one) != all.end(); }

// ----- filters

template <auto member>
constexpr FilterField<Image> snapshot_field(std::string_view name) {
  return {name, [](const FilterSubject<Image>& at, FilterValues& out) {
            for (const auto& device : at.record.block_devices)
              if (!device.snapshot_id.empty()) out.add(device.*member);
          }};
}

const FilterField<Image> image_filters[] = {
    field<&Image::architecture>("architecture"),
    snapshot_field<&BlockDevice::delete_on_termination>("block-device-mapping.delete-on-termination"),
    {"block-device-mapping.device-name",
     [](const auto& at, auto& out) {
       for (const auto& device : at.record.block_devices) out.add(device.device);
     }},
    snapshot_field<&BlockDevice::encrypted>("block-device-mapping.encrypted"),
    snapshot_field<&BlockDevice::snapshot_id>("block-device-mapping.snapshot-id"),
    snapshot_field<&BlockDevice::size_gib>("block-device-mapping.volume-size"),
    snapshot_field<&BlockDevice::volume_type>("block-device-mapping.volume-type"),
    field<&Image::created>("creation-date"),
    field<&Image::description>("description"),
    field<&Image::ena_support>("ena-support"),
    {"free-tier-eligible", [](const auto&, auto& out) { out.add(false); }},
    {"hypervisor", [](const auto&, auto& out) { out.add("xen"); }},
    {"image-allowed", [](const auto&, auto& out) { out.add(true); }},  // no other criteria exist
    field<&Image::id>("image-id"),
    field<&Image::type>("image-type"),
    field<&Image::is_public>("is-public"),
    field_if_set<&Image::kernel_id>("kernel-id"),
    field<&Image::location>("manifest-location"),
    field<&Image::name>("name"),
    field_if_set<&Image::owner_alias>("owner-alias"),
    field<&Image::account>("owner-id"),
    field_if_set<&Image::platform>("platform"),
    field<&Image::product_codes>("product-code"),
    {"product-code.type",
     [](const auto& at, auto& out) {
       if (!at.record.product_codes.empty()) out.add(product_code_type);
     }},
    field_if_set<&Image::ramdisk_id>("ramdisk-id"),
    {"root-device-name",
     [](const auto& at, auto& out) {
       if (at.record.type == "machine") out.add(at.record.root_device_name);
     }},
    {"root-device-type",
     [](const auto& at, auto& out) {
       if (at.record.type == "machine") out.add(root_device(at.record) != nullptr ? "ebs" : "instance-store");
     }},
    field_if_set<&Image::source_image_id>("source-image-id"),
    field_if_set<&Image::source_region>("source-image-region"),
    field_if_set<&Image::source_instance_id>("source-instance-id"),
    field_if_set<&Image::sriov_net_support>("sriov-net-support"),
    field<&Image::state>("state"),
    {"state-reason-code",
     [](const auto& at, auto& out) {
       if (!at.record.state_reason.empty()) out.add("Client.InvalidImage");
     }},
    field_if_set<&Image::state_reason>("state-reason-message"),
    field<&Image::virtualization_type>("virtualization-type"),
};

// ----- describing

void describe_origin(wire::ec2::Image& item, const Image& image) {
  if (!image.owner_alias.empty()) item.image_owner_alias = image.owner_alias;
  if (!image.source_image_id.empty()) item.source_image_id = image.source_image_id;
  if (!image.source_region.empty()) item.source_image_region = image.source_region;
  if (!image.source_instance_id.empty()) item.source_instance_id = image.source_instance_id;
  item.product_codes = show_product_codes(image.product_codes);
}

// Shown to the owner only.
void describe_to_owner(wire::ec2::Image& item, const Image& image) {
  if (image.deregistration_protection != "disabled") item.deregistration_protection = image.deregistration_protection;
  if (image.last_launched != Time{}) item.last_launched_time = format_iso8601(image.last_launched);
}

wire::ec2::Image describe(const state::World& world, const Context& context, const Image& image) {
  wire::ec2::Image item;
  item.image_id = image.id;
  item.image_location = image.location;
  item.state = state::name_of(image.state);
  item.owner_id = image.account;
  item.public_ = image.is_public;
  item.architecture = image.architecture;
  item.image_type = image.type;
  item.name = image.name;
  if (!image.description.empty()) item.description = image.description;
  item.creation_date = format_iso8601(image.created);
  if (!image.kernel_id.empty()) item.kernel_id = image.kernel_id;
  if (!image.ramdisk_id.empty()) item.ramdisk_id = image.ramdisk_id;
  item.virtualization_type = image.virtualization_type;
  item.hypervisor = "xen";
  item.platform_details = image.platform == "windows" ? "Windows" : "Linux/UNIX";
  item.usage_operation = image.platform == "windows" ? "RunInstances:0002" : "RunInstances";
  if (!image.platform.empty()) item.platform = image.platform;
  if (!image.boot_mode.empty()) item.boot_mode = image.boot_mode;
  if (image.ena_support) item.ena_support = true;
  if (!image.sriov_net_support.empty()) item.sriov_net_support = image.sriov_net_support;
  if (!image.imds_support.empty()) item.imds_support = image.imds_support;
  if (image.deprecated != Time{}) item.deprecation_time = format_iso8601(image.deprecated);
  if (!image.state_reason.empty()) {
    auto& reason = item.state_reason.emplace();
    reason.code = "Client.InvalidImage";
    reason.message = image.state_reason;
  }
  if (image.type == "machine") {
    item.root_device_type = root_device(image) != nullptr ? "ebs" : "instance-store";
    item.root_device_name = image.root_device_name;
    item.block_device_mappings = show_block_devices(image);
  }
  describe_origin(item, image);
  if (image.account == context.account()) describe_to_owner(item, image);
  // Anybody who sees an image may tag it; each account sees its own tags (NET-020).
  item.tags = tags_of(world, context.account(), image.id);
  return item;
}

// ----- which

bool is_owned_as_asked(const Image& image, const std::vector<std::string>& owners, const std::string& account) {
  if (owners.empty()) return true;
  return std::any_of(owners.begin(), owners.end(), [&](const std::string& owner) {
    return owner == image.account || (owner == "self" && image.account == account) || (!owner.empty() && owner == image.owner_alias);
  });
}

// "all": public ones. The account itself or "self": what others have shared with it. Another account: what this one has shared with it
// (with whom others have shared is not disclosed).
bool is_executable_as_asked(const Image& image, const std::vector<std::string>& users, const std::string& account) {
  if (users.empty()) return true;
  return std::any_of(users.begin(), users.end(), [&](const std::string& user) {
    if (user == "all") return image.is_public;
    if (user == "self" || user == account) return image.account != account && is_among(account, image.launch_accounts);
    return image.account == account && is_among(user, image.launch_accounts);
  });
}

// Deprecated and disabled images are listed on request; the owner always sees its deprecated ones.
bool is_listed(const Image& image, const Context& context, const wire::ec2::DescribeImagesRequest& request) {
  if (image.state == state::ImageState::deregistered || !may_launch(image, context.account())) return false;
  if (image.state == state::ImageState::disabled && !request.include_disabled.value_or(false)) return false;
  const bool deprecated = image.deprecated != Time{} && image.deprecated <= context.now;
  return !deprecated || image.account == context.account() || request.include_deprecated.value_or(false);
}

// Machine images are listed first, then kernels and RAM disks: whoever takes the first one that fits a search can launch it.
constexpr std::array<std::string_view, 3> listing_order = {"machine", "kernel", "ramdisk"};

size_t rank_of(const Image& image) {
  return static_cast<size_t>(std::find(listing_order.begin(), listing_order.end() - 1, image.type) - listing_order.begin());
}
// As pages remember their place: "0account/ami-…".
std::string place_of(const Image& image) { return std::to_string(rank_of(image)) + image.key(); }

// The images of all accounts in the order of their places, from `after` (exclusive) on, until visit returns false.
template <class Visitor>
void each_by_place(const state::World& world, std::string_view after, Visitor&& visit) {
  const auto begin = after.empty() ? size_t{0} : static_cast<size_t>(after.front() - '0');
  bool goes_on = true;
  for (auto rank = begin; goes_on && rank < listing_order.size(); ++rank)
    world.each<Image>(
        "", [&](const Image& image) { return goes_on = rank_of(image) != rank || visit(image); },
        rank == begin && !after.empty() ? after.substr(1) : std::string_view());
}

std::string_view prefix_of(std::string_view id) { return id.substr(0, std::min(id.size(), id.find('-'))); }

void check_image_id(const std::string& id) {
  const auto prefix = prefix_of(id);
  const bool boots = prefix == "aki" || prefix == "ari";
  check_id(boots ? prefix : std::string_view("ami"), id);
}

// Including one that was deregistered recently. nullptr: an id that never existed, as far as the account can know.
const Image* find_known(const state::World& world, const std::string& account, const std::string& id) {
  check_image_id(id);
  const auto* image = world.find_indexed<Image>(state::Index::image_by_id, id);
  return image == nullptr || !may_launch(*image, account) ? nullptr : image;
}

wire::ApiError no_longer_available(const std::string& id) {
  return {400, "InvalidAMIID.Unavailable", fmt::format("The image ID '{}' is no longer available", id)};
}

// In the order of places, each once. Throws unless all exist or existed: programs poll an image by its id until it is gone.
std::vector<const Image*> find_named(const state::World& world, const std::string& account, const std::vector<std::string>& ids) {
  std::vector<const Image*> found;
  std::vector<std::string> unknown;
  for (const auto& id : ids) {
    const auto* image = find_known(world, account, id);
    if (image == nullptr)
      unknown.push_back(id);
    else
      found.push_back(image);  // a deregistered one is not listed
  }
  if (!unknown.empty()) throw ids_unknown("ami", unknown);
  std::sort(found.begin(), found.end(), [](const Image* a, const Image* b) { return place_of(*a) < place_of(*b); });
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

wire::ec2::DescribeImagesResponse describe_images(const state::World& world, const Context& context,
                                                  const wire::ec2::DescribeImagesRequest& request) {
  const auto& account = context.account();
  const auto named = find_named(world, account, request.image_ids);
  const FilterSet<Image> filters(image_filters, request.filters, &context);
  Page page(context, "DescribeImages", request.max_results, request.next_token, {1, 1000});
  wire::ec2::DescribeImagesResponse response;
  const auto list = [&](const Image& image) {
    if (!is_listed(image, context, request) || !is_owned_as_asked(image, request.owners, account) ||
        !is_executable_as_asked(image, request.executable_users, account))
      return true;
    // Another account's tags match nothing.
    if (!filters.match(world, image, account, image.id)) return true;
    if (!page.take(place_of(image))) return false;
    response.images.push_back(describe(world, context, image));
    return true;
  };
  if (request.image_ids.empty()) {
    each_by_place(world, page.after(), list);
  } else {
    for (const auto* image : named)
      if (place_of(*image) > page.after() && !list(*image)) break;
  }
  response.next_token = page.next_token();
  return response;
}

// ----- deregistering

bool is_snapshot_of_another(const state::World& world, const Image& image, const std::string& snapshot_id) {
  bool found = false;
  world.each_of<Image>(image.account, [&](const Image& other) {
    if (other.id == image.id || other.state == state::ImageState::deregistered) return true;
    found = std::any_of(other.block_devices.begin(), other.block_devices.end(),
                        [&](const auto& device) { return device.snapshot_id == snapshot_id; });
    return !found;
  });
  return found;
}

// Kernels and RAM disks that something still boots with.
void check_not_booted_with(const state::World& world, const Image& image) {
  if (image.type == "machine") return;
  const auto refuse_for = [&](const std::string& user) {
    throw wire::ApiError(400, "OperationNotPermitted", fmt::format("{} is in use by {}", image.id, user));
  };
  world.each<Image>("", [&](const Image& other) {
    if (other.state != state::ImageState::deregistered && (other.kernel_id == image.id || other.ramdisk_id == image.id))
      refuse_for(other.id);
  });
  world.each<state::Instance>("", [&](const state::Instance& instance) {
    if (instance.state != state::InstanceState::terminated && (instance.kernel_id == image.id || instance.ramdisk_id == image.id))
      refuse_for(instance.account == image.account ? instance.id : "an instance of another account");
  });
}

void check_deregistrable(const state::World& world, const Context& context, const Image& image) {
  if (image.deregistration_protection != "disabled" || image.protected_until > context.now)
    throw wire::ApiError(400, "OperationNotPermitted", fmt::format("{} is protected from being deregistered", image.id));
  check_not_booted_with(world, image);
}

std::string delete_snapshot_of(state::Transaction& transaction, const Image& image, const std::string& snapshot_id) {
  const auto* snapshot = transaction.find<state::Snapshot>(image.account, snapshot_id);
  if (snapshot == nullptr || is_snapshot_of_another(transaction.world(), image, snapshot_id)) return "skipped";
  if (is_locked(*snapshot, transaction.now())) return "client-error";
  auto deleted = *snapshot;
  deleted.state = state::SnapshotState::deleting;
  transaction.put(std::move(deleted));
  return "success";
}

// Ids of deregistered images are remembered for a while; then the rest is removed, here and at the next start.
void forget_deregistered(state::Transaction& transaction, const std::string& account) {
  std::vector<std::string> old;
  transaction.world().each_of<Image>(account, [&](const Image& image) {
    if (image.state == state::ImageState::deregistered && transaction.now() - image.deregistered >= Image::known_after_deregistration)
      old.push_back(image.key());
  });
  for (const auto& key : old) transaction.erase<Image>(key);
}

wire::ec2::DeregisterImageResponse deregister_image(state::Transaction& transaction, const Context& context,
                                                    const wire::ec2::DeregisterImageRequest& request) {
  auto image = find_own_image(transaction.world(), context.account(), *request.image_id);
  check_deregistrable(transaction.world(), context, image);
  wire::ec2::DeregisterImageResponse response;
  if (request.delete_associated_snapshots.value_or(false)) {
    for (const auto& device : image.block_devices) {
      if (device.snapshot_id.empty()) continue;
      auto& result = response.delete_snapshot_results.emplace_back();
      result.snapshot_id = device.snapshot_id;
      result.return_code = delete_snapshot_of(transaction, image, device.snapshot_id);
    }
  }
  forget_deregistered(transaction, image.account);
  image.state = state::ImageState::deregistered;
  image.deregistered = transaction.now();
  image.import_source.clear();
  erase_tags(transaction, image.account, image.id);
  transaction.put(std::move(image));
  return response;
}

}  // namespace

bool may_launch(const Image& image, const std::string& account) {
  return image.is_public || image.account == account || is_among(account, image.launch_accounts);
}

const Image& find_image(const state::World& world, const std::string& account, const std::string& id) {
  const auto* image = find_known(world, account, id);
  if (image == nullptr) throw id_unknown("ami", id);
  if (image->state == state::ImageState::deregistered) throw no_longer_available(id);
  return *image;
}

const Image& find_own_image(const state::World& world, const std::string& account, const std::string& id) {
  const auto& image = find_image(world, account, id);
  if (image.account != account) throw wire::ApiError(400, "AuthFailure", fmt::format("Not authorized for image:{}", id));
  return image;
}

const Image& find_launchable(const state::World& world, const std::string& account, const std::string& id) {
  const auto& image = find_image(world, account, id);
  if (image.state != state::ImageState::available) throw no_longer_available(id);
  return image;
}

void find_boot_image(const state::World& world, const std::string& account, const std::string& id, std::string_view type) {
  if (id.empty()) return;
  if (find_launchable(world, account, id).type != type)
    throw wire::invalid_parameter_value(fmt::format("'{}' is not a {} image", id, type));
}

const BlockDevice* root_device(const Image& image) {
  for (const auto& device : image.block_devices)
    if (device.device == image.root_device_name && !device.snapshot_id.empty()) return &device;
  return nullptr;
}

std::vector<wire::ec2::BlockDeviceMapping> show_block_devices(const Image& image) {
  std::vector<wire::ec2::BlockDeviceMapping> mappings;
  for (const auto& device : image.block_devices) {
    auto& mapping = mappings.emplace_back();
    mapping.device_name = device.device;
    if (!device.virtual_name.empty()) {
      mapping.virtual_name = device.virtual_name;
      continue;
    }
    auto& ebs = mapping.ebs.emplace();
    if (!device.snapshot_id.empty()) ebs.snapshot_id = device.snapshot_id;
    ebs.volume_size = device.size_gib;
    ebs.volume_type = device.volume_type;
    if (device.iops > 0) ebs.iops = device.iops;
    if (device.throughput > 0) ebs.throughput = device.throughput;
    ebs.delete_on_termination = device.delete_on_termination;
    ebs.encrypted = device.encrypted;
  }
  return mappings;
}

std::vector<service::Action> image_actions() {
  using namespace wire::ec2;
  std::vector<service::Action> actions = {
      service::read_action<DescribeImagesRequest>("DescribeImages", describe_images),
      service::write_action<DeregisterImageRequest>("DeregisterImage", deregister_image),
  };
  for (const auto& list :
       {image_registration_actions, image_copy_actions, image_attribute_actions, image_reference_actions, image_lifecycle_actions})
    for (const auto& action : list()) actions.push_back(action);
  return actions;
}

}  // namespace brume::ec2
