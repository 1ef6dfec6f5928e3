#include "daemon/simulation.hpp"

#include <fmt/format.h>

#include <array>
#include <condition_variable>

#include "base/log.hpp"
#include "daemon/accounts.hpp"
#include "ec2/common/resource_ids.hpp"
#include "wire/api_error.hpp"
#include "wire/identity/signature.hpp"
#include "wire/query_tree.hpp"

namespace brume::daemon {
namespace {

constexpr std::string_view image_owner = "000000000001";
// What an image of --any-image is made of: it is called /dev/xvda, as Amazon's own are.
constexpr std::string_view any_image_root = "debian-12-amd64";

struct StarterImage {
  int number;  // of its ids
  std::string_view name, architecture, device;
  std::int64_t size_gib;
};
constexpr std::array starter_images = {
    StarterImage{1, "tiny", "x86_64", "/dev/sda1", 1}, StarterImage{2, "debian-12-amd64", "x86_64", "/dev/xvda", 8},
    StarterImage{3, "ubuntu-24.04-amd64", "x86_64", "/dev/sda1", 8}, StarterImage{4, "fedora-40-x86_64", "x86_64", "/dev/sda1", 6},
    StarterImage{5, "classic-linux-i386", "i386", "/dev/sda1", 8}};

// The name of the region gives the first eight digits (FNV-1a), so that an image of one region is unknown in another; us-east-1 has zeros.
std::string starter_id(std::string_view prefix, std::string_view region, int number) {
  std::uint32_t hash = 0;
  if (region != "us-east-1") {
    hash = 2166136261U;
    for (const char c : region) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  }
  return fmt::format("{}-{:08x}{:09x}", prefix, hash, number);
}

wire::HttpResponse plain(int status, std::string text) { return {status, "text/plain", {}, std::move(text)}; }

bool are_starters_ready(const state::World& world) {
  bool ready = true;
  world.each_of<state::Image>(image_owner, [&](const state::Image& image) { ready = ready && image.state != state::ImageState::pending; });
  return ready;
}

const state::Image* find_starter(const state::World& world, std::string_view name) {
  const state::Image* found = nullptr;
  world.each_of<state::Image>(image_owner, [&](const state::Image& image) {
    if (image.name == name) found = &image;
  });
  return found;
}

// Public, of Amazon's as far as anybody asks, over the snapshot of a starter image.
void make_any_image(state::Transaction& transaction, const std::string& id) {
  const auto* starter = find_starter(transaction.world(), any_image_root);
  if (starter == nullptr || transaction.world().find_indexed<state::Image>(state::Index::image_by_id, id) != nullptr) return;
  auto image = *starter;
  image.id = id;
  image.name = "any-image-" + id;
  image.location = "amazon/" + image.name;
  image.description = "simulated: made because somebody asked for it (--any-image)";
  image.created = transaction.now();
  transaction.put(std::move(image));
}

}  // namespace

void register_simulated_images(state::Transaction& transaction, const service::Settings& settings) {
  const std::string_view region = settings.region;
  for (const auto& row : starter_images) {
    state::Snapshot snapshot;
    snapshot.account = image_owner;
    snapshot.id = starter_id("snap", region, row.number);
    snapshot.host = settings.host;
    snapshot.state = state::SnapshotState::pending;
    snapshot.started = transaction.now();
    state::Image image;
    image.account = image_owner;
    image.id = starter_id("ami", region, row.number);
    image.host = settings.host;
    image.name = row.name;
    image.description = "simulated: nothing boots";
    image.owner_alias = "amazon";
    image.location = "amazon/" + image.name;
    image.architecture = row.architecture;
    image.root_device_name = row.device;
    image.is_public = true;
    image.state = state::ImageState::pending;  // control brings it in as it does any image
    image.import_source = "simulated";
    image.created = transaction.now();
    state::BlockDevice root;
    root.device = image.root_device_name;
    root.snapshot_id = snapshot.id;
    root.size_gib = row.size_gib;
    root.volume_type = "gp2";
    image.block_devices.push_back(std::move(root));
    transaction.put(std::move(snapshot));
    transaction.put(std::move(image));
  }
}

void await_simulated_images(state::Store& store) {
  std::mutex mutex;
  std::condition_variable ready;
  bool is_ready = false;
  const auto watcher = store.watch([&](const state::Commit& commit) {
    if (!are_starters_ready(*commit.world)) return;
    const std::lock_guard lock(mutex);
    is_ready = true;
    ready.notify_all();
  });
  {
    std::unique_lock lock(mutex);
    if (!ready.wait_for(lock, seconds(30), [&] { return is_ready || are_starters_ready(*store.world()); }))
      log::warning("daemon", "the simulated images are not ready after 30 s");
  }
  store.unwatch(watcher);
}

void reset_simulation(std::span<const service::Services* const> regions, const wire::HttpRequest& request, const wire::Responder& respond) {
  const auto& first = *regions.front();
  if (!first.settings.simulated) return respond(plain(403, "This is not a simulation: nothing is reset.\n"));
  if (request.method != "POST") return respond(plain(405, "POST empties the account.\n"));
  const auto key_id = wire::claimed_caller(request, {}).access_key_id;
  const auto world = first.store.world();
  const auto* key = world->find<state::AccessKey>(key_id);
  const std::string account = key == nullptr ? std::string(simulated_account) : key->account;
  // Each region has a writer of its own; the last of them to be done answers.
  struct Progress {
    std::mutex mutex;
    size_t left;
    bool failed = false;
  };
  const auto progress = std::make_shared<Progress>();
  progress->left = regions.size();
  const auto done = [progress, respond](bool failed) {
    {
      const std::lock_guard lock(progress->mutex);
      progress->failed = progress->failed || failed;
      if (--progress->left > 0) return;
    }
    respond(progress->failed ? plain(500, "The reset failed.\n") : plain(200, "reset\n"));
  };
  for (const auto* region : regions) {
    try {
      region->store.submit(
          [&settings = region->settings, account](state::Transaction& transaction) { empty_account(transaction, settings, account); },
          [done](std::exception_ptr failure) { done(failure != nullptr); });
    } catch (const state::Overloaded&) {
      done(true);
    }
  }
}

std::set<std::string> AnyImages::unknown_ids(const state::World& world, const wire::HttpRequest& request) {
  const wire::QueryTree parameters(request.query(), request.method == "POST" ? std::string_view(request.body) : std::string_view());
  const auto action = parameters.find("Action");
  std::set<std::string> unknown;
  for (const auto& [name, value] : parameters.pairs()) {
    if (!ec2::is_well_formed_id("ami", value)) continue;
    const bool is_known = world.find_indexed<state::Image>(state::Index::image_by_id, value) != nullptr;
    const std::lock_guard lock(mutex_);
    if (is_known && action == "DeregisterImage") deregistered_.insert(value);
    if (!is_known && action != "DeregisterImage" && !deregistered_.contains(value)) unknown.insert(value);
  }
  return unknown;
}

void AnyImages::provide(const service::Services& services, service::WorkerPool& workers, const wire::HttpRequest& request,
                        std::function<void()> go_on) {
  std::set<std::string> unknown;
  try {
    unknown = unknown_ids(*services.store.world(), request);
  } catch (const wire::ApiError&) {
    // Whatever is wrong with the request, the front door says so.
  }
  if (unknown.empty()) return go_on();
  const auto make = [unknown](state::Transaction& transaction) {
    for (const auto& id : unknown) make_any_image(transaction, id);
  };
  try {
    // What could not be made is unknown to the action, which says so. The writer must not answer requests itself.
    services.store.submit(make, [&workers, go_on](std::exception_ptr) {
      if (!workers.submit("", go_on)) go_on();
    });
  } catch (const state::Overloaded&) {
    go_on();
  }
}

}  // namespace brume::daemon
