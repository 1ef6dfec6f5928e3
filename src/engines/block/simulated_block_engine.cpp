// Pretends: remembers names and sizes, keeps no byte.
#include <algorithm>
#include <map>
#include <mutex>

#include "engines/block/block_engine.hpp"

namespace brume::block {
namespace {

class SimulatedBlockEngine final : public BlockEngine {
 public:
  Result<void> create(const std::string& volume_id, std::uint64_t bytes, const std::string&) override {
    const std::lock_guard lock(mutex_);
    if (!volumes_.emplace(volume_id, bytes).second) return fail(ErrorKind::exists, volume_id + " is already there");
    return {};
  }
  Result<void> clone(const std::string& volume_id, const std::string& snapshot_id, std::uint64_t bytes, const std::string&) override {
    const std::lock_guard lock(mutex_);
    const auto snapshot = snapshots_.find(snapshot_id);
    if (snapshot == snapshots_.end()) return fail(ErrorKind::not_found, snapshot_id + " is not there");
    if (!volumes_.emplace(volume_id, std::max(bytes, snapshot->second)).second)
      return fail(ErrorKind::exists, volume_id + " is already there");
    return {};
  }
  Result<void> remove_volume(const std::string& volume_id) override {
    const std::lock_guard lock(mutex_);
    volumes_.erase(volume_id);
    return {};
  }
  Result<void> remove_snapshot(const std::string& snapshot_id) override {
    const std::lock_guard lock(mutex_);
    snapshots_.erase(snapshot_id);
    return {};
  }
  Result<OpenVolume> open(const std::string& volume_id, unsigned) override {
    return usage(volume_id).map([&](const Usage&) {
      OpenVolume open;
      open.file = "/simulated/" + volume_id;
      open.format = "raw";
      return open;
    });
  }
  Result<Usage> usage(const std::string& volume_id) override {
    const std::lock_guard lock(mutex_);
    const auto found = volumes_.find(volume_id);
    if (found == volumes_.end()) return fail(ErrorKind::not_found, volume_id + " is not there");
    return Usage{found->second, 0};
  }
  Result<void> resize(const std::string& volume_id, std::uint64_t bytes, const std::string&) override {
    const std::lock_guard lock(mutex_);
    const auto found = volumes_.find(volume_id);
    if (found == volumes_.end()) return fail(ErrorKind::not_found, volume_id + " is not there");
    found->second = std::max(found->second, bytes);
    return {};
  }
  // As engines do that take snapshots by themselves: there is nothing for a machine to switch to.
  Result<std::optional<OpenVolume>> prepare_snapshot(const std::string& volume_id, unsigned, const std::string&) override {
    return usage(volume_id).map([](const Usage&) { return std::optional<OpenVolume>(); });
  }
  Result<void> keep_snapshot(const std::string& snapshot_id, const std::string& volume_id) override {
    const std::lock_guard lock(mutex_);
    const auto volume = volumes_.find(volume_id);
    if (volume == volumes_.end()) return fail(ErrorKind::not_found, volume_id + " is not there");
    snapshots_[snapshot_id] = volume->second;
    return {};
  }
  Result<void> copy_snapshot(const std::string& snapshot_id, const std::string& from) override {
    const std::lock_guard lock(mutex_);
    const auto source = snapshots_.find(from);
    if (source == snapshots_.end()) return fail(ErrorKind::not_found, from + " is not there");
    if (!snapshots_.emplace(snapshot_id, source->second).second) return fail(ErrorKind::exists, snapshot_id + " is already there");
    return {};
  }
  // There are no files.
  Result<std::vector<Fold>> foldable() override { return std::vector<Fold>(); }
  Result<void> fold(const Fold& fold) override { return note_fold(fold.volume_id); }
  Result<void> note_fold(const std::string& volume_id) override {
    return usage(volume_id).map([](const Usage&) {});
  }
  Result<std::vector<Holding>> holdings() override {
    std::vector<Holding> all;
    const std::lock_guard lock(mutex_);
    for (const auto* things : {&volumes_, &snapshots_})
      for (const auto& [id, bytes] : *things) {
        Holding held;
        held.id = id;
        held.virtual_bytes = bytes;
        held.depth = 1;
        all.push_back(std::move(held));
      }
    return all;
  }
  // Takes any name of a file, there or not: nothing is read. Every disk has 1 GiB.
  Result<std::uint64_t> import_snapshot(const std::string& snapshot_id, const std::string&,
                                        const std::function<void(int percent)>& progress) override {
    constexpr std::uint64_t bytes = 1ULL << 30;
    {
      const std::lock_guard lock(mutex_);
      if (!snapshots_.emplace(snapshot_id, bytes).second) return fail(ErrorKind::exists, snapshot_id + " is already there");
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
  std::mutex mutex_;
  std::map<std::string, std::uint64_t> volumes_;  // sizes in bytes
  std::map<std::string, std::uint64_t> snapshots_;
  std::map<std::string, std::string> boot_files_;
};

}  // namespace

std::unique_ptr<BlockEngine> make_simulated_block_engine() { return std::make_unique<SimulatedBlockEngine>(); }

}  // namespace brume::block
