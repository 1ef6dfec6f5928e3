// Pretends: remembers names and sizes, keeps no byte.
#include <algorithm>
#include <map>
#include <mutex>

#include "engines/block/block_engine.hpp"

namespace brume::block {
namespace {

class SimulatedBlockEngine final : public BlockEngine {
 public:
  Result<void> create(const std::string& volume_id, std::uint64_t bytes) override {
    const std::lock_guard lock(mutex_);
    if (!volumes_.emplace(volume_id, Volume{bytes, ""}).second) return fail(ErrorKind::exists, volume_id + " is already there");
    return {};
  }
  Result<void> clone(const std::string& volume_id, const std::string& snapshot_id, std::uint64_t bytes) override {
    const std::lock_guard lock(mutex_);
    const auto snapshot = snapshots_.find(snapshot_id);
    if (snapshot == snapshots_.end()) return fail(ErrorKind::not_found, snapshot_id + " is not there");
    if (!volumes_.emplace(volume_id, Volume{std::max(bytes, snapshot->second.bytes), snapshot_id}).second)
      return fail(ErrorKind::exists, volume_id + " is already there");
    ++snapshot->second.users;
    return {};
  }
  Result<void> remove_volume(const std::string& volume_id) override {
    const std::lock_guard lock(mutex_);
    const auto found = volumes_.find(volume_id);
    if (found == volumes_.end()) return {};
    if (const auto snapshot = snapshots_.find(found->second.snapshot_id); snapshot != snapshots_.end()) --snapshot->second.users;
    volumes_.erase(found);
    return {};
  }
  Result<void> remove_snapshot(const std::string& snapshot_id) override {
    const std::lock_guard lock(mutex_);
    const auto found = snapshots_.find(snapshot_id);
    if (found == snapshots_.end()) return {};
    if (found->second.users > 0) return fail(ErrorKind::refused, snapshot_id + " cannot go: a volume stands on it");
    snapshots_.erase(found);
    return {};
  }
  Result<OpenVolume> open(const std::string& volume_id, unsigned) override {
    const std::lock_guard lock(mutex_);
    if (volumes_.count(volume_id) == 0) return fail(ErrorKind::not_found, volume_id + " is not there");
    return OpenVolume{"/simulated/" + volume_id, "raw"};
  }
  Result<Usage> usage(const std::string& volume_id) override {
    const std::lock_guard lock(mutex_);
    const auto found = volumes_.find(volume_id);
    if (found == volumes_.end()) return fail(ErrorKind::not_found, volume_id + " is not there");
    return Usage{found->second.bytes, 0};
  }
  // Takes any name of a file, there or not: nothing is read. Every disk has 1 GiB.
  Result<std::uint64_t> import_snapshot(const std::string& snapshot_id, const std::string&,
                                        const std::function<void(int percent)>& progress) override {
    constexpr std::uint64_t bytes = 1ULL << 30;
    {
      const std::lock_guard lock(mutex_);
      if (!snapshots_.emplace(snapshot_id, Snapshot{bytes, 0}).second) return fail(ErrorKind::exists, snapshot_id + " is already there");
    }
    if (progress) progress(100);
    return bytes;
  }
  Result<void> import_boot_file(const std::string& image_id, const std::string& file) override {
    const std::lock_guard lock(mutex_);
    boot_files_[image_id] = file;
    return {};
  }
  Result<std::string> boot_file(const std::string& image_id) override {
    const std::lock_guard lock(mutex_);
    const auto found = boot_files_.find(image_id);
    if (found == boot_files_.end()) return fail(ErrorKind::not_found, image_id + " is not there");
    return found->second;
  }
  Result<void> remove_boot_file(const std::string& image_id) override {
    const std::lock_guard lock(mutex_);
    boot_files_.erase(image_id);
    return {};
  }
  Result<std::vector<std::string>> sweep(const std::function<bool(const std::string& id)>& known) override {
    std::vector<std::string> unknown;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [id, volume] : volumes_) unknown.push_back(id);
      for (const auto& [id, snapshot] : snapshots_) unknown.push_back(id);
    }
    std::erase_if(unknown, known);
    std::vector<std::string> removed;
    for (const auto& id : unknown) {
      [[maybe_unused]] const auto volume = remove_volume(id);
      if (remove_snapshot(id)) removed.push_back(id);
    }
    return removed;
  }

 private:
  struct Volume {
    std::uint64_t bytes;
    std::string snapshot_id;
  };
  struct Snapshot {
    std::uint64_t bytes;
    std::int64_t users;
  };
  std::mutex mutex_;
  std::map<std::string, Volume> volumes_;
  std::map<std::string, Snapshot> snapshots_;
  std::map<std::string, std::string> boot_files_;
};

}  // namespace

std::unique_ptr<BlockEngine> make_simulated_block_engine() { return std::make_unique<SimulatedBlockEngine>(); }

}  // namespace brume::block
