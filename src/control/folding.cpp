#include "control/folding.hpp"

#include <map>

#include "base/log.hpp"

namespace brume::control {
namespace {

constexpr std::uint64_t bytes_per_second = 64ULL << 20;
// What is done at once, with the volume held: a second or so.
constexpr std::uint64_t little = 64ULL << 20;
// Snapshots often go several at a time.
constexpr milliseconds gather = seconds(1);
// A machine that died took its report along.
constexpr milliseconds look_again = std::chrono::minutes(5);

}  // namespace

void VolumeFolder::follow(const state::Commit& commit) {
  for (const auto& change : commit.changes) {
    const auto* snapshot = change.now<state::Snapshot>();
    const bool taken_or_gone = change.kind == state::Kind::snapshot && (snapshot == nullptr || snapshot->state == "completed");
    const bool volume_gone = change.kind == state::Kind::volume && !change.after;
    const auto* volume = change.now<state::Volume>();
    const bool attached = volume != nullptr && volume->attachment_state == "attached";
    if (taken_or_gone || volume_gone || attached) return wake_(key, gather);
  }
}

void VolumeFolder::hear(const compute::MachineReport& report) {
  if (report.event != compute::MachineEvent::disk_folded && report.event != compute::MachineEvent::died &&
      report.event != compute::MachineEvent::guest_shutdown)
    return;
  wake_(key, milliseconds(0));
}

void VolumeFolder::reconcile() {
  std::string ended;
  {
    const std::lock_guard lock(mutex_);
    ended.swap(running_);
  }
  if (!ended.empty()) {
    const auto pass = files_.enter({ended});
    if (auto noted = engines_.block.note_fold(ended); !noted && noted.error().kind != ErrorKind::not_found)
      log::error("block", "{}", noted.error().message);
  }
  const auto folds = engines_.block.foldable();
  if (!folds || folds->empty()) return;
  const auto world = store_.world();
  std::map<std::string, const state::Volume*> volumes;
  world->each<state::Volume>("", [&](const state::Volume& volume) { volumes[volume.id] = &volume; });
  for (const auto& each : *folds) {
    const auto volume = volumes.find(each.volume_id);
    if (volume == volumes.end() || !fold(*volume->second, each)) continue;
    {
      const std::lock_guard lock(mutex_);
      running_ = each.volume_id;
    }
    return wake_(key, look_again);
  }
}

bool VolumeFolder::fold(const state::Volume& volume, const block::Fold& fold) {
  const auto pass = files_.enter({volume.id});
  const auto open = files_.is_open(volume);
  if (!open) return false;
  if (!*open) {
    if (volume.encrypted || fold.bytes > little) return false;
    if (auto done = engines_.block.fold(fold); !done) log::warning("block", "{}", done.error().message);
    return false;
  }
  auto begun = files_.catch_up(volume);
  if (begun) begun = engines_.hypervisor.fold_disk(volume.instance_id, volume.id, fold.base, fold.base_name, bytes_per_second);
  if (begun || begun.error().kind == ErrorKind::exists) return true;
  log::warning("block", "{}", begun.error().message);
  return false;
}

}  // namespace brume::control
