// Measures the state layer alone: durable commits, start with 100,000 instances, memory of a record, reads. Prints one JSON line.
// Use: state_bench [FOLDER]   (the folder decides which disk is measured; default: the working folder)
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "state/codec.hpp"
#include "state/store.hpp"

namespace {

using namespace brume;
using namespace brume::state;
using Steady = std::chrono::steady_clock;

constexpr int instance_count = 100'000;
constexpr std::string_view account = "123456789012";

double seconds_since(Steady::time_point start) { return std::chrono::duration<double>(Steady::now() - start).count(); }

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "state_bench: %s\n", why.c_str());
  std::exit(1);
}

// As RunInstances leaves one, with an ed25519 (80 characters) or RSA (372 characters) key.
Instance make_instance(Random& random, std::string_view owner, size_t key_length) {
  Instance instance;
  instance.account = owner;
  instance.id = make_id(random, "i");
  instance.reservation_id = make_id(random, "r");
  instance.image_id = make_id(random, "ami");
  instance.image_account = account;
  instance.type = "t3.micro";
  instance.key_name = "my-key";
  instance.public_key = "ssh-" + random.text(key_length - 4, "abcdefghijklmnopqrstuvwxyz0123456789");
  instance.state = InstanceState::running;
  instance.launched = instance.state_since = SystemClock().now();
  instance.zone = "us-east-1a";
  instance.vpc_id = make_id(random, "vpc");
  instance.subnet_id = make_id(random, "subnet");
  instance.interface_ids = {make_id(random, "eni")};
  instance.volume_ids = {make_id(random, "vol")};
  instance.root_device_name = "/dev/sda1";
  instance.architecture = "x86_64";
  instance.virtualization_type = "hvm";
  instance.host = "laptop";
  return instance;
}

std::unique_ptr<Store> open_store(const std::string& path, Random& random) {
  static const SystemClock clock;
  auto log = open_sqlite_log(path);
  if (!log) give_up(log.error().message);
  auto store = Store::open(std::move(*log), clock, random);
  if (!store) give_up(store.error().message);
  return std::move(*store);
}

// Durable RunInstances-like transactions (instance, interface, volume, dependents) a second.
double commits_a_second(const std::string& path, int submitters, Random& random) {
  const auto store = open_store(path, random);
  std::atomic<int> done{0};
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  const auto start = Steady::now();
  for (int i = 0; i < submitters; ++i) {
    threads.emplace_back([&] {
      SeededRandom own(static_cast<std::uint64_t>(std::hash<std::thread::id>()(std::this_thread::get_id())));
      while (!over) {
        store->transact([&](Transaction& transaction) {
          const Instance instance = make_instance(own, account, 80);
          NetworkInterface interface;
          interface.account = account;
          interface.id = instance.interface_ids[0];
          interface.vpc_id = instance.vpc_id;
          interface.private_ip = "172.31.0.5";
          interface.group_ids = {"sg-0123456789abcdef0"};
          interface.instance_id = instance.id;
          Volume volume;
          volume.account = account;
          volume.id = instance.volume_ids[0];
          volume.instance_id = instance.id;
          Dependents dependents;
          dependents.account = account;
          dependents.instance_id = instance.id;
          dependents.machine = true;
          transaction.put(instance);
          transaction.put(interface);
          transaction.put(volume);
          transaction.put(dependents);
        });
        ++done;
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::seconds(3));
  over = true;
  for (auto& thread : threads) thread.join();
  return done / seconds_since(start);
}

// What the disk itself does: 8 KiB overwritten and synced, one after the other.
double syncs_a_second(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const std::string page(8192, 'x');
  if (file < 0) give_up("cannot make " + path);
  int done = 0;
  const auto start = Steady::now();
  while (seconds_since(start) < 3) {
    if (::pwrite(file, page.data(), page.size(), done % 128 * 8192) < 0 || ::fdatasync(file) != 0) give_up("cannot write " + path);
    ++done;
  }
  ::close(file);
  return done / seconds_since(start);
}

size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  size_t whole = 0, resident = 0;
  file >> whole >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

double fill(const std::string& path, Random& random, size_t key_length, bool many_accounts) {
  const auto store = open_store(path, random);
  const auto start = Steady::now();
  for (int i = 0; i < instance_count; i += 1000) {
    store->transact([&](Transaction& transaction) {
      for (int j = 0; j < 1000; ++j) {
        const std::string owner = many_accounts ? "1234567890" + std::to_string(10 + (i + j) % 90) : std::string(account);
        transaction.put(make_instance(random, owner, key_length));
      }
    });
  }
  return instance_count / seconds_since(start);
}

struct Loaded {
  double seconds;
  double bytes_each;
  double resident_each;
};
Loaded load(const std::string& path, Random& random) {
  ::malloc_trim(0);
  const size_t resident = resident_bytes();
  const size_t used = ::mallinfo2().uordblks + ::mallinfo2().hblkhd;
  const auto start = Steady::now();
  const auto store = open_store(path, random);
  const double took = seconds_since(start);
  const auto info = ::mallinfo2();
  Loaded loaded{took, static_cast<double>(info.uordblks + info.hblkhd - used) / instance_count,
                static_cast<double>(resident_bytes() - resident) / instance_count};
  const auto world = store->world();
  if (world->size<Instance>() != instance_count) give_up("not all instances are there");
  return loaded;
}

struct Reads {
  double find, find_indexed, each;
};
Reads reads(const std::string& path, Random& random) {
  const auto store = open_store(path, random);
  const auto world = store->world();
  std::vector<std::string> keys, ids;
  world->each<Instance>("", [&](const Instance& instance) {
    keys.push_back(instance.key());
    ids.push_back(instance.id);
  });
  std::mt19937 order(1);
  std::shuffle(keys.begin(), keys.end(), order);
  std::shuffle(ids.begin(), ids.end(), order);
  Reads rates{};
  size_t found = 0;
  auto start = Steady::now();
  for (const auto& key : keys) found += store->world()->find<Instance>(key) != nullptr;
  rates.find = instance_count / seconds_since(start);
  start = Steady::now();
  for (const auto& id : ids) found += world->find_indexed<Instance>(Index::instance_by_id, id) != nullptr;
  rates.find_indexed = instance_count / seconds_since(start);
  start = Steady::now();
  for (int i = 0; i < 10; ++i)
    world->each<Instance>("", [&](const Instance& instance) { found += instance.state == InstanceState::running; });
  rates.each = 10.0 * instance_count / seconds_since(start);
  if (found != 12U * instance_count) give_up("a read missed a record");
  return rates;
}

}  // namespace

int main(int count, char** arguments) {
  const auto folder = std::filesystem::path(count > 1 ? arguments[1] : ".") / ("state_bench." + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  SeededRandom random(1);
  const double syncs = syncs_a_second(folder / "syncs");
  const double one = commits_a_second(folder / "one.db", 1, random);
  const double sixteen = commits_a_second(folder / "sixteen.db", 16, random);
  const double puts = fill(folder / "many.db", random, 80, false);
  const Loaded small = load(folder / "many.db", random);
  const Reads rates = reads(folder / "many.db", random);
  fill(folder / "large.db", random, 372, true);
  const Loaded large = load(folder / "large.db", random);
  const Instance sample = make_instance(random, account, 80);
  const auto json = encode(sample);
  const auto start = Steady::now();
  for (int i = 0; i < instance_count; ++i)
    if (!decode(Kind::instance, json)) give_up("decode failed");
  const double decode_rate = instance_count / seconds_since(start);
  std::filesystem::remove_all(folder);
  std::printf(
      "{\"syncs\":%.0f,\"commits_1\":%.0f,\"commits_16\":%.0f,\"puts_batched\":%.0f,\"load_100k_s\":%.3f,\"load_100k_rsa_s\":%.3f,\"json_"
      "bytes\":%zu,"
      "\"bytes_each\":%.0f,\"resident_each\":%.0f,\"bytes_each_rsa\":%.0f,\"resident_each_rsa\":%.0f,\"find\":%.0f,\"find_indexed\":%.0f,"
      "\"each\":%.0f,\"decode\":%.0f}\n",
      syncs, one, sixteen, puts, small.seconds, large.seconds, json.size(), small.bytes_each, small.resident_each, large.bytes_each,
      large.resident_each, rates.find, rates.find_indexed, rates.each, decode_rate);
  return 0;
}
