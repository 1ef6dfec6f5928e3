#include "control/images.hpp"

#include "base/log.hpp"

namespace brume::control {

ImageReconciler::ImageReconciler(state::Store& store, Engines engines, std::function<void(const std::string& key)> wake)
    : store_(store), engines_(engines), wake_(std::move(wake)) {}

void ImageReconciler::recover() {
  const auto world = store_.world();
  world->each<state::Image>("", [&](const state::Image& image) {
    if (image.state == "pending" || image.state == "deregistered") wake_("image/" + image.key());
  });
  world->each<state::Snapshot>("", [&](const state::Snapshot& snapshot) {
    if (snapshot.state == "deleting") wake_("snapshot/" + snapshot.key());
  });
}

void ImageReconciler::follow(const state::Commit& commit) {
  bool volume_gone = false;
  for (const auto& change : commit.changes) {
    if (const auto* image = change.now<state::Image>(); image != nullptr && (image->state == "pending" || image->state == "deregistered"))
      wake_("image/" + change.key);
    if (const auto* snapshot = change.now<state::Snapshot>(); snapshot != nullptr && snapshot->state == "deleting")
      wake_("snapshot/" + change.key);
    volume_gone |= change.kind == state::Kind::volume && !change.after;
  }
  // What a volume was built on may be removable now.
  if (volume_gone)
    commit.world->each<state::Snapshot>("", [&](const state::Snapshot& snapshot) {
      if (snapshot.state == "deleting") wake_("snapshot/" + snapshot.key());
    });
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
  if (image->state == "deregistered") {
    // A kernel or RAM disk in use by a machine is read at its start only.
    if (image->type != "machine")
      if (auto removed = engines_.block.remove_boot_file(image->id); !removed) log::warning("block", "{}", removed.error().message);
    store_.transact([&](state::Transaction& transaction) {
      transaction.erase<state::Image>(key);
      transaction.erase<state::TagSet>(key);
    });
  } else if (image->state == "pending" && !image->import_source.empty()) {
    if (image->type == "machine")
      import_machine(*image);
    else
      import_boot_file(*image);
  }
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
    // Whole already, from before a crash; but its size was never recorded, so it is made again.
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
    if (found == nullptr || found->state != "pending") return;
    auto image = *found;
    image.import_source.clear();
    image.state = failure.empty() ? "available" : "failed";
    image.state_reason = failure;
    for (auto& device : image.block_devices) {
      if (device.device != image.root_device_name) continue;
      device.size_gib = std::max(device.size_gib, gib);
      if (const auto* snapshot = transaction.find<state::Snapshot>(image.account, device.snapshot_id)) {
        auto settled = *snapshot;
        settled.state = failure.empty() ? "completed" : "error";
        settled.size_gib = gib;
        transaction.put(std::move(settled));
      }
    }
    transaction.put(std::move(image));
  });
}

void ImageReconciler::reconcile_snapshot(const std::string& key) {
  const auto world = store_.world();
  const auto* snapshot = world->find<state::Snapshot>(key);
  if (snapshot == nullptr || snapshot->state != "deleting") return;
  if (auto removed = engines_.block.remove_snapshot(snapshot->id); !removed) {
    // A volume is built on it: its end wakes us.
    if (removed.error().kind != ErrorKind::refused) log::warning("block", "cannot remove {}: {}", snapshot->id, removed.error().message);
    return;
  }
  store_.transact([&](state::Transaction& transaction) {
    transaction.erase<state::Snapshot>(key);
    transaction.erase<state::TagSet>(key);
  });
}

}  // namespace brume::control
