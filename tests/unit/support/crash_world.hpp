// The controller over the file block engine with real files and over machines that outlive it, for tests in which something dies before
// any one step: each change on the disk, each call that changes a machine, each commit of the state.
//
// The daemon "dies" by an exception from that step on, in every thread: nothing changes any more. Then it is begun anew over what was
// left: the log, the files, the machines. What unwinding tidies up, which a real death does not, is the matter of the engine's own crash
// tests (block_snapshots_test.cpp), which die in a process of their own.
#pragma once

#include <unistd.h>

#include <filesystem>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/sealing.hpp"
#include "control/direct_snapshots.hpp"
#include "control_world.hpp"
#include "engines/block/qcow2_header.hpp"

namespace brume::control {

// Counts steps, and ends before the one that was chosen.
class Life {
 public:
  struct Ended : std::exception {
    const char* what() const noexcept override { return "the daemon is dead"; }
  };
  // `instead`: what dies is something else, once; the daemon goes on.
  void arm(int at, std::function<void()> instead = {}) {
    const std::lock_guard lock(mutex_);
    left_ = at, ended_ = false, ended_at_.clear(), instead_ = std::move(instead);
  }
  // What it died before; empty: it came through. From here on it lives.
  std::string disarm() {
    const std::lock_guard lock(mutex_);
    left_ = -1, ended_ = false;
    return std::exchange(ended_at_, "");
  }
  bool ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  void step(std::string_view name) {
    std::function<void()> instead;
    {
      const std::lock_guard lock(mutex_);
      if (ended_) throw Ended();
      if (left_ < 0 || left_-- > 0) return;
      ended_at_ = name;
      instead = instead_;
      ended_ = !instead;
    }
    if (!instead) throw Ended();
    instead();
  }

 private:
  mutable std::mutex mutex_;
  int left_ = -1;
  bool ended_ = false;
  std::string ended_at_;
  std::function<void()> instead_;
};

// The log of the state, which is there after the daemon.
class KeptLog final : public state::Log {
 public:
  KeptLog(state::Log& kept, Life& life) : kept_(kept), life_(life) {}
  Result<std::uint64_t> load(const std::function<void(std::string_view key, std::string_view value)>& entry) override {
    return kept_.load(entry);
  }
  Result<std::uint64_t> append(std::vector<state::LogWrite> writes, std::uint64_t expected) override {
    life_.step("state.commit");
    return kept_.append(std::move(writes), expected);
  }
  std::uint64_t version() const override { return kept_.version(); }
  Result<std::unique_ptr<state::LogWatch>> watch(std::uint64_t from, state::LogSink sink) override {
    return kept_.watch(from, std::move(sink));
  }

 private:
  state::Log& kept_;
  Life& life_;
};

// Machines that have disks: they know which file each is at, and take them with them when they end.
class MachinesWithDisks final : public FakeHypervisor {
 public:
  explicit MachinesWithDisks(Life& life) : life_(life) {}

  Result<void> start(compute::MachineSpec spec) override {
    life_.step("machine.start");
    {
      const std::lock_guard lock(disks_mutex_);
      auto& disks = disks_[spec.id];
      disks.clear();
      for (const auto& disk : spec.disks) disks[disk.volume_id] = disk;
    }
    return FakeHypervisor::start(std::move(spec));
  }
  Result<void> kill(const std::string& id) override {
    life_.step("machine.kill");
    lose_disks(id);
    return FakeHypervisor::kill(id);
  }
  Result<compute::MachineState> state(const std::string& id) override {
    if (!runs(id)) return compute::MachineState::ended;
    return FakeHypervisor::state(id);
  }
  Result<void> attach_disk(const std::string& id, const compute::Disk& disk) override {
    life_.step("machine.attach");
    if (!runs(id)) return fail(ErrorKind::not_found, id + " does not run");
    const std::lock_guard lock(disks_mutex_);
    if (!disks_[id].emplace(disk.volume_id, disk).second) return fail(ErrorKind::exists, disk.volume_id + " is there already");
    return {};
  }
  Result<void> detach_disk(const std::string& id, const std::string& volume_id, bool, milliseconds) override {
    life_.step("machine.detach");
    if (!runs(id)) return fail(ErrorKind::not_found, id + " does not run");
    const std::lock_guard lock(disks_mutex_);
    disks_[id].erase(volume_id);
    return {};
  }
  Result<milliseconds> switch_disks(const std::string& id, const std::vector<compute::Disk>& overlays) override {
    life_.step("machine.switch");
    if (!runs(id)) return fail(ErrorKind::not_found, id + " does not run");
    const std::lock_guard lock(disks_mutex_);
    for (const auto& overlay : overlays) disks_[id][overlay.volume_id] = overlay;
    return milliseconds(1);
  }
  Result<std::int64_t> disk_generation(const std::string& id, const std::string& volume_id) override {
    const auto disk = this->disk(id, volume_id);
    if (!disk) return fail(ErrorKind::not_found, id + " has no disk " + volume_id);
    return disk->generation;
  }
  Result<void> fold_disk(const std::string& id, const std::string& volume_id, const std::string&, const std::string& base_name,
                         std::uint64_t) override {
    life_.step("machine.fold");
    const auto disk = this->disk(id, volume_id);
    if (!disk) return fail(ErrorKind::not_found, id + " has no disk " + volume_id);
    Command command;
    command.program = "qemu-img";
    command.folder = std::filesystem::path(disk->file).parent_path().string();
    command.arguments = {"rebase", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base_name, disk->file};
    if (auto done = run_checked(command); !done) return fail(done.error());
    report(id, compute::MachineEvent::disk_folded, volume_id);
    return {};
  }
  unsigned user_of(const std::string&) const override { return ::geteuid(); }

  bool runs(const std::string& id) {
    const std::lock_guard lock(mutex);
    return running.count(id) != 0;
  }
  std::optional<compute::Disk> disk(const std::string& id, const std::string& volume_id) {
    if (!runs(id)) return std::nullopt;
    const std::lock_guard lock(disks_mutex_);
    const auto found = disks_[id].find(volume_id);
    return found == disks_[id].end() ? std::nullopt : std::optional(found->second);
  }
  // QEMU is killed while the daemon watches.
  void die(const std::string& id) {
    if (!runs(id)) return;
    lose_disks(id);
    end(id, compute::MachineEvent::died, "killed by signal 9");
  }
  // The host goes down.
  void lose_all() {
    const std::lock_guard lock(mutex);
    running.clear();
  }

 private:
  void lose_disks(const std::string& id) {
    const std::lock_guard lock(disks_mutex_);
    disks_.erase(id);
  }

  Life& life_;
  std::mutex disks_mutex_;
  std::map<std::string, std::map<std::string, compute::Disk>> disks_;
};

// What dies.
enum class Death : std::uint8_t { daemon, host, machine };

class CrashWorld : public ControlTest {
 protected:
  struct Scenario {
    std::function<void()> before;                            // the world in which it is asked
    std::function<void()> ask;                               // what a client asks; answered when it returns
    std::function<bool(const state::World& world)> done;     // nothing is left to do; also when it was never asked
    std::function<void(bool answered)> after = [](bool) {};  // what has to hold
  };

  void SetUp() override {
    threads_ = 1;  // the same order of steps each time
    volume_key_ = std::string(sealing_key_size, 'h');
  }
  void TearDown() override { end_round(); }
  compute::Hypervisor& machines() override { return *machines_; }

  // For each thing that may die, and each step: the world as it was before, the death, a new beginning, and what has to hold.
  // `stride`: not before each step, where a round takes long.
  void at_each_step(const Scenario& scenario, const std::set<Death>& deaths = {Death::daemon, Death::host, Death::machine},
                    int stride = 1) {
    for (const auto death : deaths) {
      std::vector<std::string> steps;
      for (int at = stride - 1;; at += stride) {
        ASSERT_LT(at, 60) << "it does not end";
        const auto step = one_round(scenario, death, at);
        if (HasFatalFailure() || step.empty()) break;
        steps.push_back(step);
        if (HasFailure()) {
          ADD_FAILURE() << "with the " << name_of(death) << " dead before step " << at << ", " << step;
          return;
        }
      }
      EXPECT_GE(steps.size(), 2U);
      RecordProperty(std::string("steps_") + name_of(death), static_cast<int>(steps.size()));
    }
  }

  template <class Record>
  std::optional<Record> find(const std::string& id) const {
    const auto world = store_->world();
    const auto* found = world->find<Record>("a/" + id);
    return found == nullptr ? std::nullopt : std::optional<Record>(*found);
  }
  template <class Record>
  void change(const std::string& id, const std::function<void(Record&)>& apply) {
    store_->transact([&](state::Transaction& transaction) {
      const auto* found = transaction.find<Record>("a/" + id);
      Record record = found == nullptr ? Record{} : *found;
      record.account = "a", record.id = id;
      apply(record);
      transaction.put(std::move(record));
    });
  }
  // Looks again: not all that is waited for is told by a commit.
  bool comes(const std::function<bool()>& condition, milliseconds limit = seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, milliseconds(5));
      if (std::chrono::steady_clock::now() > end) return false;
    }
    return true;
  }

  void launch_and_wait() {
    launch();
    ASSERT_TRUE(comes([&] { return find<state::Instance>("i-1")->state == InstanceState::running; }));
  }
  void make_volume(const std::string& id, const std::string& snapshot_id = {}) {
    change<state::Volume>(id, [&](state::Volume& volume) { volume.size_gib = 1, volume.snapshot_id = snapshot_id; });
    ASSERT_TRUE(comes([&] { return find<state::Volume>(id)->state == state::VolumeState::available; }));
  }
  void ask_for_snapshot(const std::string& id, const std::string& volume_id, const std::string& set_id = {}) {
    change<state::Snapshot>(id, [&](state::Snapshot& snapshot) {
      snapshot.volume_id = volume_id, snapshot.size_gib = 1, snapshot.state = state::SnapshotState::pending, snapshot.set_id = set_id;
    });
  }
  void make_snapshot(const std::string& id, const std::string& volume_id) {
    ask_for_snapshot(id, volume_id);
    ASSERT_TRUE(comes([&] { return find<state::Snapshot>(id)->state == state::SnapshotState::completed; }));
  }
  void ask_to_attach(const std::string& volume_id) {
    store_->transact([&](state::Transaction& transaction) {
      auto volume = *transaction.find<state::Volume>("a/" + volume_id);
      volume.state = state::VolumeState::in_use, volume.attachment_state = state::AttachmentState::attaching, volume.instance_id = "i-1",
      volume.device = "/dev/sdf";
      auto instance = *transaction.find<state::Instance>("a/i-1");
      instance.volume_ids.push_back(volume_id);
      transaction.put(std::move(instance));
      transaction.put(std::move(volume));
    });
  }
  void attach(const std::string& volume_id) {
    ask_to_attach(volume_id);
    ASSERT_TRUE(comes([&] { return find<state::Volume>(volume_id)->attachment_state == state::AttachmentState::attached; }));
  }

  // The guest has written this, and was told that it is on the disk.
  void guest_writes(const std::string& volume_id, char letter, std::uint64_t offset) {
    Command io;
    io.program = "qemu-io";
    Result<CommandOutput> done;
    EXPECT_TRUE(comes([&] {
      const auto disk = machines_->disk("i-1", volume_id);
      if (!disk) return false;
      io.arguments = {
          "-f", "qcow2", "-c",      "write -P " + std::to_string(static_cast<int>(letter)) + " " + std::to_string(offset) + " 64k",
          "-c", "flush", disk->file};
      done = run_checked(io);
      return done.has_value();
    })) << (done ? volume_id + " is not in the machine" : done.error().message);
  }
  void write(const std::string& volume_id, char letter, std::uint64_t offset) {
    const auto done = block_->write_volume(volume_id, offset, std::string(64 << 10, letter), key_of(volume_id));
    ASSERT_TRUE(done) << done.error().message;
  }
  // '?': not the same everywhere.
  char letter_of(const std::string& id, std::uint64_t offset) {
    Result<std::string> read;
    // In the background its chain may be shortened just now, and be locked.
    EXPECT_TRUE(comes([&] {
      read = block_->read(id, offset, 64 << 10, key_of(id));
      return read.has_value();
    })) << read.error().message;
    return read && *read == std::string(64 << 10, read->front()) ? read->front() : '?';
  }
  std::string key_of(const std::string& id) const {
    const auto volume = find<state::Volume>(id);
    const auto snapshot = find<state::Snapshot>(id);
    const auto wrapped = volume ? volume->wrapped_key : snapshot ? snapshot->wrapped_key : "";
    return wrapped.empty() ? "" : unseal(volume_key_, wrapped).value_or("");
  }

  std::unique_ptr<MachinesWithDisks> machines_;
  Life life_;
  std::string folder_;

 private:
  static const char* name_of(Death death) { return death == Death::daemon ? "daemon" : death == Death::host ? "host" : "machine"; }

  std::string one_round(const Scenario& scenario, Death death, int at) {
    begin_round();
    if (!HasFailure()) scenario.before();
    if (HasFailure()) return {};
    life_.arm(at, death == Death::machine ? std::function<void()>([this] { machines_->die("i-1"); }) : std::function<void()>());
    bool answered = true;
    try {
      scenario.ask();
    } catch (const std::exception&) {
      answered = false;  // the client got no answer: both outcomes are right, but nothing by half
    }
    EXPECT_TRUE(comes([&] { return life_.ended() || scenario.done(*store_->world()); })) << "not done";
    // Closed while it is dead still, so that what is under way in its threads comes to nothing.
    if (death != Death::machine) close_world();
    const auto step = life_.disarm();
    if (death == Death::host) machines_->lose_all();
    if (death != Death::machine) {
      open_world();
      EXPECT_TRUE(comes([&] { return scenario.done(*store_->world()); })) << "not done after the restart";
    }
    wait_for_the_machine(death);
    scenario.after(answered);
    check_files();
    return step;
  }

  // A machine that died stops its instance; a host that was down starts it again.
  void wait_for_the_machine(Death death) {
    const auto instance = find<state::Instance>("i-1");
    if (!instance || instance->state == InstanceState::terminated) return;
    const auto rests = [&] {
      const auto now = find<state::Instance>("i-1")->state;
      if (now == InstanceState::stopped || now == InstanceState::terminated) return true;
      return now == InstanceState::running && machines_->runs("i-1");
    };
    EXPECT_TRUE(comes(rests)) << "the instance is between two states after the death of the " << name_of(death);
  }

  void begin_round() {
    end_round();
    char name[] = "/tmp/brume-crash-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
    log_ = state::make_memory_log();
    network_ = network::make_simulated_network_engine("198.18.0.0/24");
    machines_ = std::make_unique<MachinesWithDisks>(life_);
    open_world();
    ASSERT_TRUE(write_file(folder_ + "/disk.raw", std::string(1 << 20, 'I')));
    change<state::Snapshot>("snap-1", [](state::Snapshot& snapshot) { snapshot.size_gib = 1; });
    ASSERT_TRUE(block_->import_snapshot("snap-1", folder_ + "/disk.raw", {}));
  }
  void end_round() {
    close_world();
    machines_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
    folder_.clear();
  }
  // As a start of the daemon.
  void open_world() {
    auto store = state::Store::open(std::make_unique<KeptLog>(*log_, life_), clock_, random_);
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
    store_->watch([this](const state::Commit&) { changed_.notify_all(); });
    auto made = block::make_file_block_engine(folder_ + "/blocks", [this](std::string_view step) { life_.step(step); });
    ASSERT_TRUE(made) << made.error().message;
    block_ = std::move(*made);
    build();
  }
  void close_world() {
    controller_.reset();
    block_.reset();
    store_.reset();
  }

  // No file is nobody's, none is missing, none is damaged; the state names what is there, and machines are at the file that the engine
  // says.
  void check_files() {
    const auto world = store_->world();
    std::set<std::string> known;
    world->each<state::Volume>("", [&](const state::Volume& volume) {
      known.insert(volume.id);
      const auto opened = block_->open(volume.id, ::geteuid());
      EXPECT_EQ(opened.has_value(), volume.state != state::VolumeState::creating && volume.state != state::VolumeState::error)
          << volume.id << " is " << state::name_of(volume.state);
      if (const auto disk = machines_->disk("i-1", volume.id); opened && disk) {
        EXPECT_EQ(disk->file, opened->file) << volume.id;
      }
      EXPECT_EQ(machines_->disk("i-1", volume.id).has_value(), volume.state == state::VolumeState::in_use && machines_->runs("i-1"))
          << volume.id;
    });
    world->each<state::Snapshot>("", [&](const state::Snapshot& snapshot) { known.insert(snapshot.id); });
    const auto holdings = block_->holdings();
    for (const auto& held : *holdings) {
      EXPECT_GT(held.depth, 0) << held.id << " has lost a file";
      EXPECT_EQ(known.count(held.id), 1U) << held.id << " is nobody's";
    }
    // Without another restart, whose sweep would bring it about.
    EXPECT_TRUE(comes([&] { return orphans().empty(); })) << ::testing::PrintToString(orphans()) << " left";
    controller_.reset();
    for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/blocks/layers")) check_layer(entry.path().string());
  }
  // Files that no link leads to, over any number of others; and what was being made.
  std::set<std::string> orphans() const {
    std::set<std::string> left;
    const std::filesystem::path blocks = folder_ + "/blocks";
    for (const auto& entry : std::filesystem::directory_iterator(blocks / "layers")) left.insert(entry.path().string());
    for (const auto* kind : {"volumes", "snapshots"})
      for (const auto& entry : std::filesystem::directory_iterator(blocks / kind)) {
        if (!entry.is_symlink() || entry.path().extension() == ".part") left.insert(entry.path().string());
        auto at = (blocks / kind / std::filesystem::read_symlink(entry.path())).lexically_normal();
        for (auto header = block::read_qcow2_header(at); header; header = block::read_qcow2_header(at)) {
          left.erase(at.string());
          if (header->backing_file.empty()) break;
          at = (at.parent_path() / header->backing_file).lexically_normal();
        }
      }
    return left;
  }
  static void check_layer(const std::string& path) {
    if (const auto head = read_file_from(path, 0, 36); head && head->size() == 36 && head->back() == 2) return;  // encrypted
    Command check;
    check.program = "qemu-img";
    check.arguments = {"check", "-q", R"(json:{"driver":"qcow2","backing":null,"file":{"driver":"file","filename":")" + path + "\"}}"};
    const auto done = run_checked(check);
    EXPECT_TRUE(done) << done.error().message;
  }

  std::unique_ptr<state::Log> log_;
};

}  // namespace brume::control
