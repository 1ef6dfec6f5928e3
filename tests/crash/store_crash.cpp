// The program that crash_test.py kills.
//
//   store_crash write FOLDER ROUND   works on the state until it is killed, and tells on standard output what it is about to do
//                                    ("c NAME TOKEN", "u NAME TOKEN", "d NAME") and what was settled (the same in capitals)
//   store_crash check FOLDER         opens the state as a restart does, checks that no decision is half there, and lists what is
//
// A thing is five records of five kinds that carry one token, and a count that says how many things there are.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/log.hpp"
#include "state/store.hpp"

namespace {

using namespace brume;
using namespace brume::state;

constexpr std::string_view account = "123456789012";
constexpr int thread_count = 8;

// One write a line, at most a pipe's atomic size: lines of several threads do not mix.
void say(std::string line) {
  line += '\n';
  if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::_Exit(3);
}

[[noreturn]] void give_up(const std::string& why) {
  say("wrong " + why);
  std::_Exit(1);
}

std::unique_ptr<Store> open_store(const std::string& folder, Random& random) {
  static const SystemClock clock;
  auto log = open_sqlite_log(folder + "/state.db");
  if (!log) give_up(log.error().message);
  auto store = Store::open(std::move(*log), clock, random);
  if (!store) give_up(store.error().message);
  return std::move(*store);
}

int count_in(const World& world) {
  const auto* count = world.find<Setting>("count");
  return count == nullptr ? 0 : std::stoi(count->value);
}

void add_to_count(Transaction& transaction, int difference) {
  transaction.put(Setting{"count", std::to_string(count_in(transaction.world()) + difference)});
}

void put_thing(Transaction& transaction, const std::string& name, const std::string& token, size_t size) {
  Instance instance;
  instance.account = account;
  instance.id = "i-" + name;
  instance.reservation_id = "r-" + token;
  instance.client_token = token;
  instance.public_key = std::string(size % 700, 'k');
  transaction.put(std::move(instance));
  NetworkInterface interface;
  interface.account = account;
  interface.id = "eni-" + name;
  interface.description = token;
  interface.group_ids = {"sg-" + token};
  transaction.put(std::move(interface));
  Volume volume;
  volume.account = account;
  volume.id = "vol-" + name;
  volume.device = token;
  transaction.put(std::move(volume));
  TagSet tags;
  tags.account = account;
  tags.resource_id = name;
  tags.tags = {{"token", token}};
  transaction.put(std::move(tags));
  UserData data;
  data.account = account;
  data.instance_id = "i-" + name;
  data.data = token + std::string(size, '\0');
  transaction.put(std::move(data));
}

void erase_thing(Transaction& transaction, const std::string& name) {
  transaction.erase<Instance>(owned_key(account, "i-" + name));
  transaction.erase<NetworkInterface>(owned_key(account, "eni-" + name));
  transaction.erase<Volume>(owned_key(account, "vol-" + name));
  transaction.erase<TagSet>(owned_key(account, name));
  transaction.erase<UserData>(owned_key(account, "i-" + name));
}

// Puts a thing and then refuses: nothing of it may ever be found.
void fail_on_purpose(Store& store, const std::string& name) {
  try {
    store.transact([&](Transaction& transaction) {
      put_thing(transaction, "bad-" + name, "bad", 10);
      add_to_count(transaction, 1);
      throw std::runtime_error("on purpose");
    });
  } catch (const std::runtime_error&) {
    return;
  }
  give_up("a decision that threw was settled as done");
}

void work(Store& store, const std::string& prefix, std::uint64_t seed) {
  SeededRandom random(seed);
  std::mt19937_64 choice(seed);
  std::vector<std::string> mine;
  for (int number = 0;; ++number) {
    const auto what = choice() % 100;
    const std::string token = random.hex(16);
    const size_t size = choice() % 50 == 0 ? 16384 : choice() % 300;
    if (what < 40 || mine.empty()) {
      const std::string name = prefix + "-" + std::to_string(number);
      say("c " + name + " " + token);
      store.transact([&](Transaction& transaction) {
        put_thing(transaction, name, token, size);
        add_to_count(transaction, 1);
      });
      say("C " + name + " " + token);
      mine.push_back(name);
    } else if (what < 65) {
      const std::string name = mine[choice() % mine.size()];
      say("u " + name + " " + token);
      store.transact([&](Transaction& transaction) { put_thing(transaction, name, token, size); });
      say("U " + name + " " + token);
    } else if (what < 95) {
      std::swap(mine[choice() % mine.size()], mine.back());
      const std::string name = mine.back();
      mine.pop_back();
      say("d " + name);
      store.transact([&](Transaction& transaction) {
        erase_thing(transaction, name);
        add_to_count(transaction, -1);
      });
      say("D " + name);
    } else {
      fail_on_purpose(store, prefix + "-" + std::to_string(number));
    }
  }
}

int write_until_killed(const std::string& folder, const std::string& round) {
  SystemRandom random;
  const auto store = open_store(folder, random);
  std::vector<std::thread> threads;
  for (int i = 0; i < thread_count; ++i)
    threads.emplace_back(
        [&, i] { work(*store, round + "-" + std::to_string(i), std::stoull(round) * 100 + static_cast<std::uint64_t>(i)); });
  for (auto& thread : threads) thread.join();
  return 0;
}

void check_thing(const World& world, const Instance& instance) {
  const std::string name = instance.id.substr(2);
  const std::string& token = instance.client_token;
  const auto* interface = world.find<NetworkInterface>(account, "eni-" + name);
  const auto* volume = world.find<Volume>(account, "vol-" + name);
  const auto* tags = world.find<TagSet>(account, name);
  const auto* data = world.find<UserData>(account, instance.id);
  if (interface == nullptr || volume == nullptr || tags == nullptr || data == nullptr) give_up(name + " is half there");
  if (interface->description != token || volume->device != token || tags->tags.at(0).value != token || !data->data.starts_with(token))
    give_up(name + " has records of two decisions");
  if (name.starts_with("bad")) give_up(name + " was refused and is there");
  if (world.find_indexed<Instance>(Index::instance_by_id, instance.id) != &instance) give_up(name + " is not in the index of ids");
  if (world.find_indexed<NetworkInterface>(Index::interface_by_group, "sg-" + token) != interface)
    give_up(name + " is not in the index of groups");
  say("is " + name + " " + token);
}

int check(const std::string& folder) {
  SystemRandom random;
  const auto start = std::chrono::steady_clock::now();
  const auto store = open_store(folder, random);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  const auto world = store->world();
  world->each<Instance>("", [&](const Instance& instance) { check_thing(*world, instance); });
  const size_t things = world->size<Instance>();
  if (world->size<NetworkInterface>() != things || world->size<Volume>() != things || world->size<TagSet>() != things ||
      world->size<UserData>() != things)
    give_up("some records lack their instance");
  if (count_in(*world) != static_cast<int>(things))
    give_up("the count is " + std::to_string(count_in(*world)) + ", the things are " + std::to_string(things));
  store->transact([](Transaction& transaction) { transaction.put(Setting{"checked", "yes"}); });  // it can go on
  say("opened " + std::to_string(took.count()));
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  brume::log::set_level(brume::log::Level::error);
  const std::string_view what = count > 2 ? arguments[1] : "";
  if (what == "write" && count == 4) return write_until_killed(arguments[2], arguments[3]);
  if (what == "check" && count == 3) return check(arguments[2]);
  std::fprintf(stderr, "use: store_crash write FOLDER ROUND | store_crash check FOLDER\n");
  return 2;
}
