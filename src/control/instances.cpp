#include "control/instances.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "control/interfaces.hpp"

namespace brume::control {

using state::InstanceState;

namespace {

// The firmware's uuid: "ec2" and the digits of the instance id, so that it is the same at every start.
std::string machine_uuid(const std::string& instance_id) {
  std::string digits = "ec2";
  digits += instance_id.substr(instance_id.find('-') + 1);
  digits.resize(32, '0');
  return digits.substr(0, 8) + "-" + digits.substr(8, 4) + "-" + digits.substr(12, 4) + "-" + digits.substr(16, 4) + "-" +
         digits.substr(20, 12);
}

std::string stated(InstanceState state) { return std::string(state::name_of(state)); }

void become(state::Transaction& transaction, state::Instance& instance, InstanceState to) {
  if (!state::may_become(instance.state, to))
    throw std::logic_error("an instance may not go from " + stated(instance.state) + " to " + stated(to));
  instance.state = to;
  instance.state_since = transaction.now();
}

// The machine is down: its taps are not wanted any more, which the VPC's reconciler hears of.
void release_taps_and_addresses(state::Transaction& transaction, const state::Instance& instance, bool terminated) {
  drop_addresses(transaction, instance);
  const auto* dependents = transaction.find<state::Dependents>(instance.key());
  if (dependents == nullptr) return;
  auto left = *dependents;
  left.machine = terminated;
  left.taps.clear();
  // The volumes that go with it, as they are marked now: DeleteOnTermination may have been changed since the launch (STO-012).
  left.volumes.clear();
  for (const auto& id : instance.volume_ids)
    if (const auto* volume = transaction.find<state::Volume>(instance.account, id))
      if (const auto* attachment = volume->attachment_to(instance.id);
          attachment != nullptr && !attachment->served &&
          (attachment->delete_on_termination || volume->state == state::VolumeState::creating))
        left.volumes.push_back(id);
  transaction.put(std::move(left));
}

}  // namespace

InstanceReconciler::InstanceReconciler(state::Store& store, Engines engines, const Clock& clock, const ControllerSettings& settings,
                                       const Ownership& ownership, VpcReconciler& vpcs, VolumeFiles& files, DiskMeter& meter,
                                       ImageReconciler& images, RootVolumes& roots, Wake wake)
    : store_(store),
      engines_(engines),
      clock_(clock),
      settings_(settings),
      ownership_(ownership),
      vpcs_(vpcs),
      files_(files),
      meter_(meter),
      images_(images),
      roots_(roots),
      wake_(std::move(wake)),
      watchdog_(store, clock, settings.patience, ownership,
                {[this](const state::Instance& instance, const std::string& why) { fail_start(instance, "Server.InternalError", why); },
                 [this](const state::Instance& instance) { return obstacle(instance); },
                 [this](const state::Instance& instance) { wake_(queue_key(instance), milliseconds(0)); }}) {}

Result<void> InstanceReconciler::recover() {
  watchdog_.recover();
  auto running = engines_.hypervisor.recover();
  if (!running) return fail(running.error().within("cannot take up the running machines"));
  for (const auto& id : *running) note(id, [](Progress& p) { p.machine_runs = true; });
  const auto world = store_.world();
  for (const auto& id : *running) {
    const auto* instance = world->find_indexed<state::Instance>(state::Index::instance_by_id, id);
    if (instance != nullptr && ownership_.mine(*instance)) continue;
    if (!settings_.records_are_proven) {
      log::warning("control", "no record knows the machine {}; it goes on, since these records are not yet known to be this home's", id);
      continue;
    }
    // Made just before a crash by a start that was never recorded, or left by records that are gone; or its instance runs on another host.
    log::warning("control", "ending the machine {}, which is no instance's of this host", id);
    if (auto killed = engines_.hypervisor.kill(id); killed) [[maybe_unused]]
      const auto forgotten = engines_.hypervisor.forget(id);
  }
  return {};
}

void InstanceReconciler::follow(const state::Commit& commit) {
  watchdog_.follow(commit);
  for (const auto& change : commit.changes) {
    const auto* instance = change.now<state::Instance>();
    const auto* before = change.old<state::Instance>();
    if (instance == nullptr && before != nullptr) wake_(queue_key(*before), milliseconds(0));
    if (instance == nullptr) continue;
    if (before == nullptr || before->state != instance->state || before->reboots_asked != instance->reboots_asked ||
        before->cpu_credits != instance->cpu_credits)
      wake_(queue_key(*instance), milliseconds(0));
  }
}

void InstanceReconciler::on_report(const compute::MachineReport& report) {
  using compute::MachineEvent;
  const auto world = store_.world();
  const auto* instance = world->find_indexed<state::Instance>(state::Index::instance_by_id, report.id);
  if (instance == nullptr) return;
  switch (report.event) {
    case MachineEvent::guest_shutdown:
      log::info("compute", "the guest of {} has shut down", report.id);
      note(report.id, [](Progress& p) {
        p.machine_runs = false;
        p.ended = true;
        p.end_reason.clear();
      });
      break;
    case MachineEvent::died:
      log::warning("compute", "the machine of {} died: {}", report.id, report.detail);
      note(report.id, [&](Progress& p) {
        p.machine_runs = false;
        p.ended = true;
        p.end_reason = report.detail.empty() ? "the machine died" : report.detail;
      });
      break;
    case MachineEvent::password_posted: return note_password(*instance, report.detail);
    case MachineEvent::io_error:
      // Said once: as long as the disk is full it pauses again whenever it goes on.
      if (!stands_still(report.id, true)) log::error("compute", "{} is paused, a disk failed or is full: {}", report.id, report.detail);
      note_impairment(*instance, report.detail);
      // Not at once: there is no more room than a moment ago.
      return wake_(queue_key(*instance), settings_.resume_pause);
    case MachineEvent::resumed:
      // Not yet well: what paused it may do so again at once.
      return wake_(queue_key(*instance), settings_.resume_pause);
    case MachineEvent::guest_reset:
    case MachineEvent::device_gone:
    case MachineEvent::disk_folded: return;
  }
  heard_.notify_all();
  wake_(queue_key(*instance), milliseconds(0));
}

InstanceReconciler::Progress InstanceReconciler::progress(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto at = progress_.find(id);
  return at == progress_.end() ? Progress{} : at->second;
}

std::vector<std::string> InstanceReconciler::running_machines() const {
  std::vector<std::string> ids;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, progress] : progress_)
    if (progress.machine_runs) ids.push_back(id);
  return ids;
}

void InstanceReconciler::wait_until_down(milliseconds limit) {
  std::unique_lock lock(mutex_);
  heard_.wait_for(lock, limit, [&] {
    return std::none_of(progress_.begin(), progress_.end(), [](const auto& each) { return each.second.machine_runs; });
  });
}

void InstanceReconciler::reconcile(const std::string& key) {
  const auto world = store_.world();
  const auto* instance = world->find<state::Instance>(key);
  if (instance == nullptr) return remove_leftovers(key.substr(key.find('/') + 1));
  switch (instance->state) {
    case InstanceState::pending: return bring_up(*instance);
    case InstanceState::running: return watch_running(*instance);
    case InstanceState::stopping: return bring_down(*instance, settings_.patience.stop);
    case InstanceState::shutting_down: return bring_down(*instance, settings_.patience.terminate);
    case InstanceState::stopped: return release(*instance);
    case InstanceState::terminated: return reap(*instance);
  }
}

bool InstanceReconciler::boot_files(const state::World& world, const state::Instance& instance, compute::MachineSpec& spec) {
  if (instance.kernel_id.empty()) return true;
  auto kernel = engines_.block.boot_file(instance.kernel_id);
  if (!kernel) {
    fail_start(instance, "Server.InternalError", kernel.error().within("cannot find the kernel " + instance.kernel_id).message);
    return false;
  }
  spec.kernel = *kernel;
  if (const auto* image = world.find_indexed<state::Image>(state::Index::image_by_id, instance.kernel_id))
    spec.kernel_arguments = image->kernel_arguments;
  if (instance.ramdisk_id.empty()) return true;
  auto ramdisk = engines_.block.boot_file(instance.ramdisk_id);
  if (!ramdisk) {
    fail_start(instance, "Server.InternalError", ramdisk.error().within("cannot find the RAM disk " + instance.ramdisk_id).message);
    return false;
  }
  spec.ramdisk = *ramdisk;
  return true;
}

bool InstanceReconciler::open_taps(const state::World& world, const state::Instance& instance, compute::MachineSpec& spec) {
  for (const auto& id : instance.interface_ids) {
    const auto* interface = world.find<state::NetworkInterface>(instance.account, id);
    if (interface == nullptr) continue;
    auto tap = engines_.network.open_tap(interface->vpc_id, id);
    if (!tap) {
      fail_start(instance, "Server.InternalError", tap.error().within("cannot open the network interface " + id).message);
      return false;
    }
    spec.nics.push_back({id, interface->mac, std::move(*tap)});
  }
  return true;
}

bool InstanceReconciler::network_is_ready(const state::Instance& instance) {
  for (const auto& id : instance.interface_ids) {
    if (vpcs_.ready(id)) continue;
    if (const auto why = vpcs_.failure(id); !why.empty()) fail_start(instance, "Server.InternalError", why);
    return false;  // the VPC's reconciler wakes us
  }
  return true;
}

bool InstanceReconciler::prepare(const state::World& world, const state::Instance& instance, compute::MachineSpec& spec) {
  spec.id = instance.id;
  spec.uuid = machine_uuid(instance.id);
  spec.product = instance.type;
  spec.memory_mib = instance.memory_mib;
  spec.processors = instance.processors;
  spec.cpu = settings_.cpu_plan ? settings_.cpu_plan(instance) : compute::CpuPlan{.weight = static_cast<double>(instance.processors)};
  return make_disks(world, instance, spec) && boot_files(world, instance, spec) && open_taps(world, instance, spec);
}

void InstanceReconciler::bring_up(const state::Instance& instance) {
  if (progress(instance.id).machine_runs) return settle_running(instance);  // started, then the daemon ended before it said so
  if (!network_is_ready(instance)) return;
  const auto pass = files_.enter(instance.volume_ids);
  compute::MachineSpec spec;
  // What the last tenant of the host's disks wrote is gone, also when a crash kept the stop from removing it.
  if (!remove_instance_stores(instance)) return wake_(queue_key(instance), seconds(1));
  if (!prepare(*store_.world(), instance, spec)) return;
  note(instance.id, [](Progress& p) {
    p = Progress{};
    p.machine_runs = true;
  });
  if (auto started = engines_.hypervisor.start(std::move(spec)); !started) {
    note(instance.id, [](Progress& p) { p.machine_runs = false; });
    return fail_start(instance, "Server.InternalError", started.error().message);
  }
  settle_running(instance);
}

void InstanceReconciler::settle_running(const state::Instance& seen) {
  const auto decide = [&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Instance>(seen.key());
    if (found == nullptr) return;
    auto instance = *found;
    for (const auto& id : instance.volume_ids) {
      const auto* volume = transaction.find<state::Volume>(instance.account, id);
      const auto* attachment = volume == nullptr ? nullptr : volume->attachment_to(instance.id);
      if (attachment == nullptr ||
          (volume->state == state::VolumeState::in_use && attachment->attachment_state != state::AttachmentState::attaching))
        continue;
      auto attached = *volume;
      attached.state = state::VolumeState::in_use;
      attached.attachment_to(instance.id)->attachment_state = state::AttachmentState::attached;
      transaction.put(std::move(attached));
    }
    // Stopped or terminated while it came up: that is what is wanted now, and the machine is known to be there.
    if (instance.state != InstanceState::pending) return;
    become(transaction, instance, InstanceState::running);
    transaction.put(std::move(instance));
  };
  store_.transact(decide, state::Urgency::soon);
}

// A launch that fails ends as terminated, a start that fails as stopped: both say why.
void InstanceReconciler::fail_start(const state::Instance& seen, std::string_view code, const std::string& why) {
  log::error("control", "{} cannot start: {}", seen.id, why);
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Instance>(seen.key());
    if (found == nullptr || found->state != InstanceState::pending) return;
    auto instance = *found;
    bool first_launch = false;
    for (const auto& id : instance.volume_ids)
      if (const auto* volume = transaction.find<state::Volume>(instance.account, id))
        first_launch |= volume->state == state::VolumeState::creating;
    become(transaction, instance, first_launch ? InstanceState::shutting_down : InstanceState::stopped);
    if (!first_launch) release_taps_and_addresses(transaction, instance, false);
    instance.state_reason_code = code;
    instance.state_reason_message = std::string(code) + ": " + why;
    instance.transition_reason = std::string(code) + ": Internal error on launch";
    transaction.put(std::move(instance));
  });
}

void InstanceReconciler::watch_running(const state::Instance& instance) {
  const auto now = progress(instance.id);
  // One that went down for it while no daemon was there to start it again is rebooted, too.
  const bool owed = instance.reboots_asked > instance.reboots_done;
  const bool runs_or_obeyed = now.machine_runs ? !now.ended : now.ended && now.end_reason.empty();
  if (now.rebooting || (owed && runs_or_obeyed)) return reboot(instance, now);
  if (now.machine_runs) {
    roots_.settle(instance);
    // Since its start its credits may be of another specification, or the operator has said something else of the host's processors.
    if (settings_.cpu_plan) engines_.hypervisor.change_cpu(instance.id, settings_.cpu_plan(instance));
    auto state = engines_.hypervisor.state(instance.id);
    if (state && *state == compute::MachineState::running) {
      if (stands_still(instance.id, false)) log::info("compute", "{} goes on", instance.id);
      note_impairment(instance, {});
    }
    if (!state || *state != compute::MachineState::paused) return;
    // A full disk stopped it: it goes on as soon as there is room; until then nothing of it is lost.
    [[maybe_unused]] const auto resumed = engines_.hypervisor.resume(instance.id);
    wake_(queue_key(instance), settings_.resume_pause);
    return;
  }
  if (now.ended) return handle_end(instance, now);
  // Nobody saw it end: the host was down, or Brume was stopped with its machines. EC2 brings such instances back.
  if (network_is_ready(instance)) start_again(instance);
}

bool InstanceReconciler::start_again(const state::Instance& instance) {
  const auto pass = files_.enter(instance.volume_ids);
  compute::MachineSpec spec;
  if (!prepare(*store_.world(), instance, spec)) {
    note(instance.id, [](Progress& p) {
      p = Progress{};
      p.ended = true;
      p.end_reason = "its disks, kernel or interfaces cannot be opened";
    });
    wake_(queue_key(instance), milliseconds(0));
    return false;
  }
  note(instance.id, [](Progress& p) {
    p = Progress{};
    p.machine_runs = true;
  });
  auto started = engines_.hypervisor.start(std::move(spec));
  if (started) {
    note_impairment(instance, {});
    return true;
  }
  note(instance.id, [&](Progress& p) {
    p = Progress{};
    p.ended = true;
    p.end_reason = started.error().message;
  });
  wake_(queue_key(instance), milliseconds(0));
  return false;
}

void InstanceReconciler::handle_end(const state::Instance& seen, const Progress& now) {
  const std::string& reason = now.end_reason;
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Instance>(seen.key());
    if (found == nullptr || found->state != InstanceState::running) return;
    auto instance = *found;
    const bool by_guest = reason.empty();
    const bool terminate = by_guest && instance.terminate_on_shutdown;
    become(transaction, instance, terminate ? InstanceState::shutting_down : InstanceState::stopping);
    instance.state_reason_code = by_guest ? "Client.InstanceInitiatedShutdown" : "Server.InternalError";
    instance.state_reason_message =
        by_guest ? "Client.InstanceInitiatedShutdown: Instance initiated shutdown" : "Server.InternalError: " + reason;
    instance.transition_reason = by_guest ? "" : "Server.InternalError";
    transaction.put(std::move(instance));
  });
}

// The power button, so that the guest writes out what it has; then the same machine anew, or its reset button when it does not react.
void InstanceReconciler::reboot(const state::Instance& seen, const Progress& now) {
  if (!now.rebooting && now.machine_runs) {
    note(seen.id, [](Progress& p) {
      p.rebooting = true;
      p.button_pressed = std::chrono::steady_clock::now();
    });
    if (auto pressed = engines_.hypervisor.press_power_button(seen.id); !pressed)
      log::warning("compute", "{}: {}", seen.id, pressed.error().message);
    wake_(queue_key(seen), settings_.patience.reboot + milliseconds(10));
    return;
  }
  const auto waited = now.button_pressed ? std::chrono::steady_clock::now() - *now.button_pressed : std::chrono::nanoseconds(0);
  if (now.machine_runs && waited < settings_.patience.reboot) {
    // Woken by something else: the queue has one timer for each instance, which has come.
    wake_(queue_key(seen), std::chrono::duration_cast<milliseconds>(settings_.patience.reboot - waited) + milliseconds(10));
    return;
  }
  const bool imaged = images_.waits_for(seen);
  const bool replaced = roots_.waits_for(seen);
  if (now.machine_runs && (imaged || replaced)) {
    // It does not listen; for its snapshots, or another root, it has to be down all the same.
    meter_.collect(seen.id);
    if (auto killed = engines_.hypervisor.kill(seen.id); !killed) return wake_(queue_key(seen), seconds(1));
    note(seen.id, [](Progress& p) { p.machine_runs = false; });
  }
  if (imaged) images_.take_snapshots_of(seen);
  if (replaced) roots_.swap(seen);
  const auto world = store_.world();
  const auto* newest = world->find<state::Instance>(seen.key());
  if (now.machine_runs && !imaged && !replaced) {
    if (auto done = engines_.hypervisor.reset(seen.id); !done) log::error("compute", "cannot reset {}: {}", seen.id, done.error().message);
  } else if (!start_again(newest == nullptr ? seen : *newest)) {
    return;
  }
  note(seen.id, [](Progress& p) {
    p.rebooting = false;
    p.button_pressed.reset();
  });
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Instance>(seen.key());
    if (found == nullptr) return;
    auto instance = *found;
    instance.reboots_done = instance.reboots_asked;
    transaction.put(std::move(instance));
  });
  roots_.settle(seen);
}

bool InstanceReconciler::machine_is_down(const state::Instance& instance, milliseconds patience) {
  const auto now = progress(instance.id);
  if (now.machine_runs && !now.kill_now) {
    if (!now.button_pressed || now.rebooting) {
      note(instance.id, [](Progress& p) {
        p.rebooting = false;
        p.button_pressed = std::chrono::steady_clock::now();
      });
      if (auto pressed = engines_.hypervisor.press_power_button(instance.id); !pressed)
        note(instance.id, [](Progress& p) { p.kill_now = true; });
      wake_(queue_key(instance),
            instance.state_reason_code == "Client.UserInitiatedForcedShutdown" ? milliseconds(0) : patience + milliseconds(10));
      return false;
    }
    const bool forced = instance.state_reason_code == "Client.UserInitiatedForcedShutdown" || watchdog_.is_overdue(instance);
    const auto waited = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - *now.button_pressed);
    if (!forced && waited < patience) {
      // Terminated right after a forced stop: the wake that was set then may have come already, and no other would.
      wake_(queue_key(instance), patience - waited + milliseconds(10));
      return false;
    }
  }
  if (now.machine_runs) meter_.collect(instance.id);
  if (auto killed = engines_.hypervisor.kill(instance.id); !killed) {
    note_obstacle(instance, killed.error().message);
    wake_(queue_key(instance), seconds(1));
    return false;
  }
  note(instance.id, [](Progress& p) { p = Progress{}; });
  return true;
}

void InstanceReconciler::bring_down(const state::Instance& instance, milliseconds patience) {
  if (!machine_is_down(instance, patience)) return;
  // What cannot be removed for long is removed before the next start, or is nobody's: the instance does not hang on it.
  if (!remove_instance_stores(instance) && !watchdog_.is_overdue(instance)) return wake_(queue_key(instance), seconds(1));
  settle_stopped(instance);
}

void InstanceReconciler::settle_stopped(const state::Instance& seen) {
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Instance>(seen.key());
    if (found == nullptr) return;
    auto instance = *found;
    const bool terminated = instance.state == InstanceState::shutting_down;
    if (!terminated && instance.state != InstanceState::stopping) return;
    release_taps_and_addresses(transaction, instance, terminated);
    instance.impairment.clear();
    instance.impaired_since = Time{};
    become(transaction, instance, terminated ? InstanceState::terminated : InstanceState::stopped);
    transaction.put(std::move(instance));
  });
  wake_(queue_key(seen), milliseconds(0));
}

void InstanceReconciler::release(const state::Instance& instance) {
  // Stopped: volumes and records stay. A machine that recover() found after all is ended.
  if (!progress(instance.id).machine_runs) return;
  if (auto killed = engines_.hypervisor.kill(instance.id); killed) note(instance.id, [](Progress& p) { p = Progress{}; });
}

// The record is gone, reaped or by a reset of the simulation: so goes whatever is left here.
void InstanceReconciler::remove_leftovers(const std::string& instance_id) {
  if (progress(instance_id).machine_runs)
    if (auto killed = engines_.hypervisor.kill(instance_id); !killed)
      log::error("compute", "cannot end {}: {}", instance_id, killed.error().message);
  [[maybe_unused]] const auto forgotten = engines_.hypervisor.forget(instance_id);
  for (const auto& id : engines_.block.stores_of(instance_id)) [[maybe_unused]] const auto removed = engines_.block.remove_volume(id);
  const std::lock_guard lock(mutex_);
  progress_.erase(instance_id);
}

// What belonged to the instance goes, or is free.
void InstanceReconciler::part_with(const state::Instance& seen, const std::vector<std::string>& deleted) {
  store_.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Instance>(seen.key());
    if (found == nullptr) return;
    auto instance = *found;
    for (const auto& id : instance.volume_ids) {
      const auto* volume = transaction.find<state::Volume>(instance.account, id);
      if (volume == nullptr) continue;
      if (std::find(deleted.begin(), deleted.end(), id) != deleted.end()) {
        transaction.erase<state::Volume>(volume->key());
        transaction.erase<state::TagSet>(volume->key());
        transaction.erase<state::VolumeModification>(volume->key());
        continue;
      }
      auto kept = *volume;
      // With Multi-Attach it goes with the last of its instances, if that one says so.
      const auto* attachment = volume->attachment_to(instance.id);
      const bool goes = attachment != nullptr && attachment->served && attachment->delete_on_termination;
      kept.detach_from(instance.id);
      if (kept.attachments().empty()) kept.state = goes ? state::VolumeState::deleting : state::VolumeState::available;
      transaction.put(std::move(kept));
    }
    for (const auto& id : instance.interface_ids) release_interface(transaction, state::owned_key(instance.account, id));
    instance.volume_ids.clear();
    instance.interface_ids.clear();
    transaction.erase<state::Dependents>(seen.key());
    transaction.erase<state::UserData>(seen.key());
    transaction.put(std::move(instance));
  });
}

void InstanceReconciler::reap(const state::Instance& seen) {
  const auto world = store_.world();
  const auto* dependents = world->find<state::Dependents>(seen.key());
  if (progress(seen.id).machine_runs)
    if (auto killed = engines_.hypervisor.kill(seen.id); !killed) return wake_(queue_key(seen), seconds(1));
  if (dependents != nullptr) {
    const auto pass = files_.enter(seen.volume_ids);
    for (const auto& id : dependents->volumes) {
      if (auto removed = engines_.block.remove_volume(id); !removed) {
        log::error("block", "cannot remove {}, tried again: {}", id, removed.error().message);
        return wake_(queue_key(seen), seconds(5));
      }
    }
    part_with(seen, dependents->volumes);
    note(seen.id, [](Progress& p) { p = Progress{}; });
  }
  const auto age = clock_.now() - seen.state_since;
  if (age < settings_.patience.keep_terminated) return wake_(queue_key(seen), settings_.patience.keep_terminated - age + milliseconds(10));
  store_.transact([&](state::Transaction& transaction) {
    transaction.erase<state::Instance>(seen.key());
    transaction.erase<state::TagSet>(seen.key());
    // From here on its client token is good for another 24 hours (INS-045).
    if (seen.client_token.empty()) return;
    if (const auto* token = transaction.find<state::ClientToken>(seen.account, "RunInstances:" + seen.client_token)) {
      auto kept = *token;
      kept.created = transaction.now();
      transaction.put(std::move(kept));
    }
  });
}

}  // namespace brume::control
