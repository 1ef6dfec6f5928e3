#include "control/controller.hpp"

#include <unordered_set>

#include "base/log.hpp"
#include "control/direct_snapshots.hpp"
#include "control/flow_logs.hpp"
#include "control/folding.hpp"
#include "control/images.hpp"
#include "control/instance_changes.hpp"
#include "control/instances.hpp"
#include "control/interfaces.hpp"
#include "control/root_volumes.hpp"
#include "control/snapshots.hpp"
#include "control/volume_files.hpp"
#include "control/volumes.hpp"
#include "control/vpcs.hpp"

namespace brume::control {
namespace {

// The ids of volumes and instance stores: all, or those of the owner's host.
std::unordered_set<std::string> known_volumes(const state::World& world, const Ownership* owner) {
  std::unordered_set<std::string> known(world.size<state::Volume>());
  world.each<state::Volume>("", [&](const state::Volume& volume) {
    if (owner == nullptr || owner->mine(volume)) known.insert(volume.id);
  });
  world.each<state::Instance>("", [&](const state::Instance& instance) {
    if (owner != nullptr && !owner->mine(instance)) return;
    for (const auto& store : instance.instance_stores) known.insert(instance_store_id(instance.id, store.virtual_name));
  });
  return known;
}

// Until a key that was woken before the host's stock is taken is looked at again.
constexpr milliseconds stock_pause{20};

}  // namespace

std::unordered_set<std::string> known_disks(const state::World& world, const Ownership* owner) {
  auto known = known_volumes(world, owner);
  world.each<state::Snapshot>("", [&](const state::Snapshot& snapshot) {
    if (owner == nullptr || owner->mine(snapshot)) known.insert(snapshot.id);
  });
  return known;
}

Controller::Controller(state::Store& store, Engines engines, const Clock& clock, ControllerSettings settings, MetadataDoor door)
    : store_(store), engines_(engines), clock_(clock), settings_(std::move(settings)), ownership_(settings_.host, settings_.is_current) {
  // Reconcilers wake what a commit or their start shows them; only what is this host's gets into the queue.
  const auto wake_after = [this](const std::string& key, milliseconds delay) {
    if (ownership_.subject_of(*store_.world(), key) == Ownership::Subject::other) return;
    if (delay.count() <= 0)
      queue_->wake(key);
    else
      queue_->wake_after(key, delay);
  };
  const auto wake = [wake_after](const std::string& key) { wake_after(key, milliseconds(0)); };
  queue_ = std::make_unique<WorkQueue>(settings_.threads, [this](const std::string& key) { work(key); });
  meter_ = std::make_unique<DiskMeter>(DiskMeter::Parts{
      [this](const std::string& id) { return engines_.hypervisor.disk_counters(id); }, [this] { return instances_->running_machines(); },
      [this] { return known_volumes(*store_.world(), nullptr); }, clock, settings_.disk_counters_file});
  vpcs_ = std::make_unique<VpcReconciler>(store_, engines_, settings_, ownership_, std::move(door), wake_after);
  files_ = std::make_unique<VolumeFiles>(store_, engines_, settings_.volume_key, settings_.disk_limits);
  volumes_ = std::make_unique<VolumeReconciler>(store_, engines_, *files_, *meter_, wake_after);
  folder_ = std::make_unique<VolumeFolder>(store_, engines_, *files_, wake_after);
  direct_ = std::make_unique<DirectSnapshots>(store_, engines_, *files_);
  snapshots_ = std::make_unique<SnapshotReconciler>(store_, engines_, *files_, *direct_, wake_after);
  images_ = std::make_unique<ImageReconciler>(store_, engines_, *snapshots_, wake);
  roots_ = std::make_unique<RootVolumes>(store_, wake_after);
  changes_ = std::make_unique<InstanceChanges>(store_, wake_after);
  instances_ = std::make_unique<InstanceReconciler>(store_, engines_, clock, settings_, ownership_, *vpcs_, *files_, *meter_, *images_,
                                                    *roots_, wake_after);
  interfaces_ = std::make_unique<InterfaceReconciler>(store_, engines_, *vpcs_, wake_after);
  flow_logs_ = std::make_unique<FlowLogWriter>(store_, engines_.network, ownership_, clock,
                                               FlowLogPlace{settings_.flow_log_folder, settings_.region}, wake_after);
}

Controller::~Controller() {
  stop();
  // Not in stop: power_off, which comes after it, waits for what the machines report. From here on the engine's threads, which live
  // longer than this, know nothing of it.
  engines_.hypervisor.on_report({});
}

Result<void> Controller::start() {
  engines_.hypervisor.on_report([this](const compute::MachineReport& report) { on_report(report); });
  engines_.network.on_disturbance([this](const std::string& vpc_id) { queue_->wake("vpc/" + vpc_id); });
  auto begun = take_stock();
  if (!begun) return fail(begun.error());
  if (!*begun) {
    log::warning("control", "these records may not be the newest: nothing is made or removed on this host until they are");
    queue_->wake_after("stock/", settings_.freshness_pause);
  }
  return {};
}

void Controller::take_stock_later() {
  if (has_stock_) return;
  const auto begun = take_stock();
  if (!begun) log::error("control", "{}", begun.error().message);
  if (!begun || !*begun) queue_->wake_after("stock/", settings_.freshness_pause);
}

Result<bool> Controller::take_stock() {
  if (!ownership_.is_current(*store_.world())) return false;
  if (auto swept = sweep_volumes(); !swept) return fail(swept.error());
  if (watcher_ == 0) watcher_ = store_.watch([this](const state::Commit& commit) { follow(commit); });
  // The machines first: an instance that its network's recovery wakes has to be known to run.
  if (auto done = instances_->recover(); !done) return fail(done.error());
  if (auto done = vpcs_->recover(); !done) return fail(done.error());
  has_stock_ = true;
  instances_->begin();
  meter_->begin(settings_.disk_counters_pause);
  changes_->recover();
  volumes_->recover();
  folder_->recover();
  snapshots_->recover();
  images_->recover();
  roots_->recover();
  flow_logs_->recover();
  return true;
}

Result<void> Controller::sweep_volumes() {
  const auto known = known_disks(*store_.world(), &ownership_);
  const bool proven = settings_.records_are_proven;
  auto swept = engines_.block.sweep(
      [&](const std::string& id) {
        if (known.count(id) != 0) return true;
        if (!proven)
          log::warning("block", "no record knows {}; it stays as it is, since these records are not yet known to be this home's", id);
        return !proven;
      },
      clock_.now(), proven ? settings_.keep_aside : milliseconds(clock_.now().time_since_epoch()));
  if (!swept) return fail(swept.error().within("cannot look through the volumes"));
  for (const auto& id : swept->set_aside)
    log::warning("block", "no record knows {}: it lies in blocks/aside now, and is removed {} days from now", id,
                 std::chrono::duration_cast<std::chrono::days>(settings_.keep_aside).count());
  for (const auto& name : swept->removed) log::info("block", "removed {}, which a crash left", name);
  return {};
}

void Controller::stop() {
  const auto unwatch = [&] {
    if (const auto watcher = watcher_.exchange(0); watcher != 0) store_.unwatch(watcher);
  };
  unwatch();
  engines_.network.on_disturbance({});
  instances_->stop();
  folder_->stop();
  queue_->stop();
  // A thread of the queue may have taken stock just now.
  unwatch();
  flow_logs_->finish();
  meter_->stop();
}

void Controller::power_off(milliseconds patience) {
  const auto running = instances_->running_machines();
  for (const auto& id : running) [[maybe_unused]] const auto pressed = engines_.hypervisor.press_power_button(id);
  instances_->wait_until_down(patience);
  for (const auto& id : running) {
    if (auto killed = engines_.hypervisor.kill(id); !killed) log::error("compute", "cannot end {}: {}", id, killed.error().message);
    // Its last words would say at the next start that the guest wanted to end; it was us.
    [[maybe_unused]] const auto forgotten = engines_.hypervisor.forget_run(id);
  }
  meter_->stop();
  if (auto removed = engines_.network.remove_everything(); !removed) log::error("network", "{}", removed.error().message);
}

void Controller::follow(const state::Commit& commit) {
  vpcs_->follow(commit);
  changes_->follow(commit);
  instances_->follow(commit);
  interfaces_->follow(commit);
  flow_logs_->follow(commit);
  images_->follow(commit);
  roots_->follow(commit);
  volumes_->follow(commit);
  folder_->follow(commit);
  snapshots_->follow(commit);
}

void Controller::on_report(const compute::MachineReport& report) {
  // Of a machine that is here and should not be nobody is told: its end is not that of the one which runs elsewhere.
  const auto world = store_.world();
  const auto* instance = world->find_indexed<state::Instance>(state::Index::instance_by_id, report.id);
  if (instance != nullptr && !ownership_.mine(*instance)) return;
  if (report.counters) meter_->note(report.id, *report.counters);
  instances_->on_report(report);
  volumes_->on_report(report);
  folder_->on_report(report);
}

void Controller::work(const std::string& key) {
  if (key == "stock/") return take_stock_later();
  // What is on the host is not known yet.
  if (!has_stock_ && !key.starts_with("roll-call/")) return queue_->wake_after(key, stock_pause);
  const auto seen = store_.world();
  const auto subject = ownership_.subject_of(*seen, key);
  if (subject == Ownership::Subject::other) return;
  // What no record has is removed here, unless the record is only not known yet.
  if (subject == Ownership::Subject::unknown && !ownership_.is_current(*seen)) return queue_->wake_after(key, settings_.freshness_pause);
  const auto slash = key.find('/');
  const auto kind = std::string_view(key).substr(0, slash);
  const auto name = key.substr(slash + 1);
  if (kind == "instance") {
    instances_->reconcile(name);
    interfaces_->reconcile(name);
  } else if (kind == "change") {
    changes_->reconcile(name);
  } else if (kind == "vpc") {
    vpcs_->reconcile(name);
  } else if (kind == "names") {
    vpcs_->reconcile_names();
  } else if (kind == "image") {
    images_->reconcile(name);
  } else if (kind == "snapshot") {
    snapshots_->reconcile(name);
  } else if (kind == "volume") {
    volumes_->reconcile(name);
  } else if (kind == "root") {
    roots_->reconcile(name);
  } else if (kind == "flow-logs") {
    flow_logs_->reconcile();
  } else if (kind == "folding") {
    folder_->reconcile();
  } else if (kind == "roll-call") {
    const std::lock_guard lock(roll_mutex_);
    ++roll_calls_;
    rolled_.notify_all();
  }
}

bool Controller::is_at_work(milliseconds limit) {
  std::unique_lock lock(roll_mutex_);
  const auto before = roll_calls_;
  lock.unlock();
  queue_->wake("roll-call/");
  lock.lock();
  return rolled_.wait_for(lock, limit, [&] { return roll_calls_ != before; });
}

std::optional<compute::Hypervisor::Console> Controller::console(const std::string& instance_id, size_t limit) {
  auto console = engines_.hypervisor.console(instance_id, limit);
  if (!console) return std::nullopt;
  return std::move(*console);
}

Result<std::string> Controller::screenshot(const std::string& instance_id, bool wake) {
  if (wake)
    if (auto pressed = engines_.hypervisor.press_key(instance_id); !pressed) return fail(pressed.error());
  auto picture = engines_.hypervisor.screenshot(instance_id);
  if (!picture) return fail(picture.error());
  return to_jpeg(*picture);
}

std::vector<Controller::Tunnel> Controller::tunnels(const std::string& vpc_id) {
  const auto found = engines_.network.tunnels(vpc_id);
  if (!found) {
    log::warning("network", "cannot tell whether the tunnels of {} are up: {}", vpc_id, found.error().message);
    return {};
  }
  std::vector<Tunnel> all;
  const std::lock_guard lock(tunnels_mutex_);
  for (const auto& one : *found) {
    auto& seen = tunnels_[one.outside_ip];
    if (one.up)
      seen = {one.outside_ip, true, clock_.now() - seconds(one.seconds)};
    else if (seen.up || seen.outside_ip.empty())
      seen = {one.outside_ip, false, seen.up ? clock_.now() : Time{}};
    all.push_back(seen);
  }
  return all;
}

std::vector<StuckInstance> Controller::stuck() const { return instances_->stuck(); }

std::optional<int> Controller::import_progress(const std::string& image_id) const { return images_->progress(image_id); }

std::optional<std::pair<std::string, int>> Controller::fold_progress() const {
  const auto progress = folder_->progress();
  if (!progress) return std::nullopt;
  return std::pair(progress->volume_id, progress->percent);
}

}  // namespace brume::control
