// The disks of an instance's machine: its volumes and its instance stores.
#include <algorithm>

#include "base/log.hpp"
#include "control/instances.hpp"

namespace brume::control {

bool InstanceReconciler::make_disks(const state::World& world, const state::Instance& instance, compute::MachineSpec& spec) {
  std::vector<const state::Volume*> volumes;
  for (const auto& id : instance.volume_ids) {
    const auto* volume = world.find<state::Volume>(instance.account, id);
    const auto* attachment = volume == nullptr ? nullptr : volume->attachment_to(instance.id);
    // Detached since, or being attached: the machine never had it.
    if (attachment == nullptr || attachment->attachment_state == state::AttachmentState::detaching ||
        attachment->attachment_state == state::AttachmentState::busy)
      continue;
    volumes.push_back(volume);
  }
  // The root may have been detached and attached again, after the others.
  std::stable_partition(volumes.begin(), volumes.end(),
                        [&](const auto* volume) { return volume->attachment_to(instance.id)->device == instance.root_device_name; });
  for (const auto* volume : volumes) {
    auto made = volume->state == state::VolumeState::creating ? files_.make(*volume) : Result<void>();
    const auto newest = store_.world();  // its key may have been made just now
    const auto* now = newest->find<state::Volume>(volume->key());
    auto disk = made ? files_.open(now == nullptr ? *volume : *now, instance.id) : Result<compute::Disk>(fail(made.error()));
    if (!disk) {
      fail_start(instance, "Server.InternalError", disk.error().message);
      return false;
    }
    spec.disks.push_back(std::move(*disk));
  }
  return make_instance_stores(instance, spec);
}

bool InstanceReconciler::make_instance_stores(const state::Instance& instance, compute::MachineSpec& spec) {
  for (const auto& store : instance.instance_stores) {
    const auto id = instance_store_id(instance.id, store.virtual_name);
    const auto content = store.virtual_name == "swap" ? block::StoreContent::swap : block::StoreContent::ext3;
    auto made = engines_.block.create_store(id, static_cast<std::uint64_t>(store.size_gib) << 30, content, store.virtual_name);
    if (!made && made.error().kind == ErrorKind::exists) made = Result<void>();
    const auto opened =
        made ? engines_.block.open(id, engines_.hypervisor.user_of(instance.id)) : Result<block::OpenVolume>(fail(made.error()));
    if (!opened) {
      fail_start(instance, "Server.InternalError", opened.error().within("cannot make the instance store " + store.virtual_name).message);
      return false;
    }
    compute::Disk disk;
    disk.volume_id = store.virtual_name;  // the serial that the guest sees
    disk.file = opened->file;
    disk.format = opened->format;
    disk.device = store.device;
    disk.generation = opened->generation;
    for (const auto& base : opened->bases) disk.bases.push_back({base.file, base.encrypted});
    spec.disks.push_back(std::move(disk));
  }
  return true;
}

bool InstanceReconciler::remove_instance_stores(const state::Instance& instance) {
  for (const auto& store : instance.instance_stores)
    if (auto removed = engines_.block.remove_volume(instance_store_id(instance.id, store.virtual_name)); !removed) {
      note_obstacle(instance, "cannot remove " + store.virtual_name + ": " + removed.error().message);
      return false;
    }
  return true;
}

}  // namespace brume::control
