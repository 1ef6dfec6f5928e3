#include "control/volume_files.hpp"

#include "base/sealing.hpp"

namespace brume::control {

VolumeFiles::Pass::~Pass() {
  if (files_ == nullptr) return;
  const std::lock_guard lock(files_->mutex_);
  for (const auto& id : ids_) {
    files_->inside_.erase(id);
    files_->give_way_.erase(id);
  }
  files_->left_.notify_all();
}

void VolumeFiles::Pass::give_way(const std::stop_source& stop) {
  bool wanted = false;
  {
    const std::lock_guard lock(files_->mutex_);
    for (const auto& id : ids_) {
      files_->give_way_[id] = stop;
      wanted = wanted || files_->wanted_.count(id) != 0;
    }
  }
  if (wanted) stop.request_stop();
}

VolumeFiles::Pass VolumeFiles::enter(const std::vector<std::string>& volume_ids) {
  std::set<std::string> ids(volume_ids.begin(), volume_ids.end());
  std::unique_lock lock(mutex_);
  wanted_.insert(ids.begin(), ids.end());
  std::vector<std::stop_source> in_the_way;
  for (const auto& id : ids)
    if (const auto found = give_way_.find(id); found != give_way_.end()) in_the_way.push_back(found->second);
  // request_stop() may kill a process, so call it without the lock.
  lock.unlock();
  for (auto& each : in_the_way) each.request_stop();
  lock.lock();
  // All at once, so that nobody waits for one while holding another.
  left_.wait(lock, [&] { return std::none_of(ids.begin(), ids.end(), [&](const auto& id) { return inside_.count(id) != 0; }); });
  for (const auto& id : ids) wanted_.erase(wanted_.find(id));
  inside_.insert(ids.begin(), ids.end());
  return {*this, std::move(ids)};
}

const state::Snapshot* find_snapshot(const state::World& world, const std::string& id) {
  return world.find_indexed<state::Snapshot>(state::Index::snapshot_by_id, id);
}

std::string holder_of(const state::Volume& volume) { return volume.is_served() ? volume.id : volume.instance_id; }

std::string instance_store_id(const std::string& instance_id, const std::string& virtual_name) { return instance_id + "-" + virtual_name; }

Result<std::string> VolumeFiles::open_key(const std::string& id, bool encrypted, const std::string& wrapped) const {
  if (!encrypted) return std::string();
  if (wrapped.empty()) return fail(ErrorKind::broken, "the key of the encrypted " + id + " is not there");
  auto key = unseal(host_key_, wrapped);
  if (!key) return fail(key.error().within("cannot open the key of " + id));
  return key;
}

Result<std::string> VolumeFiles::key(const state::Volume& volume) const {
  return open_key(volume.id, volume.encrypted, volume.wrapped_key);
}

Result<std::string> VolumeFiles::key(const state::Snapshot& snapshot) const {
  return open_key(snapshot.id, snapshot.encrypted, snapshot.wrapped_key);
}

Result<std::string> VolumeFiles::provide_key(const state::Snapshot& snapshot) {
  auto keyed = snapshot;
  if (snapshot.encrypted && snapshot.wrapped_key.empty())
    store_.transact([&](state::Transaction& transaction) {
      keyed = snapshot;
      const auto* found = transaction.find<state::Snapshot>(snapshot.key());
      if (found == nullptr) return;
      keyed = *found;
      if (!keyed.wrapped_key.empty()) return;
      keyed.wrapped_key = seal(host_key_, transaction.random().hex(64), transaction.random());
      transaction.put(keyed);
    });
  return key(keyed);
}

// The key is durable before anything is written with it.
Result<std::string> VolumeFiles::provide_key(const state::Volume& volume) {
  const auto world = store_.world();
  const auto* snapshot = volume.snapshot_id.empty() ? nullptr : find_snapshot(*world, volume.snapshot_id);
  const bool inherits = snapshot != nullptr && snapshot->encrypted;
  if (!volume.encrypted && !inherits) return std::string();
  auto keyed = volume;
  keyed.encrypted = true;
  if (keyed.wrapped_key.empty()) {
    store_.transact([&](state::Transaction& transaction) {
      keyed.wrapped_key.clear();
      const auto* found = transaction.find<state::Volume>(volume.key());
      if (found == nullptr) return;
      auto changed = *found;
      changed.encrypted = true;
      changed.wrapped_key = inherits ? snapshot->wrapped_key : seal(host_key_, transaction.random().hex(64), transaction.random());
      keyed.wrapped_key = changed.wrapped_key;
      transaction.put(std::move(changed));
    });
  }
  return key(keyed);
}

bool VolumeFiles::is_encrypted_anew(const state::World& world, const state::Volume& volume) {
  if (!volume.encrypted || volume.snapshot_id.empty()) return false;
  const auto* snapshot = find_snapshot(world, volume.snapshot_id);
  return snapshot != nullptr && !snapshot->encrypted;
}

std::shared_ptr<void> VolumeFiles::begin_copy() {
  constexpr int most = 2;
  const std::lock_guard lock(mutex_);
  if (copies_ >= most) return nullptr;
  ++copies_;
  return {this, [](VolumeFiles* files) {
            const std::lock_guard unlock(files->mutex_);
            --files->copies_;
          }};
}

Result<void> VolumeFiles::make(const state::Volume& volume) {
  const auto key = provide_key(volume);
  if (!key) return fail(key.error());
  const auto bytes = static_cast<std::uint64_t>(volume.size_gib) << 30;
  auto made = volume.snapshot_id.empty() ? engines_.block.create(volume.id, bytes, *key)
                                         : engines_.block.clone(volume.id, volume.snapshot_id, bytes, *key);
  // It exists: made before a crash, and not recorded.
  if (!made && made.error().kind != ErrorKind::exists) return fail(made.error().within("cannot make the volume " + volume.id));
  return {};
}

Result<compute::Disk> VolumeFiles::disk(const state::Volume& volume, const block::OpenVolume& opened) {
  auto secret = key(volume);
  if (!secret) return fail(secret.error());
  compute::Disk disk;
  disk.volume_id = volume.id;
  disk.file = opened.file;
  disk.format = opened.format;
  disk.generation = opened.generation;
  disk.encrypted = opened.encrypted;
  if (limits_) disk.limits = limits_(volume);
  disk.key = std::move(*secret);
  for (const auto& base : opened.bases) disk.bases.push_back({base.file, base.encrypted});
  return disk;
}

Result<compute::Disk> VolumeFiles::open(const state::Volume& volume, const std::string& instance_id) {
  const auto opened = engines_.block.open(volume.id, engines_.hypervisor.user_of(holder_of(volume)));
  if (!opened) return fail(opened.error().within("cannot open the volume " + volume.id));
  auto made = disk(volume, *opened);
  const auto* attachment = volume.attachment_to(instance_id);
  if (made && attachment != nullptr) {
    made->device = attachment->device;
    if (attachment->served) made->served_to = instance_id;
  }
  return made;
}

Result<bool> VolumeFiles::is_open(const state::Volume& volume) const {
  const auto holder = holder_of(volume);
  if (holder.empty()) return false;
  const auto generation = engines_.hypervisor.disk_generation(holder, volume.id);
  if (generation) return true;
  if (generation.error().kind == ErrorKind::not_found) return false;
  return fail(generation.error());
}

Result<void> VolumeFiles::catch_up(const state::Volume& volume) {
  const auto holder = holder_of(volume);
  const auto generation = engines_.hypervisor.disk_generation(holder, volume.id);
  if (!generation) return fail(generation.error());
  auto wanted = open(volume, holder);
  if (!wanted) return fail(wanted.error());
  if (wanted->generation == *generation) return {};
  if (auto switched = engines_.hypervisor.switch_disks(holder, {std::move(*wanted)}); !switched) return fail(switched.error());
  return {};
}

Result<void> VolumeFiles::serve(const state::Volume& volume) {
  const auto world = store_.world();
  for (const auto* attachment : volume.attachments()) {
    const auto* instance = world->find<state::Instance>(volume.account, attachment->instance_id);
    if (!attachment->served || attachment->attachment_state == state::AttachmentState::attaching || instance == nullptr) continue;
    const auto machine = engines_.hypervisor.state(instance->id);
    if (!machine || *machine == compute::MachineState::ended) continue;
    // Not plugged in, or no longer: nothing to serve.
    if (const auto has = engines_.hypervisor.disk_generation(instance->id, volume.id); !has) continue;
    auto disk = open(volume, instance->id);
    if (!disk) return fail(disk.error());
    auto served = engines_.hypervisor.serve_disk(instance->id, *disk);
    if (!served && served.error().kind != ErrorKind::not_found) return served;
  }
  return {};
}

Result<void> VolumeFiles::limit(const state::Volume& volume) const {
  const auto holder = holder_of(volume);
  if (!limits_ || holder.empty()) return {};
  auto limited = engines_.hypervisor.limit_disk(holder, volume.id, limits_(volume));
  if (!limited && limited.error().kind == ErrorKind::not_found) return {};  // it learns this at its start
  return limited;
}

Result<void> VolumeFiles::grow(const state::Volume& volume, std::uint64_t bytes) {
  const auto opened = is_open(volume);
  if (!opened) return fail(opened.error());
  if (!*opened) {
    const auto secret = key(volume);
    if (!secret) return fail(secret.error());
    return engines_.block.resize(volume.id, bytes, *secret);
  }
  if (auto done = catch_up(volume); !done) return done;
  return engines_.hypervisor.resize_disk(holder_of(volume), volume.id, bytes);
}

}  // namespace brume::control
