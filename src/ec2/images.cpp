#include "ec2/images.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ec2/actions.hpp"
#include "ec2/filters.hpp"
#include "ec2/paging.hpp"
#include "ec2/resource_ids.hpp"
#include "ec2/tags.hpp"
#include "wire/ec2/images.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

const state::BlockDevice* root_device(const state::Image& image) {
  for (const auto& device : image.block_devices)
    if (device.device == image.root_device_name) return &device;
  return nullptr;
}

template <class Add>
void each_snapshot(const state::Image& image, Add&& add) {
  for (const auto& device : image.block_devices)
    if (!device.snapshot_id.empty()) add(device);
}

const FilterField<state::Image> image_filters[] = {
    {"architecture", [](const auto& at, auto& out) { out.add(at.record.architecture); }},
    {"block-device-mapping.device-name",
     [](const auto& at, auto& out) {
       for (const auto& d : at.record.block_devices) out.add(d.device);
     }},
    {"block-device-mapping.snapshot-id",
     [](const auto& at, auto& out) { each_snapshot(at.record, [&](const auto& d) { out.add(d.snapshot_id); }); }},
    {"block-device-mapping.volume-size",
     [](const auto& at, auto& out) { each_snapshot(at.record, [&](const auto& d) { out.add(d.size_gib); }); }},
    {"block-device-mapping.volume-type",
     [](const auto& at, auto& out) { each_snapshot(at.record, [&](const auto& d) { out.add(d.volume_type); }); }},
    {"block-device-mapping.delete-on-termination",
     [](const auto& at, auto& out) { each_snapshot(at.record, [&](const auto& d) { out.add(d.delete_on_termination); }); }},
    {"block-device-mapping.encrypted",
     [](const auto& at, auto& out) { each_snapshot(at.record, [&](const auto& d) { out.add(d.encrypted); }); }},
    {"creation-date", [](const auto& at, auto& out) { out.add(at.record.created); }},
    {"description", [](const auto& at, auto& out) { out.add(at.record.description); }},
    {"ena-support", [](const auto& at, auto& out) { out.add(at.record.ena_support); }},
    {"hypervisor", [](const auto&, auto& out) { out.add("xen"); }},
    {"image-id", [](const auto& at, auto& out) { out.add(at.record.id); }},
    {"image-type", [](const auto& at, auto& out) { out.add(at.record.type); }},
    {"is-public", [](const auto& at, auto& out) { out.add(at.record.is_public); }},
    {"kernel-id",
     [](const auto& at, auto& out) {
       if (!at.record.kernel_id.empty()) out.add(at.record.kernel_id);
     }},
    {"manifest-location", [](const auto& at, auto& out) { out.add(at.record.location); }},
    {"name", [](const auto& at, auto& out) { out.add(at.record.name); }},
    {"owner-id", [](const auto& at, auto& out) { out.add(at.record.account); }},
    {"owner-alias", [](const auto&, auto&) {}},
    {"platform",
     [](const auto& at, auto& out) {
       if (!at.record.platform.empty()) out.add(at.record.platform);
     }},
    {"ramdisk-id",
     [](const auto& at, auto& out) {
       if (!at.record.ramdisk_id.empty()) out.add(at.record.ramdisk_id);
     }},
    {"root-device-name", [](const auto& at, auto& out) { out.add(at.record.root_device_name); }},
    {"root-device-type",
     [](const auto& at, auto& out) {
       if (at.record.type == "machine") out.add("ebs");
     }},
    {"state", [](const auto& at, auto& out) { out.add(at.record.state); }},
    {"state-reason-message", [](const auto& at, auto& out) { out.add(at.record.state_reason); }},
    {"virtualization-type", [](const auto& at, auto& out) { out.add(at.record.virtualization_type); }},
};

wire::ec2::Image describe(const state::World& world, const Context& context, const state::Image& image) {
  wire::ec2::Image item;
  item.image_id = image.id;
  item.image_location = image.location;
  item.state = image.state;
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
  if (!image.state_reason.empty()) {
    auto& reason = item.state_reason.emplace();
    reason.code = "Client.InvalidImage";
    reason.message = image.state_reason;
  }
  if (image.type == "machine") {
    item.root_device_type = "ebs";
    item.root_device_name = image.root_device_name;
    for (const auto& device : image.block_devices) {
      auto& mapping = item.block_device_mappings.emplace_back();
      mapping.device_name = device.device;
      if (!device.virtual_name.empty()) {
        mapping.virtual_name = device.virtual_name;
        continue;
      }
      auto& ebs = mapping.ebs.emplace();
      if (!device.snapshot_id.empty()) ebs.snapshot_id = device.snapshot_id;
      ebs.volume_size = device.size_gib;
      ebs.volume_type = device.volume_type;
      ebs.delete_on_termination = device.delete_on_termination;
      ebs.encrypted = device.encrypted;
    }
  }
  // Tags are the owner's: others do not see them.
  if (image.account == context.account()) item.tags = tags_of(world, image.account, image.id);
  return item;
}

std::string_view prefix_of(std::string_view id) { return id.substr(0, std::min(id.size(), id.find('-'))); }

void check_image_id(const std::string& id) {
  const auto prefix = prefix_of(id);
  if ((prefix != "ami" && prefix != "aki" && prefix != "ari") || !is_well_formed_id(prefix, id))
    throw wire::ApiError(400, "InvalidAMIID.Malformed", fmt::format("Invalid id: \"{}\" (expecting \"ami-...\")", id));
}

bool is_owned_as_asked(const state::Image& image, const std::vector<std::string>& owners, const std::string& account) {
  if (owners.empty()) return true;
  for (const auto& owner : owners)
    if (owner == image.account || (owner == "self" && image.account == account)) return true;
  return false;
}

bool is_executable_as_asked(const state::Image& image, const std::vector<std::string>& users, const std::string& account) {
  if (users.empty()) return true;
  for (const auto& user : users) {
    if (user == "all" && image.is_public) return true;
    const auto& wanted = user == "self" ? account : user;
    const auto& shared = image.launch_accounts;
    if (std::find(shared.begin(), shared.end(), wanted) != shared.end()) return true;
  }
  return false;
}

wire::ec2::DescribeImagesResponse describe_images(const state::World& world, const Context& context,
                                                  const wire::ec2::DescribeImagesRequest& request) {
  const auto& account = context.account();
  std::vector<std::string> unknown;
  for (const auto& id : request.image_ids) {
    check_image_id(id);
    const auto* image = world.find_indexed<state::Image>(state::Index::image_by_id, id);
    if (image == nullptr || image->state == "deregistered" || !may_launch(*image, account)) unknown.push_back(id);
  }
  if (!unknown.empty())
    throw wire::ApiError(400, "InvalidAMIID.NotFound",
                         unknown.size() == 1 ? fmt::format("The image id '[{}]' does not exist", unknown.front())
                                             : fmt::format("The image ids '[{}]' do not exist", fmt::join(unknown, ", ")));
  const FilterSet<state::Image> filters(image_filters, request.filters);
  Page page(context, "DescribeImages", request.max_results, request.next_token, {1, 1000});
  wire::ec2::DescribeImagesResponse response;
  world.each<state::Image>(
      "",
      [&](const state::Image& image) {
        const auto& ids = request.image_ids;
        if (!ids.empty() && std::find(ids.begin(), ids.end(), image.id) == ids.end()) return true;
        if (image.state == "deregistered" || !may_launch(image, account) || !is_owned_as_asked(image, request.owners, account) ||
            !is_executable_as_asked(image, request.executable_users, account))
          return true;
        // Another account's tags match nothing.
        if (!filters.match(world, image, account, image.id)) return true;
        if (!page.take(image.key())) return false;
        response.images.push_back(describe(world, context, image));
        return true;
      },
      page.after());
  response.next_token = page.next_token();
  return response;
}

// 3 to 128 characters out of letters, digits and ( ) . - / _ and more of EC2's list.
void check_image_name(const state::World& world, const std::string& account, const std::string& name) {
  const bool fits = name.size() >= 3 && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                             std::string_view("()[] ./-'@_:+").find(c) != std::string_view::npos;
                    });
  if (!fits)
    throw wire::ApiError(
        400, "InvalidAMIName.Malformed",
        "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'");
  world.each_of<state::Image>(account, [&](const state::Image& image) {
    if (image.name == name && image.type == "machine" && image.state != "deregistered" && image.state != "failed")
      throw wire::ApiError(400, "InvalidAMIName.Duplicate", fmt::format("AMI name {} is already in use by AMI {}", name, image.id));
  });
}

state::BlockDevice read_mapping(const state::World& world, const std::string& account, const wire::ec2::BlockDeviceMapping& mapping) {
  state::BlockDevice device;
  if (!mapping.device_name) throw wire::missing_parameter("BlockDeviceMapping.DeviceName");
  device.device = *mapping.device_name;
  device.virtual_name = mapping.virtual_name.value_or("");
  if (!mapping.ebs) return device;
  device.snapshot_id = mapping.ebs->snapshot_id.value_or("");
  device.size_gib = mapping.ebs->volume_size.value_or(0);
  device.volume_type = mapping.ebs->volume_type.value_or("gp2");
  device.iops = mapping.ebs->iops.value_or(0);
  device.throughput = mapping.ebs->throughput.value_or(0);
  device.delete_on_termination = mapping.ebs->delete_on_termination.value_or(true);
  check_volume_type(device);
  if (mapping.ebs->encrypted.value_or(false) || mapping.ebs->kms_key_id)
    throw wire::unsupported_operation("Encrypted volumes are not supported yet.");
  if (mapping.ebs->availability_zone || mapping.ebs->availability_zone_id)
    throw wire::unsupported_operation("An image's volume has no Availability Zone.");
  if (device.snapshot_id.empty()) return device;
  check_id("snap", "SnapshotID", device.snapshot_id);
  const auto* snapshot = world.find<state::Snapshot>(account, device.snapshot_id);
  if (snapshot == nullptr || snapshot->state == "deleting")
    throw wire::ApiError(400, "InvalidSnapshot.NotFound", fmt::format("The snapshot '{}' does not exist.", device.snapshot_id));
  if (snapshot->state != "completed")
    throw wire::ApiError(400, "IncorrectState", fmt::format("Snapshot '{}' is not 'completed'.", device.snapshot_id));
  if (device.size_gib == 0) device.size_gib = snapshot->size_gib;
  if (device.size_gib < snapshot->size_gib)
    throw wire::ApiError(400, "InvalidBlockDeviceMapping",
                         fmt::format("Volume of size {}GB is smaller than snapshot '{}', expect size >= {}GB", device.size_gib,
                                     device.snapshot_id, snapshot->size_gib));
  return device;
}

wire::ec2::RegisterImageResponse register_image(state::Transaction& transaction, const Context& context,
                                                const wire::ec2::RegisterImageRequest& request) {
  const auto& account = context.account();
  if (request.image_location)
    throw wire::unsupported_operation(
        "Images whose manifest is in S3 are not supported. Register from a snapshot by BlockDeviceMapping, "
        "or bring a disk image in with 'brume image import'.");
  if (!request.name) throw wire::missing_parameter("Name");
  check_image_name(transaction.world(), account, *request.name);
  check_tag_types(request.tag_specifications, {"image", "snapshot"});
  state::Image image;
  image.account = account;
  image.id = make_id(transaction.random(), "ami");
  image.name = *request.name;
  image.description = request.description.value_or("");
  image.location = account + "/" + image.name;
  image.architecture = request.architecture.value_or("i386");
  image.root_device_name = request.root_device_name.value_or("/dev/sda1");
  image.virtualization_type = request.virtualization_type.value_or("paravirtual");
  image.boot_mode = request.boot_mode.value_or("");
  image.ena_support = request.ena_support.value_or(false);
  image.sriov_net_support = request.sriov_net_support.value_or("");
  image.created = transaction.now();
  if (image.architecture != "x86_64" && image.architecture != "i386")
    throw wire::unsupported_operation(
        fmt::format("The architecture '{}' is not supported: this installation runs i386 and x86_64.", image.architecture));
  if (image.boot_mode == "uefi")
    throw wire::unsupported_operation("The boot mode 'uefi' is not supported yet; images boot by legacy BIOS.");
  image.kernel_id = request.kernel_id.value_or("");
  image.ramdisk_id = request.ramdisk_id.value_or("");
  find_boot_image(transaction.world(), account, image.kernel_id, "kernel");
  find_boot_image(transaction.world(), account, image.ramdisk_id, "ramdisk");
  for (const auto& mapping : request.block_device_mappings)
    image.block_devices.push_back(read_mapping(transaction.world(), account, mapping));
  const auto* root = root_device(image);
  if (root == nullptr || root->snapshot_id.empty())
    throw wire::ApiError(400, "InvalidBlockDeviceMapping",
                         "The root device is not mapped to a snapshot. Give a BlockDeviceMapping with "
                         "Ebs.SnapshotId whose device name is the RootDeviceName.");
  tag_on_create(transaction, account, image.id, "image", request.tag_specifications);
  wire::ec2::RegisterImageResponse response;
  response.image_id = image.id;
  transaction.put(std::move(image));
  return response;
}

wire::ec2::DeregisterImageResponse deregister_image(state::Transaction& transaction, const Context& context,
                                                    const wire::ec2::DeregisterImageRequest& request) {
  check_image_id(*request.image_id);
  const auto* found = transaction.world().find_indexed<state::Image>(state::Index::image_by_id, *request.image_id);
  if (found == nullptr || found->state == "deregistered" || !may_launch(*found, context.account()))
    throw wire::ApiError(400, "InvalidAMIID.NotFound", fmt::format("The image id '[{}]' does not exist", *request.image_id));
  if (found->account != context.account())
    throw wire::ApiError(400, "AuthFailure", fmt::format("Not authorized for image:{}", *request.image_id));
  auto image = *found;
  wire::ec2::DeregisterImageResponse response;
  if (request.delete_associated_snapshots.value_or(false)) {
    each_snapshot(image, [&](const state::BlockDevice& device) {
      const auto* snapshot = transaction.find<state::Snapshot>(image.account, device.snapshot_id);
      auto& result = response.delete_snapshot_results.emplace_back();
      result.snapshot_id = device.snapshot_id;
      result.return_code = snapshot == nullptr ? "skipped" : "success";
      if (snapshot == nullptr) return;
      auto deleted = *snapshot;
      deleted.state = "deleting";
      transaction.put(std::move(deleted));
    });
  }
  image.state = "deregistered";
  image.import_source.clear();
  erase_tags(transaction, image.account, image.id);
  transaction.put(std::move(image));
  return response;
}

}  // namespace

bool may_launch(const state::Image& image, const std::string& account) {
  return image.is_public || image.account == account ||
         std::find(image.launch_accounts.begin(), image.launch_accounts.end(), account) != image.launch_accounts.end();
}

const state::Image& find_launchable(const state::World& world, const std::string& account, const std::string& id) {
  check_image_id(id);
  const auto* image = world.find_indexed<state::Image>(state::Index::image_by_id, id);
  if (image == nullptr || image->state == "deregistered" || !may_launch(*image, account))
    throw wire::ApiError(400, "InvalidAMIID.NotFound", fmt::format("The image id '[{}]' does not exist", id));
  if (image->state != "available")
    throw wire::ApiError(400, "InvalidAMIID.Unavailable", fmt::format("The image ID '{}' is no longer available", id));
  return *image;
}

void check_volume_type(const state::BlockDevice& device) {
  static constexpr std::string_view types[] = {"standard", "gp2", "gp3", "io1", "io2", "st1", "sc1"};
  const auto& type = device.volume_type;
  if (std::find(std::begin(types), std::end(types), type) == std::end(types))
    throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for VolumeType.", type));
  if (device.iops < 0 || device.throughput < 0) throw wire::invalid_parameter_value("Iops and Throughput must be greater than 0.");
  if (device.iops > 0 && type != "io1" && type != "io2" && type != "gp3")
    throw wire::invalid_parameter_combination(fmt::format("The parameter iops is not supported for {} volumes.", type));
  if (device.throughput > 0 && type != "gp3")
    throw wire::invalid_parameter_combination(fmt::format("The parameter throughput is not supported for {} volumes.", type));
}

void find_boot_image(const state::World& world, const std::string& account, const std::string& id, std::string_view type) {
  if (id.empty()) return;
  if (find_launchable(world, account, id).type != type)
    throw wire::invalid_parameter_value(fmt::format("'{}' is not a {} image", id, type));
}

std::string import_image(state::Transaction& transaction, const ImageImport& import) {
  check_image_name(transaction.world(), import.account, import.name);
  state::Image image;
  image.account = import.account;
  image.id = make_id(transaction.random(), "ami");
  image.name = import.name;
  image.description = import.description;
  image.location = import.account + "/" + import.name;
  image.architecture = import.architecture;
  image.root_device_name = import.root_device_name;
  image.state = "pending";
  image.is_public = import.is_public;
  image.created = transaction.now();
  image.import_source = import.disk_file;
  const auto import_boot_image = [&](std::string_view prefix, std::string_view type, const std::string& file) {
    state::Image boot = image;
    boot.id = make_id(transaction.random(), prefix);
    boot.type = type;
    boot.name = import.name + "." + std::string(type);
    boot.location = import.account + "/" + boot.name;
    boot.import_source = file;
    boot.kernel_arguments = type == "kernel" ? import.kernel_arguments : std::string();
    auto id = boot.id;
    transaction.put(std::move(boot));
    return id;
  };
  if (!import.kernel_file.empty()) image.kernel_id = import_boot_image("aki", "kernel", import.kernel_file);
  if (!import.ramdisk_file.empty()) image.ramdisk_id = import_boot_image("ari", "ramdisk", import.ramdisk_file);
  state::Snapshot snapshot;
  snapshot.account = import.account;
  snapshot.id = make_id(transaction.random(), "snap");
  snapshot.state = "pending";
  snapshot.description = "Created by 'brume image import' for " + image.id;
  snapshot.started = transaction.now();
  state::BlockDevice root;
  root.device = image.root_device_name;
  root.snapshot_id = snapshot.id;
  root.size_gib = import.least_size_gib;
  root.volume_type = "gp2";
  image.block_devices.push_back(std::move(root));
  auto id = image.id;
  transaction.put(std::move(snapshot));
  transaction.put(std::move(image));
  return id;
}

std::vector<service::Action> image_actions() {
  using namespace wire::ec2;
  return {
      service::read_action<DescribeImagesRequest>("DescribeImages", describe_images),
      service::write_action<RegisterImageRequest>("RegisterImage", register_image),
      service::write_action<DeregisterImageRequest>("DeregisterImage", deregister_image),
  };
}

}  // namespace brume::ec2
