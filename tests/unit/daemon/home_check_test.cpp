// Records that are not those of what a home holds are told from a first start, and nothing is removed by them.
#include <gtest/gtest.h>

#include <stdlib.h>

#include <filesystem>

#include "base/files.hpp"
#include "daemon/home_check.hpp"
#include "state/store.hpp"

namespace brume::daemon {
namespace {

namespace fs = std::filesystem;

const std::string id(32, 'a');
const std::string other_id(32, 'b');

HomeContents with_disks(int count) {
  HomeContents contents;
  for (int i = 0; i < count; ++i) contents.disks.insert("vol-" + std::to_string(i));
  return contents;
}

StateFacts facts(const std::string& state_id, std::uint64_t version, size_t unknown_disks, size_t unknown_machines = 0) {
  return {state_id, version, false, unknown_disks, unknown_machines};
}

Result<Records> judge(const HomeContents& contents, const std::optional<HomeMark>& mark, const StateFacts& state, bool adopt = false) {
  return judge_records("/home/cloud", contents, mark, state, adopt);
}

TEST(JudgeRecords, AnEmptyHomeBegins) { EXPECT_EQ(judge({}, std::nullopt, StateFacts{}), Records::proven); }

TEST(JudgeRecords, NoRecordsAndAHomeThatHoldsAnythingAreNoFirstStart) {
  HomeContents machine;
  machine.machines = {"i-1"};
  HomeContents network;
  network.networks = {"vpc-1"};
  HomeContents layer;
  layer.layers = 1;
  HomeContents region;
  region.regions = {"eu-west-1"};
  for (const auto& contents : {with_disks(2), machine, network, layer, region}) {
    const auto judged = judge(contents, std::nullopt, StateFacts{});
    ASSERT_FALSE(judged) << contents.describe();
    EXPECT_EQ(judged.error().kind, ErrorKind::refused);
    EXPECT_NE(judged.error().message.find(contents.describe()), std::string::npos) << judged.error().message;
    EXPECT_NE(judged.error().message.find("--adopt-state"), std::string::npos);
  }
  // Also when only the home knows that there was a state.
  EXPECT_FALSE(judge({}, HomeMark{id, 5}, StateFacts{}));
}

TEST(JudgeRecords, AnothersRecordsAreRefused) {
  EXPECT_FALSE(judge(with_disks(3), HomeMark{id, 5}, facts(other_id, 9, 0)));
  EXPECT_FALSE(judge({}, HomeMark{id, 5}, facts(other_id, 9, 0)));
  // Of before there were ids: by what they know.
  EXPECT_FALSE(judge(with_disks(3), std::nullopt, facts("", 9, 2)));
  EXPECT_FALSE(judge(with_disks(1), std::nullopt, facts("", 9, 1)));
}

TEST(JudgeRecords, AHomeOfAnEarlierMainOpensAndNothingIsRemoved) {
  EXPECT_EQ(judge(with_disks(3), std::nullopt, facts("", 9, 0)), Records::plausible);
  EXPECT_EQ(judge(with_disks(4), std::nullopt, facts("", 9, 1)), Records::plausible);
  // One side has lost its id.
  EXPECT_EQ(judge(with_disks(3), HomeMark{id, 5}, facts("", 9, 0)), Records::plausible);
  EXPECT_EQ(judge(with_disks(3), std::nullopt, facts(id, 9, 0)), Records::plausible);
}

TEST(JudgeRecords, TheSameIdIsProofUnlessMostIsUnknown) {
  EXPECT_EQ(judge(with_disks(10), HomeMark{id, 5}, facts(id, 5, 5)), Records::proven);
  EXPECT_FALSE(judge(with_disks(10), HomeMark{id, 5}, facts(id, 5, 6)));
  // Nor may what they know fall to nothing.
  EXPECT_FALSE(judge(with_disks(1), HomeMark{id, 5}, facts(id, 7, 1)));
  HomeContents machines;
  machines.machines = {"i-1", "i-2", "i-3", "i-4"};
  EXPECT_FALSE(judge(machines, HomeMark{id, 5}, facts(id, 5, 0, 4)));
}

TEST(JudgeRecords, ACopyOfBeforeIsOlderThanTheHome) {
  const auto judged = judge(with_disks(10), HomeMark{id, 50}, facts(id, 49, 1));
  ASSERT_FALSE(judged);
  EXPECT_NE(judged.error().message.find("older"), std::string::npos) << judged.error().message;
  // It knows all there is: nothing would go.
  EXPECT_EQ(judge(with_disks(10), HomeMark{id, 50}, facts(id, 49, 0)), Records::proven);
}

TEST(JudgeRecords, TheOperatorMayAdoptThem) {
  EXPECT_EQ(judge(with_disks(2), HomeMark{id, 5}, StateFacts{}, true), Records::proven);
  EXPECT_EQ(judge(with_disks(2), HomeMark{id, 5}, facts(other_id, 1, 2), true), Records::proven);
}

class HomeCheckTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = "/tmp/brume-home-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    home_ = folder;
  }
  void TearDown() override { fs::remove_all(home_); }

  void put(const std::string& name, const std::string& content = "x") {
    fs::create_directories(fs::path(home_ + "/" + name).parent_path());
    ASSERT_TRUE(write_file(home_ + "/" + name, content));
  }
  void put_link(const std::string& name) {
    fs::create_directories(fs::path(home_ + "/" + name).parent_path());
    fs::create_symlink("../layers/x.qcow2", home_ + "/" + name);
  }
  std::unique_ptr<state::Store> open() {
    auto opened = state::Store::open(state::make_memory_log(), clock_, random_);
    return opened ? std::move(*opened) : nullptr;
  }
  static void add_account(state::Store& store) {
    store.transact([](state::Transaction& transaction) {
      state::Account account;
      account.id = "111111111111";
      transaction.put(account);
    });
  }

  std::string home_;
  SystemClock clock_;
  SystemRandom random_;
};

TEST_F(HomeCheckTest, SeesWhatAHomeHolds) {
  EXPECT_TRUE(look_through_home(home_).empty());
  put("blocks/layers/vol-1.1.qcow2");
  put("blocks/layers/formatted-swap-1-swap.1.qcow2");
  put_link("blocks/volumes/vol-1");
  put_link("blocks/snapshots/snap-1");
  put_link("blocks/snapshots/formatted-swap-1-swap");
  put("blocks/volumes/vol-old.qcow2");
  put("blocks/volumes/notes.txt");
  put_link("blocks/volumes/vol-2.part");
  put("machines/i-1/process");
  put("machines/i-1.cpu");
  put("network/mark");
  put("network/vpcs/vpc-1/vpc.json");
  put("regions/eu-west-1/state.db");
  const auto contents = look_through_home(home_);
  EXPECT_EQ(contents.disks, (std::set<std::string>{"vol-1", "snap-1", "vol-old"}));
  EXPECT_EQ(contents.machines, std::set<std::string>{"i-1"});
  EXPECT_EQ(contents.networks, std::set<std::string>{"vpc-1"});
  EXPECT_EQ(contents.regions, std::set<std::string>{"eu-west-1"});
  EXPECT_EQ(contents.layers, 1U);
  EXPECT_EQ(contents.describe(),
            "3 volumes and snapshots (snap-1, vol-1, vol-old), 1 machine (i-1), 1 network (vpc-1) and 1 region (eu-west-1)");
}

TEST_F(HomeCheckTest, TheIdIsInBothFromTheFirstStartOn) {
  HomeCheck first(home_, false);
  ASSERT_TRUE(first.before_opening());
  const auto store = open();
  ASSERT_EQ(first.judge(*store->world()), Records::proven);
  ASSERT_TRUE(first.note(*store->world()));
  EXPECT_FALSE(path_exists(home_ + "/home-id")) << "the home before the state";
  add_account(*store);
  store->transact([&](state::Transaction& transaction) { first.keep_id(transaction); });
  ASSERT_TRUE(first.note(*store->world()));
  const auto mark = read_home_mark(home_);
  ASSERT_TRUE(mark && *mark);
  EXPECT_EQ((*mark)->version, store->world()->version());

  put_link("blocks/volumes/vol-1");
  store->transact([](state::Transaction& transaction) {
    state::Volume volume;
    volume.account = "111111111111", volume.id = "vol-1";
    transaction.put(volume);
  });
  HomeCheck second(home_, false);
  EXPECT_EQ(second.judge(*store->world()), Records::proven);
  // A state that is not the home's is refused, and leaves no trace in it.
  const auto strange = open();
  HomeCheck third(home_, false);
  EXPECT_FALSE(third.judge(*strange->world()));
  ASSERT_TRUE(third.note(*strange->world()));
  EXPECT_EQ((*read_home_mark(home_))->version, (*mark)->version);
}

TEST_F(HomeCheckTest, AStateFileThatIsGoneOrEmptyIsNotMadeAnew) {
  EXPECT_TRUE(check_state_file(home_, false));
  put("state.db", "");
  EXPECT_TRUE(check_state_file(home_, false));
  put("state.db-wal", "the changes of the last days");
  EXPECT_FALSE(check_state_file(home_, false)) << "SQLite would remove the log";
  EXPECT_TRUE(check_state_file(home_, true));
  EXPECT_EQ(read_file(home_ + "/state.db-wal.aside"), "the changes of the last days");
  put_link("blocks/volumes/vol-1");
  for (const auto* how : {"empty", "gone"}) {
    const auto checked = check_state_file(home_, false);
    ASSERT_FALSE(checked);
    EXPECT_NE(checked.error().message.find(how), std::string::npos) << checked.error().message;
    EXPECT_NE(checked.error().message.find("vol-1"), std::string::npos) << checked.error().message;
    fs::remove(home_ + "/state.db");
  }
}

TEST_F(HomeCheckTest, TheKeyOfEncryptedVolumesIsNotMadeAnew) {
  const auto store = open();
  add_account(*store);
  HomeCheck check(home_, false);
  EXPECT_TRUE(check.judge(*store->world()));
  store->transact([](state::Transaction& transaction) {
    state::Volume volume;
    volume.account = "111111111111", volume.id = "vol-1", volume.wrapped_key = "sealed";
    transaction.put(volume);
  });
  const auto judged = check.judge(*store->world());
  ASSERT_FALSE(judged);
  EXPECT_NE(judged.error().message.find("volumes.key is gone"), std::string::npos);
  put("volumes.key");
  EXPECT_TRUE(check.judge(*store->world()));
}

}  // namespace
}  // namespace brume::daemon
