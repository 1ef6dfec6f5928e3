#include "state/store.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "base/files.hpp"
#include "state/codec.hpp"
#include "state/kinds.hpp"
#include "store_fixture.hpp"

namespace brume::state {
namespace {

TEST_F(StoreTest, ADecisionSeesItsOwnChangesAndOthersSeeThemAfterwards) {
  const auto before = store->world();
  store->transact([&](Transaction& transaction) {
    transaction.put(setting("a", "1"));
    EXPECT_EQ(transaction.find<Setting>("a")->value, "1");
    EXPECT_EQ(value_of(*store->world(), "a"), "");
    EXPECT_EQ(transaction.now(), clock.now());
  });
  EXPECT_EQ(value_of(*store->world(), "a"), "1");
  EXPECT_EQ(value_of(*before, "a"), "");
  EXPECT_EQ(store->world()->version(), before->version() + 1);
}

TEST_F(StoreTest, AThrowingDecisionLeavesEverythingAsItWas) {
  put("a", "1");
  const auto version = store->world()->version();
  EXPECT_THROW(store->transact([](Transaction& transaction) {
    transaction.put(setting("a", "2"));
    transaction.put(setting("b", "2"));
    transaction.erase<Setting>("a");
    throw std::runtime_error("no");
  }),
               std::runtime_error);
  EXPECT_THROW(store->transact([](Transaction&) { throw 7; }), int);
  EXPECT_EQ(store->world()->version(), version);
  store->transact([](Transaction& transaction) {
    EXPECT_EQ(value_of(transaction.world(), "a"), "1");
    EXPECT_EQ(transaction.find<Setting>("b"), nullptr);
  });
}

TEST_F(StoreTest, DecisionsOfAGroupSeeEachOtherAndShareOneCommit) {
  open_controlled();
  hold_writer();
  std::vector<std::future<void>> done;
  std::atomic<int> thrown{0};
  std::counting_semaphore<> settled{0};
  for (int i = 0; i < 20; ++i) {
    store->submit(
        [i](Transaction& transaction) {
          const auto* count = transaction.find<Setting>("count");
          const int number = count == nullptr ? 0 : std::stoi(count->value);
          transaction.put(setting("count", std::to_string(number + 1)));
          transaction.put(setting("passing", "x"));
          transaction.erase<Setting>("passing");
          if (i % 2 == 1) throw std::runtime_error("odd");
        },
        [&](std::exception_ptr failure) {
          if (failure) ++thrown;
          settled.release();
        });
  }
  std::vector<Commit> commits;
  store->watch([&](const Commit& commit) { commits.push_back(commit); });
  release_writer();
  for (int i = 0; i < 20; ++i) settled.acquire();
  held.get();
  EXPECT_EQ(thrown, 10);
  EXPECT_EQ(value_of(*store->world(), "count"), "10");
  EXPECT_EQ(control->appends, 2);  // the held one, and one for all twenty
  EXPECT_EQ(control->last_size, 1U);
  store->stop();
  const auto& last = commits.back();
  ASSERT_EQ(last.changes.size(), 1U);
  EXPECT_EQ(last.changes[0].old<Setting>(), nullptr);
  EXPECT_EQ(last.changes[0].now<Setting>()->value, "10");
  EXPECT_EQ(last.changes[0].now<Account>(), nullptr);
  EXPECT_EQ(last.world->version(), 9U);
}

TEST_F(StoreTest, WatchersAreToldInOrderAndBeforeTheCaller) {
  std::vector<std::string> events;
  std::vector<std::uint64_t> versions;
  const auto first = store->watch([&](const Commit& commit) {
    events.push_back("first");
    versions.push_back(commit.world->version());
    EXPECT_EQ(store->world(), commit.world);
  });
  store->watch([&](const Commit&) {
    events.push_back("second");
    throw std::runtime_error("a watcher's own trouble");
  });
  std::binary_semaphore done{0};
  store->submit([](Transaction& transaction) { transaction.put(setting("a", "1")); },
                [&](std::exception_ptr failure) {
                  EXPECT_FALSE(failure);
                  events.push_back("settled");
                  done.release();
                });
  done.acquire();
  EXPECT_EQ(events, (std::vector<std::string>{"first", "second", "settled"}));
  store->unwatch(first);
  put("b", "1");
  EXPECT_EQ(events.back(), "second");
  EXPECT_EQ(events.size(), 4U);
  EXPECT_EQ(versions, (std::vector<std::uint64_t>{1}));
}

TEST_F(StoreTest, WhatNobodyWaitsForGoesWithTheNextDecisionButDoesNotWaitForEver) {
  open_controlled();
  // Alone it is settled all the same, and in the order of the queue.
  store->transact([](Transaction& transaction) { transaction.put(setting("alone", "1")); }, Urgency::soon);
  EXPECT_EQ(value_of(*store->world(), "alone"), "1");
  EXPECT_EQ(control->appends, 1);
  // Two that come within the wait make one commit. A machine that does other things may take longer between the two, so: as a rule.
  int together = 0;
  for (int i = 0; i < 50 && together == 0; ++i) {
    const int before = control->appends;
    store->submit([](Transaction& transaction) { transaction.put(setting("seen", "")); }, {}, Urgency::soon);
    store->transact([i](Transaction& transaction) {
      EXPECT_NE(transaction.find<Setting>("seen"), nullptr);
      transaction.put(setting("seen", std::to_string(i)));
    });
    EXPECT_EQ(value_of(*store->world(), "seen"), std::to_string(i));
    together += control->appends == before + 1;
  }
  EXPECT_EQ(together, 1);
}

TEST_F(StoreTest, ADecisionThatChangesNothingMakesNoCommit) {
  open_controlled();
  store->watch([](const Commit&) { ADD_FAILURE() << "nothing changed"; });
  store->transact([](Transaction& transaction) { transaction.erase<Setting>("absent"); });
  store->transact([](Transaction& transaction) {
    transaction.put(setting("a", "1"));
    transaction.erase<Setting>("a");
  });
  EXPECT_EQ(control->appends, 0);
}

TEST_F(StoreTest, WhenTheLogFailsTheWholeGroupIsTakenBackAndTheStoreGoesOn) {
  open_controlled();
  put("a", "before");
  int commits = 0;
  store->watch([&](const Commit&) { ++commits; });
  hold_writer();
  std::atomic<int> failed{0};
  std::counting_semaphore<> settled{0};
  for (int i = 0; i < 3; ++i) {
    store->submit(
        [i](Transaction& transaction) {
          transaction.put(setting("a", "after"));
          if (i == 2) throw std::runtime_error("because of what is taken back");
        },
        [&](std::exception_ptr failure) {
          try {
            std::rethrow_exception(failure);
          } catch (const LogFailure& caught) {
            EXPECT_EQ(caught.error.kind, ErrorKind::exhausted);
            ++failed;
          } catch (...) {
            ADD_FAILURE() << "not a LogFailure";
          }
          settled.release();
        });
  }
  control->fails = true;
  release_writer();
  EXPECT_THROW(held.get(), LogFailure);
  for (int i = 0; i < 3; ++i) settled.acquire();
  EXPECT_EQ(failed, 3);
  EXPECT_EQ(commits, 0);
  EXPECT_EQ(value_of(*store->world(), "a"), "before");
  control->fails = false;
  store->transact([](Transaction& transaction) {
    EXPECT_EQ(value_of(transaction.world(), "a"), "before");
    EXPECT_EQ(transaction.find<Setting>("held"), nullptr);
    transaction.put(setting("a", "again"));
  });
  EXPECT_EQ(value_of(*store->world(), "a"), "again");
}

TEST_F(StoreTest, TooManyWaitingDecisionsAreTurnedAway) {
  open_controlled();
  hold_writer();
  std::atomic<size_t> settled{0};
  for (size_t i = 0; i < Writer::queue_limit; ++i) {
    store->submit([](Transaction& transaction) { transaction.put(setting("n", "1")); }, [&](std::exception_ptr) { ++settled; });
  }
  EXPECT_THROW(store->submit([](Transaction&) {}, [](std::exception_ptr) { FAIL(); }), Overloaded);
  EXPECT_THROW(store->transact([](Transaction&) {}), Overloaded);
  release_writer();
  held.get();
  store->stop();  // finishes what waits
  EXPECT_EQ(settled, Writer::queue_limit);
  EXPECT_EQ(control->appends, static_cast<int>(1 + Writer::queue_limit / Writer::group_limit));
  EXPECT_THROW(put("late", "1"), Overloaded);
}

TEST_F(StoreTest, TransactOnTheWriterThreadIsRefusedInsteadOfWaitingForItself) {
  bool refused = false;
  store->watch([&](const Commit&) {
    try {
      put("b", "1");
    } catch (const std::logic_error&) {
      refused = true;
    }
  });
  put("a", "1");
  EXPECT_TRUE(refused);
}

TEST_F(StoreTest, ADecisionMayPutAndEraseWhileItWalks) {
  store->transact([](Transaction& transaction) {
    for (int i = 0; i < 500; ++i) transaction.put(setting(std::to_string(1000 + i), "old"));
  });
  store->transact([](Transaction& transaction) {
    int seen = 0;
    transaction.world().each<Setting>("", [&](const Setting& found) {
      EXPECT_EQ(found.value, "old");
      if (++seen % 2 == 0)
        transaction.erase<Setting>(found.name);
      else
        transaction.put(setting(found.name, "new"));
      transaction.put(setting(found.name + "/child", "new"));
      EXPECT_FALSE(found.name.empty());
    });
    EXPECT_EQ(seen, 500);
  });
  EXPECT_EQ(store->world()->size<Setting>(), 750U);
}

NetworkInterface interface_with(std::string id, std::string private_ip, std::string public_ip, std::vector<std::string> groups) {
  NetworkInterface interface;
  interface.account = "1";
  interface.id = std::move(id);
  interface.vpc_id = "vpc-1";
  interface.private_ip = std::move(private_ip);
  interface.public_ip = std::move(public_ip);
  interface.group_ids = std::move(groups);
  return interface;
}

std::vector<std::string> interfaces_of(const World& world, Index index, std::string_view value) {
  std::vector<std::string> ids;
  world.each_indexed<NetworkInterface>(index, value, [&](const NetworkInterface& found) { ids.push_back(found.id); });
  return ids;
}

TEST_F(StoreTest, IndexesFollowTheRecords) {
  using Ids = std::vector<std::string>;
  store->transact([](Transaction& transaction) {
    transaction.put(interface_with("eni-1", "10.0.0.1", "", {"sg-1", "sg-2", "sg-1"}));
    transaction.put(interface_with("eni-2", "10.0.0.2", "198.18.0.1", {"sg-1"}));
    transaction.put(interface_with("eni-3", "10.0.0.22", "", {}));
  });
  auto world = store->world();
  EXPECT_EQ(interfaces_of(*world, Index::interface_by_group, "sg-1"), (Ids{"eni-1", "eni-2"}));
  EXPECT_EQ(interfaces_of(*world, Index::interface_by_group, "sg-2"), Ids{"eni-1"});
  EXPECT_EQ(interfaces_of(*world, Index::interface_by_group, "sg"), Ids{});
  EXPECT_EQ(interfaces_of(*world, Index::interface_by_private_ip, "vpc-1/10.0.0.2"), Ids{"eni-2"});
  EXPECT_EQ(interfaces_of(*world, Index::interface_by_public_ip, ""), Ids{});
  EXPECT_EQ(world->find_indexed<NetworkInterface>(Index::interface_by_public_ip, "198.18.0.1")->id, "eni-2");
  store->transact([](Transaction& transaction) {
    transaction.put(interface_with("eni-1", "10.0.0.1", "198.18.0.1", {"sg-2"}));
    transaction.put(interface_with("eni-2", "10.0.0.2", "", {"sg-1"}));
    transaction.erase<NetworkInterface>("1/eni-3");
  });
  EXPECT_EQ(interfaces_of(*world, Index::interface_by_group, "sg-1"), (Ids{"eni-1", "eni-2"}));
  world = store->world();
  EXPECT_EQ(interfaces_of(*world, Index::interface_by_group, "sg-1"), Ids{"eni-2"});
  const auto* moved = world->find_indexed<NetworkInterface>(Index::interface_by_public_ip, "198.18.0.1");
  EXPECT_EQ(moved, world->find<NetworkInterface>("1", "eni-1"));
  EXPECT_EQ(interfaces_of(*world, Index::interface_by_private_ip, "vpc-1/10.0.0.22"), Ids{});
  EXPECT_THROW(store->transact([](Transaction& transaction) {
    transaction.erase<NetworkInterface>("1/eni-1");
    EXPECT_EQ(transaction.world().find_indexed<NetworkInterface>(Index::interface_by_group, "sg-2"), nullptr);
    throw std::runtime_error("back");
  }),
               std::runtime_error);
  EXPECT_EQ(interfaces_of(*store->world(), Index::interface_by_group, "sg-2"), Ids{"eni-1"});
}

TEST_F(StoreTest, ManyThreadsReadWholeVersionsWhileOneWriterGoesOn) {
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      std::uint64_t last = 0;
      while (!over) {
        const auto world = store->world();
        EXPECT_GE(world->version(), last);
        last = world->version();
        EXPECT_EQ(value_of(*world, "a"), value_of(*world, "b"));
      }
    });
  }
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 300; ++n) {
        store->transact([&](Transaction& transaction) {
          const std::string value = std::to_string(i) + "/" + std::to_string(n);
          transaction.put(setting("a", value));
          transaction.put(setting("b", value));
        });
      }
    });
  }
  for (size_t i = 3; i < threads.size(); ++i) threads[i].join();
  over = true;
  for (size_t i = 0; i < 3; ++i) threads[i].join();
}

TEST_F(StoreTest, BrokenEntriesAreNamedAndUnknownKindsLeftAlone) {
  const auto error_of = [&](std::map<std::string, std::string> entries) -> std::string {
    auto opened = Store::open(std::make_unique<TestLog>(std::make_shared<TestLog::Control>(), std::move(entries)), clock, random);
    if (opened) return "";
    EXPECT_EQ(opened.error().kind, ErrorKind::broken);
    return opened.error().message;
  };
  EXPECT_NE(error_of({{"setting/a", "{\"name\":1}"}}).find("setting/a"), std::string::npos);
  EXPECT_NE(error_of({{"setting/a", "{\"name\":\"b\"}"}}).find("another key"), std::string::npos);
  EXPECT_NE(error_of({{"nonsense", "{}"}}).find("nonsense"), std::string::npos);
  EXPECT_EQ(error_of({{"quantum-link/1", "{\"new\":true}"}, {"setting/a", "{\"name\":\"a\"}"}}), "");
}

class SqliteStoreTest : public StoreTest {
 protected:
  SqliteStoreTest() {
    char name[] = "/tmp/brume-store-test-XXXXXX";
    folder = ::mkdtemp(name);
    path = folder + "/state.db";
    reopen();
  }
  ~SqliteStoreTest() override {
    store.reset();
    std::filesystem::remove_all(folder);
  }
  void reopen() {
    store.reset();
    auto log = open_sqlite_log(path);
    ASSERT_TRUE(log.has_value()) << log.error().message;
    open(std::move(*log));
  }
  // The whole content as text.
  static std::vector<std::string> dump(const World& world) {
    std::vector<std::string> lines;
    for (size_t i = 0; i < static_cast<size_t>(Kind::count); ++i) {
      with_record_type(static_cast<Kind>(i), [&]<class R>(std::type_identity<R>) {
        world.each<R>("", [&](const R& record) { lines.push_back(log_key(R::kind, record.key()) + " " + encode(record)); });
      });
    }
    return lines;
  }

  std::string folder, path;
};

TEST_F(SqliteStoreTest, ARestartFindsTheSameWorld) {
  store->transact([&](Transaction& transaction) {
    for (int i = 0; i < 300; ++i) {
      Instance instance;
      instance.account = "123456789012";
      instance.id = make_id(random, "i");
      instance.reservation_id = "r-" + std::to_string(i / 3);
      instance.volume_ids = {"vol-1", "vol-2"};
      transaction.put(instance);
      transaction.put(interface_with(make_id(random, "eni"), "10.0.0." + std::to_string(i), "", {"sg-1"}));
    }
    UserData data;
    data.account = "1";
    data.instance_id = "i-1";
    data.data = std::string("\0\xff bytes", 8);
    transaction.put(data);
    transaction.put(setting(std::string("odd \xff\0\x1f key", 11), "Latin-1 \xe9"));
  });
  store->transact([](Transaction& transaction) {
    int seen = 0;
    transaction.world().each<Instance>("", [&](const Instance& found) {
      if (++seen % 3 == 0) transaction.erase<Instance>(found.key());
    });
  });
  const auto before = store->world();
  reopen();
  const auto after = store->world();
  EXPECT_EQ(dump(*after), dump(*before));
  EXPECT_EQ(after->version(), before->version());
  EXPECT_EQ(after->size<Instance>(), 200U);
  before->each<Instance>("", [&](const Instance& found) {
    const auto* same = after->find_indexed<Instance>(Index::instance_by_id, found.id);
    ASSERT_NE(same, nullptr);
    EXPECT_EQ(same->key(), found.key());
  });
  int in_reservation = 0;
  after->each_indexed<Instance>(Index::instance_by_reservation, "r-5", [&](const Instance&) { ++in_reservation; });
  int expected = 0;
  before->each<Instance>("", [&](const Instance& found) { expected += found.reservation_id == "r-5" ? 1 : 0; });
  EXPECT_EQ(in_reservation, expected);
  EXPECT_EQ(interfaces_of(*after, Index::interface_by_group, "sg-1").size(), 300U);
}

TEST_F(SqliteStoreTest, ASecondDaemonIsTurnedAwayAndAThirdMayComeAfterTheFirst) {
  const auto second = open_sqlite_log(path);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().kind, ErrorKind::exists);
  EXPECT_NE(second.error().message.find("in use by another brumed (process " + std::to_string(::getpid()) + ")"), std::string::npos)
      << second.error().message;
  put("still", "works");
  reopen();
  EXPECT_EQ(value_of(*store->world(), "still"), "works");
}

TEST_F(SqliteStoreTest, FilesAreForTheirOwnerOnly) {
  put("a", "1");
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    struct stat status {};
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U) << entry.path();
    ++files;
  }
  EXPECT_GE(files, 3);  // the file, its log, its lock
  store.reset();
  ::chmod(path.c_str(), 0644);
  reopen();
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(SqliteStoreTest, AFullDiskTakesBackTheDecisionAndNoMore) {
  put("a", "1");
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit old_limit {};
  ::getrlimit(RLIMIT_FSIZE, &old_limit);
  struct rlimit tight = old_limit;
  tight.rlim_cur = 64 * 1024;
  ::setrlimit(RLIMIT_FSIZE, &tight);
  Error error;
  try {
    put("b", std::string(1 << 20, 'x'));
  } catch (const LogFailure& failure) {
    error = failure.error;
  }
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(error.kind, ErrorKind::exhausted) << error.message;
  EXPECT_NE(error.message.find(path), std::string::npos) << error.message;
  EXPECT_EQ(value_of(*store->world(), "b"), "");
  put("c", "3");
  reopen();
  EXPECT_EQ(value_of(*store->world(), "a"), "1");
  EXPECT_EQ(value_of(*store->world(), "b"), "");
  EXPECT_EQ(value_of(*store->world(), "c"), "3");
}

TEST_F(SqliteStoreTest, AFileThatIsNotOursIsRefusedAndKept) {
  const auto refuse = [&](const std::string& name, const std::string& content) {
    const std::string other = folder + "/" + name;
    ASSERT_TRUE(write_file(other, content).has_value());
    const auto log = open_sqlite_log(other);
    ASSERT_FALSE(log.has_value()) << name;
    EXPECT_EQ(log.error().kind, ErrorKind::broken) << log.error().message;
    EXPECT_EQ(read_file(other).value(), content);
  };
  refuse("text", std::string(8192, 't'));
  EXPECT_FALSE(open_sqlite_log(folder + "/absent/state.db").has_value());
}

}  // namespace
}  // namespace brume::state
