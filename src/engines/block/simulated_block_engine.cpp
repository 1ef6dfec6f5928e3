// Pretends: remembers names and sizes, and only those bytes that a client puts into a snapshot itself.
#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "engines/block/block_engine.hpp"

namespace brume::block {
namespace {

constexpr std::uint64_t piece_bytes = 64 << 10;
constexpr size_t most_pieces = 4096;  // 256 MiB

using Piece = std::shared_ptr<const std::string>;
// The content of a volume or snapshot; copies share their pieces, as real ones share their files.
struct Content {
  std::uint64_t bytes = 0;
  std::map<std::uint64_t, Piece> pieces;  // by number
  std::set<std::uint64_t> written;        // since it was made, or since the last snapshot
};

class SimulatedBlockEngine final : public BlockEngine {
 public:
  Result<void> create(const std::string& volume_id, std::uint64_t bytes, const std::string&) override {
    const std::lock_guard lock(mutex_);
    if (!volumes_.emplace(volume_id, Content{bytes, {}, {}}).second) return fail(ErrorKind::exists, volume_id + " is already there");
    return {};
  }
  Result<void> clone(const std::string& volume_id, const std::string& snapshot_id, std::uint64_t bytes, const std::string&) override {
    const std::lock_guard lock(mutex_);
    const auto snapshot = snapshots_.find(snapshot_id);
    if (snapshot == snapshots_.end()) return fail(ErrorKind::not_found, snapshot_id + " is not there");
    if (!volumes_.emplace(volume_id, Content{std::max(bytes, snapshot->second.bytes), snapshot->second.pieces, {}}).second)
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
    return Usage{found->second.bytes, 0};
  }
  Result<void> resize(const std::string& volume_id, std::uint64_t bytes, const std::string&) override {
    const std::lock_guard lock(mutex_);
    const auto found = volumes_.find(volume_id);
    if (found == volumes_.end()) return fail(ErrorKind::not_found, volume_id + " is not there");
    found->second.bytes = std::max(found->second.bytes, bytes);
    return {};
  }
  // Like an engine that takes snapshots by itself: there is nothing for a machine to switch to.
  Result<std::optional<OpenVolume>> prepare_snapshot(const std::string& volume_id, unsigned, const std::string&) override {
    return usage(volume_id).map([](const Usage&) { return std::optional<OpenVolume>(); });
  }
  Result<void> keep_snapshot(const std::string& snapshot_id, const std::string& volume_id) override {
    const std::lock_guard lock(mutex_);
    const auto volume = volumes_.find(volume_id);
    if (volume == volumes_.end()) return fail(ErrorKind::not_found, volume_id + " is not there");
    volume->second.written.clear();
    snapshots_[snapshot_id] = volume->second;
    return {};
  }
  Result<void> copy_snapshot(const std::string& snapshot_id, const std::string& from, const std::string&,
                             const std::function<void(int percent)>&) override {
    const std::lock_guard lock(mutex_);
    const auto source = snapshots_.find(from);
    if (source == snapshots_.end()) return fail(ErrorKind::not_found, from + " is not there");
    if (!snapshots_.emplace(snapshot_id, source->second).second) return fail(ErrorKind::exists, snapshot_id + " is already there");
    return {};
  }
  Result<std::vector<Extent>> snapshot_extents(const std::string& snapshot_id, const std::string&) override {
    const std::lock_guard lock(mutex_);
    const auto snapshot = snapshots_.find(snapshot_id);
    if (snapshot == snapshots_.end()) return fail(ErrorKind::not_found, snapshot_id + " is not there");
    std::vector<Extent> extents;
    for (const auto& [number, piece] : snapshot->second.pieces) add(extents, number);
    return extents;
  }
  Result<Difference> changed_extents(const std::string& snapshot_id, const std::string& since, const std::string&) override {
    const std::lock_guard lock(mutex_);
    const auto snapshot = snapshots_.find(snapshot_id);
    const auto before = snapshots_.find(since);
    if (snapshot == snapshots_.end() || before == snapshots_.end())
      return fail(ErrorKind::not_found, (snapshot == snapshots_.end() ? snapshot_id : since) + " is not there");
    auto both = snapshot->second.pieces;
    both.insert(before->second.pieces.begin(), before->second.pieces.end());
    Difference difference;
    for (const auto& [number, piece] : both) {
      const auto& mine = piece_of(snapshot->second, number);
      const auto& other = piece_of(before->second, number);
      if (mine == other)
        difference.related = true;
      else
        add(difference.extents, number);
    }
    return difference;
  }
  Result<std::string> read(const std::string& id, std::uint64_t offset, std::uint64_t bytes, const std::string&) override {
    const std::lock_guard lock(mutex_);
    const auto& things = snapshots_.count(id) != 0 ? snapshots_ : volumes_;
    const auto snapshot = things.find(id);
    if (snapshot == things.end()) return fail(ErrorKind::not_found, id + " is not there");
    std::string data(bytes, '\0');
    for (std::uint64_t done = 0; done < bytes;) {
      const auto at = offset + done;
      const auto within = at % piece_bytes;
      const auto count = std::min(piece_bytes - within, bytes - done);
      if (const auto piece = piece_of(snapshot->second, at / piece_bytes)) data.replace(done, count, *piece, within, count);
      done += count;
    }
    return data;
  }
  Result<void> write_volume(const std::string& volume_id, std::uint64_t offset, std::string_view data, const std::string&) override {
    const std::lock_guard lock(mutex_);
    const auto volume = volumes_.find(volume_id);
    if (volume == volumes_.end()) return fail(ErrorKind::not_found, volume_id + " is not there");
    if (offset + data.size() > volume->second.bytes) return fail(ErrorKind::invalid, "that is behind the end of " + volume_id);
    size_t kept = 0;
    for (const auto* things : {&volumes_, &snapshots_})
      for (const auto& [id, content] : *things) kept += content.pieces.size();
    if (kept + data.size() / piece_bytes > most_pieces) return fail(ErrorKind::exhausted, "a simulation keeps 256 MiB of blocks");
    for (std::uint64_t done = 0; done < data.size();) {
      const auto at = offset + done;
      const auto within = at % piece_bytes;
      const auto count = std::min<std::uint64_t>(piece_bytes - within, data.size() - done);
      auto& piece = volume->second.pieces[at / piece_bytes];
      auto changed = piece ? *piece : std::string(piece_bytes, '\0');
      changed.replace(within, count, data.substr(done, count));
      piece = std::make_shared<const std::string>(std::move(changed));
      volume->second.written.insert(at / piece_bytes);
      done += count;
    }
    return {};
  }
  Result<std::vector<Extent>> written_extents(const std::string& volume_id, const std::string&) override {
    const std::lock_guard lock(mutex_);
    const auto volume = volumes_.find(volume_id);
    if (volume == volumes_.end()) return fail(ErrorKind::not_found, volume_id + " is not there");
    std::vector<Extent> extents;
    for (const auto number : volume->second.written) add(extents, number);
    return extents;
  }
  // There are no files.
  Result<std::vector<Fold>> foldable() override { return std::vector<Fold>(); }
  Result<void> fold(const Fold& fold, const std::string& /*key*/, const Pace& /*pace*/) override { return note_fold(fold.volume_id); }
  Result<void> note_fold(const std::string& volume_id) override {
    return usage(volume_id).map([](const Usage&) {});
  }
  std::vector<std::string> stores_of(const std::string& instance_id) override {
    std::vector<std::string> stores;
    const auto prefix = instance_id + "-";
    const std::lock_guard lock(mutex_);
    for (auto at = volumes_.lower_bound(prefix); at != volumes_.end() && at->first.starts_with(prefix); ++at) stores.push_back(at->first);
    return stores;
  }
  Result<std::vector<Holding>> holdings() override {
    std::vector<Holding> all;
    const std::lock_guard lock(mutex_);
    for (const auto* things : {&volumes_, &snapshots_})
      for (const auto& [id, content] : *things) {
        Holding held;
        held.id = id;
        held.virtual_bytes = content.bytes;
        held.depth = 1;
        all.push_back(std::move(held));
      }
    return all;
  }
  // Accepts any name of a file, existing or not: nothing is read. Every disk has 1 GiB.
  Result<std::uint64_t> import_snapshot(const std::string& snapshot_id, const std::string&,
                                        const std::function<void(int percent)>& progress) override {
    constexpr std::uint64_t bytes = 1ULL << 30;
    {
      const std::lock_guard lock(mutex_);
      if (!snapshots_.emplace(snapshot_id, Content{bytes, {}, {}}).second)
        return fail(ErrorKind::exists, snapshot_id + " is already there");
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
  // Nothing is ever set aside: what is in memory does not outlive the records.
  Result<Swept> sweep(const std::function<bool(const std::string& id)>& known, Time /*now*/, milliseconds /*keep_aside*/) override {
    std::vector<std::string> unknown;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [id, volume] : volumes_) unknown.push_back(id);
      for (const auto& [id, snapshot] : snapshots_) unknown.push_back(id);
    }
    std::erase_if(unknown, known);
    Swept swept;
    for (const auto& id : unknown) {
      [[maybe_unused]] const auto volume = remove_volume(id);
      if (remove_snapshot(id)) swept.removed.push_back(id);
    }
    return swept;
  }

 private:
  static Piece piece_of(const Content& content, std::uint64_t number) {
    const auto found = content.pieces.find(number);
    return found == content.pieces.end() ? nullptr : found->second;
  }
  static void add(std::vector<Extent>& extents, std::uint64_t number) {
    const auto offset = number * piece_bytes;
    if (!extents.empty() && extents.back().offset + extents.back().bytes == offset)
      extents.back().bytes += piece_bytes;
    else
      extents.push_back({offset, piece_bytes});
  }

  std::mutex mutex_;
  std::map<std::string, Content> volumes_;
  std::map<std::string, Content> snapshots_;
  std::map<std::string, std::string> boot_files_;
};

}  // namespace

std::unique_ptr<BlockEngine> make_simulated_block_engine() { return std::make_unique<SimulatedBlockEngine>(); }

}  // namespace brume::block
