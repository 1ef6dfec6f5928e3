#include "control/images.hpp"

#include "base/log.hpp"

namespace brume::control {

using state::InstanceState;

ImageReconciler::ImageReconciler(state::Store& store, Engines engines, SnapshotReconciler& snapshots,
                                 std::function<void(const std::string& key)> wake)
    : store_(store), engines_(engines), snapshots_(snapshots), wake_(std::move(wake)) {}

void ImageReconciler::recover() {
  const auto world = store_.world();
  world->each<state::Image>("", [&](const state::Image& image) {
    if (image.state == state::ImageState::pending || image.state == state::ImageState::deregistered) wake_("image/" + image.key());
  });
}

void ImageReconciler::follow(const state::Commit& commit) {
  for (const auto& change : commit.changes) {
    if (const auto* image = change.now<state::Image>();
        image != nullptr && (image->state == state::ImageState::pending || image->state == state::ImageState::deregistered))
      wake_("image/" + change.key);
    const auto* snapshot = change.kind == state::Kind::snapshot ? static_cast<const state::Snapshot*>(change.before.get()) : nullptr;
    const auto* instance = change.old<state::Instance>();
    const bool settled = snapshot != nullptr && (change.now<state::Snapshot>() == nullptr ||
                                                 change.now<state::Snapshot>()->state != state::SnapshotState::pending);
    const bool moved =
        instance != nullptr && (change.now<state::Instance>() == nullptr || change.now<state::Instance>()->state != instance->state);
    const auto look_at = [&](const state::Image& image) { wake_("image/" + image.key()); };
    if (settled) commit.world->each_indexed<state::Image>(state::Index::image_by_snapshot, snapshot->id, look_at);
    if (moved) commit.world->each_indexed<state::Image>(state::Index::image_by_instance, instance->id, look_at);
  }
}

std::optional<int> ImageReconciler::progress(const std::string& image_id) const {
  const std::lock_guard lock(mutex_);
  const auto at = progress_.find(image_id);
  if (at == progress_.end()) return std::nullopt;
  return at->second;
}

void ImageReconciler::reconcile(const std::string& key) {
  const auto world = store_.world();
  const auto* image = world->find<state::Image>(key);
  if (image == nullptr) return;
  if (image->state == state::ImageState::deregistered) {
    // A machine reads its kernel and RAM disk only at its start.
    if (image->type != "machine")
      if (auto removed = engines_.block.remove_boot_file(image->id); !removed) log::warning("block", "{}", removed.error().message);
    // The record stays for a while, so that the id can be told from one that never existed; the next deregistration or start removes it.
    store_.transact([&](state::Transaction& transaction) {
      const auto* found = transaction.find<state::Image>(key);
      if (found == nullptr || found->state != state::ImageState::deregistered) return;
      if (transaction.now() - found->deregistered < state::Image::known_after_deregistration) return;
      transaction.erase<state::Image>(key);
      transaction.erase<state::TagSet>(key);
    });
  } else if (image->state == state::ImageState::pending && !image->import_source.empty()) {
    if (image->type == "machine")
      import_machine(*image);
    else
      import_boot_file(*image);
  } else if (image->state == state::ImageState::pending) {
    make_of_instance(*world, *image);
  }
}

void ImageReconciler::make_of_instance(const state::World& world, const state::Image& image) {
  if (!image.reboot_instance.empty()) return ask_for_shutdown(world, image);
  for (const auto& device : image.block_devices) {
    if (device.snapshot_id.empty()) continue;
    const auto* snapshot = find_snapshot(world, device.snapshot_id);
    if (snapshot == nullptr) return end(image, "The snapshot " + device.snapshot_id + " is not there any more");
    if (snapshot->state == state::SnapshotState::error)
      return end(image, "The snapshot " + snapshot->id + " failed: " + snapshot->state_message);
    if (snapshot->state != state::SnapshotState::completed) return;  // its end wakes us
  }
  end(image, "");
}

void ImageReconciler::ask_for_shutdown(const state::World& world, const state::Image& image) {
  const auto* instance = world.find_indexed<state::Instance>(state::Index::instance_by_id, image.reboot_instance);
  if (instance == nullptr || instance->state == InstanceState::terminated || instance->state == InstanceState::shutting_down)
    return end(image, "The instance " + image.reboot_instance + " was terminated");
  if (instance->state == InstanceState::stopped) return stop_waiting(image);
  if (instance->state != InstanceState::running || instance->reboots_asked > instance->reboots_done) return;
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Instance>(instance->key());
    if (found == nullptr || found->state != InstanceState::running || found->reboots_asked > found->reboots_done) return;
    auto asked = *found;
    ++asked.reboots_asked;
    transaction.put(std::move(asked));
  });
}

void ImageReconciler::stop_waiting(const state::Image& image) {
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Image>(image.key());
    if (found == nullptr) return;
    auto ready = *found;
    ready.reboot_instance.clear();
    transaction.put(std::move(ready));
  });
}

bool ImageReconciler::waits_for(const state::Instance& instance) const {
  return store_.world()->find_indexed<state::Image>(state::Index::image_by_instance, instance.id) != nullptr;
}

bool ImageReconciler::take_snapshots_of(const state::Instance& instance) {
  const auto world = store_.world();
  bool some = false;
  world->each_indexed<state::Image>(state::Index::image_by_instance, instance.id, [&](const state::Image& image) {
    some = true;
    std::vector<std::string> ids;
    for (const auto& device : image.block_devices)
      if (!device.snapshot_id.empty()) ids.push_back(device.snapshot_id);
    snapshots_.take(image.account, ids);
    stop_waiting(image);
  });
  return some;
}

void ImageReconciler::end(const state::Image& seen, const std::string& failure) {
  if (!failure.empty()) log::error("block", "{} cannot be made: {}", seen.id, failure);
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Image>(seen.key());
    if (found == nullptr || found->state != state::ImageState::pending) return;
    auto image = *found;
    image.state = failure.empty() ? state::ImageState::available : state::ImageState::failed;
    image.state_reason = failure;
    image.reboot_instance.clear();
    for (auto& device : image.block_devices)
      if (const auto* snapshot = transaction.find<state::Snapshot>(image.account, device.snapshot_id))
        device.size_gib = std::max(device.size_gib, snapshot->size_gib);
    transaction.put(std::move(image));
  });
}

void ImageReconciler::import_machine(const state::Image& image) {
  std::string snapshot_id;
  for (const auto& device : image.block_devices)
    if (device.device == image.root_device_name) snapshot_id = device.snapshot_id;
  const auto report = [&](int percent) {
    const std::lock_guard lock(mutex_);
    progress_[image.id] = percent;
  };
  auto imported = engines_.block.import_snapshot(snapshot_id, image.import_source, report);
  if (!imported && imported.error().kind == ErrorKind::exists) {
    // Complete since before a crash, but its size was never recorded, so it is made again.
    if (auto removed = engines_.block.remove_snapshot(snapshot_id); removed)
      imported = engines_.block.import_snapshot(snapshot_id, image.import_source, report);
  }
  settle(image, imported.value_or(0), imported ? std::string() : imported.error().message);
}

void ImageReconciler::import_boot_file(const state::Image& image) {
  auto imported = engines_.block.import_boot_file(image.id, image.import_source);
  settle(image, 0, imported ? std::string() : imported.error().message);
}

void ImageReconciler::settle(const state::Image& seen, std::uint64_t bytes, const std::string& failure) {
  if (!failure.empty()) log::error("block", "cannot import {}: {}", seen.id, failure);
  {
    const std::lock_guard lock(mutex_);
    progress_.erase(seen.id);
  }
  const auto gib = static_cast<std::int64_t>((bytes + (1ULL << 30) - 1) >> 30);
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Image>(seen.key());
    if (found == nullptr || found->state != state::ImageState::pending) return;
    auto image = *found;
    image.import_source.clear();
    image.state = failure.empty() ? state::ImageState::available : state::ImageState::failed;
    image.state_reason = failure;
    for (auto& device : image.block_devices) {
      if (device.device != image.root_device_name) continue;
      device.size_gib = std::max(device.size_gib, gib);
      if (const auto* snapshot = transaction.find<state::Snapshot>(image.account, device.snapshot_id)) {
        auto settled = *snapshot;
        settled.state = failure.empty() ? state::SnapshotState::completed : state::SnapshotState::error;
        settled.size_gib = gib;
        transaction.put(std::move(settled));
      }
    }
    transaction.put(std::move(image));
  });
}

}  // namespace brume::control
