#include "control/folding.hpp"

#include "base/log.hpp"

namespace brume::control {
namespace {

constexpr std::uint64_t bytes_per_second = 64ULL << 20;
// Snapshots are often deleted several at a time.
constexpr milliseconds gather = seconds(1);
// If a machine died before it could report, whoever wanted its volume no longer has it.
constexpr milliseconds look_again = std::chrono::minutes(5);
// Time until the next check whether it is our turn to copy.
constexpr milliseconds fold_pause = seconds(5);

}  // namespace

void VolumeFolder::follow(const state::Commit& commit) {
  for (const auto& change : commit.changes) {
    const auto* snapshot = change.now<state::Snapshot>();
    const bool taken_or_gone =
        change.kind == state::Kind::snapshot && (snapshot == nullptr || snapshot->state == state::SnapshotState::completed);
    const bool volume_gone = change.kind == state::Kind::volume && !change.after;
    const auto* volume = change.now<state::Volume>();
    const bool attached = volume != nullptr && volume->attachment_state == state::AttachmentState::attached;
    if (taken_or_gone || volume_gone || attached) return wake_(key, gather);
  }
}

void VolumeFolder::on_report(const compute::MachineReport& report) {
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
  for (const auto& each : *folds) {
    const auto world = store_.world();
    const auto* volume = world->find_indexed<state::Volume>(state::Index::volume_by_id, each.volume_id);
    if (volume != nullptr && begin(volume->key(), each)) return;
  }
}

bool VolumeFolder::begin(const std::string& volume_key, const block::Fold& fold) {
  auto pass = files_.enter({fold.volume_id});
  // As it is by now, because others held it before us.
  const auto world = store_.world();
  const auto* volume = world->find<state::Volume>(volume_key);
  if (volume == nullptr) return false;
  const auto open = files_.is_open(*volume);
  if (!open) return false;
  if (!*open) return fold_closed(*volume, fold, pass);
  auto begun = files_.catch_up(*volume);
  if (begun) begun = engines_.hypervisor.fold_disk(holder_of(*volume), volume->id, fold.base, fold.base_name, bytes_per_second);
  if (!begun && begun.error().kind != ErrorKind::exists) {
    log::warning("block", "{}", begun.error().message);
    return false;
  }
  {
    const std::lock_guard lock(mutex_);
    running_ = volume->id;
    machine_ = holder_of(*volume);
  }
  wake_(key, look_again);
  return true;
}

bool VolumeFolder::fold_closed(const state::Volume& volume, const block::Fold& fold, VolumeFiles::Pass& pass) {
  if (volume.state != state::VolumeState::available && volume.state != state::VolumeState::in_use) return false;
  const auto turn = files_.begin_copy();
  if (turn == nullptr) {
    wake_(key, fold_pause);
    return true;
  }
  const auto secret = files_.key(volume);
  if (!secret) return false;
  std::stop_source wanted;
  const std::stop_callback stopped(stopping_.get_token(), [&wanted] { wanted.request_stop(); });
  pass.give_way(wanted);
  const auto note = [&](int percent) {
    const std::lock_guard lock(mutex_);
    closed_ = Progress{volume.id, percent};
  };
  note(0);
  const auto done = engines_.block.fold(fold, *secret, {bytes_per_second, note, wanted.get_token()});
  {
    const std::lock_guard lock(mutex_);
    closed_.reset();
  }
  if (!done && done.error().kind != ErrorKind::refused) {
    log::warning("block", "{}", done.error().message);
    return false;
  }
  // Others may stand on other files by now, so they are examined anew.
  wake_(key, done ? milliseconds(0) : look_again);
  return true;
}

std::optional<VolumeFolder::Progress> VolumeFolder::progress() const {
  std::string volume_id;
  std::string machine;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return closed_;
    volume_id = running_;
    machine = machine_;
  }
  if (volume_id.empty()) return std::nullopt;
  const auto percent = engines_.hypervisor.fold_percent(machine, volume_id);
  if (!percent) return std::nullopt;
  return Progress{volume_id, *percent};
}

}  // namespace brume::control
