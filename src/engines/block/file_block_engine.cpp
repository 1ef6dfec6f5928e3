// Volumes and snapshots as chains of qcow2 files (layers.hpp). A clone is an empty file on top of the snapshot's; after a snapshot the
// volume continues in an empty file on top of what it wrote so far. Both take the same time whatever the size.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <mutex>
#include <span>

#include <fmt/core.h>

#include "base/descriptor.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "base/process.hpp"
#include "base/secret_file.hpp"
#include "engines/block/block_access.hpp"
#include "engines/block/block_engine.hpp"
#include "engines/block/formatted_stores.hpp"
#include "engines/block/image_import.hpp"
#include "engines/block/layer_accounts.hpp"
#include "engines/block/layers.hpp"
#include "engines/block/qcow2_header.hpp"
#include "engines/block/qcow2_overlay.hpp"
#include "engines/block/shared_blocks.hpp"
#include "engines/block/stream_job.hpp"

namespace brume::block {
namespace {

constexpr std::string_view format_options = "cluster_size=64k,lazy_refcounts=off,compat=1.1";
// The key is random and long, so slowing down a guesser is not needed.
constexpr std::string_view encryption_options = ",encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10";

Result<void> check_ids(std::initializer_list<std::string_view> ids) {
  for (const auto id : ids)
    if (!is_id(id)) return fail(ErrorKind::invalid, "'" + std::string(id) + "' is not an id");
  return {};
}

Error explain(Error error) {
  if (error.message.find("No space left") != std::string::npos || error.message.find("Disk quota exceeded") != std::string::npos)
    error.kind = ErrorKind::exhausted;
  return error;
}

// Removes the unfinished file unless it was published.
class Unfinished {
 public:
  explicit Unfinished(std::string path) : path_(std::move(path)) { ::unlink(path_.c_str()); }
  ~Unfinished() { ::unlink(path_.c_str()); }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

// QEMU times its key derivation before it uses it, and gives up if the kernel's clock of a thread's processor time, which ticks every few
// milliseconds, stood still meanwhile. The next try starts at another part of the tick.
Result<CommandOutput> run_create(const Command& command) {
  constexpr int most_tries = 8;
  for (int tries = 1;; ++tries) {
    auto created = run_checked(command);
    if (created || tries == most_tries || created.error().message.find("accurate CPU usage") == std::string::npos) return created;
  }
}

class FileBlockEngine final : public BlockEngine {
 public:
  FileBlockEngine(const std::string& folder, StepHook hook) : layers_(folder, std::move(hook)) {}
  Result<void> prepare() { return layers_.load(); }

  Result<void> create(const std::string& volume_id, std::uint64_t bytes, const std::string& key) override;
  Result<void> create_store(const std::string& id, std::uint64_t bytes, StoreContent content, const std::string& name) override;
  Result<void> clone(const std::string& volume_id, const std::string& snapshot_id, std::uint64_t bytes, const std::string& key) override;
  Result<void> remove_volume(const std::string& volume_id) override { return remove(LinkKind::volume, volume_id); }
  Result<void> remove_snapshot(const std::string& snapshot_id) override { return remove(LinkKind::snapshot, snapshot_id); }
  Result<OpenVolume> open(const std::string& volume_id, unsigned user) override;
  Result<Usage> usage(const std::string& volume_id) override;
  Result<void> resize(const std::string& volume_id, std::uint64_t bytes, const std::string& key) override;
  Result<std::optional<OpenVolume>> prepare_snapshot(const std::string& volume_id, unsigned user, const std::string& key) override;
  Result<void> keep_snapshot(const std::string& snapshot_id, const std::string& volume_id) override;
  Result<void> copy_snapshot(const std::string& snapshot_id, const std::string& from, const std::string& key,
                             const std::function<void(int percent)>& progress) override;
  Result<std::vector<Extent>> snapshot_extents(const std::string& snapshot_id, const std::string& key) override;
  Result<Difference> changed_extents(const std::string& snapshot_id, const std::string& since, const std::string& key) override;
  Result<std::string> read(const std::string& id, std::uint64_t offset, std::uint64_t bytes, const std::string& key) override;
  Result<std::vector<Extent>> written_extents(const std::string& volume_id, const std::string& key) override;
  Result<void> write_volume(const std::string& volume_id, std::uint64_t offset, std::string_view data, const std::string& key) override;
  Result<std::vector<Holding>> holdings() override { return holdings_of(layers_, {LinkKind::volume, LinkKind::snapshot}); }
  std::vector<std::string> stores_of(const std::string& instance_id) override { return layers_.ids(LinkKind::volume, instance_id + "-"); }
  Result<std::vector<Fold>> foldable() override { return foldable_of(layers_); }
  Result<void> fold(const Fold& fold, const std::string& key, const Pace& pace) override;
  Result<void> note_fold(const std::string& volume_id) override;
  Result<std::uint64_t> import_snapshot(const std::string& snapshot_id, const std::string& file,
                                        const std::function<void(int percent)>& progress) override;
  Result<void> import_boot_file(const std::string& image_id, const std::string& file) override;
  Result<std::string> boot_file(const std::string& image_id) override;
  Result<void> remove_boot_file(const std::string& image_id) override;
  Result<Swept> sweep(const std::function<bool(const std::string& id)>& known, Time now, milliseconds keep_aside) override {
    return layers_.sweep(known, now, keep_aside);
  }
  std::vector<Holding> aside() override { return holdings_of(layers_, {LinkKind::aside}); }

 private:
  std::string boot_path(const std::string& id) const { return layers_.folder() + "/boot/" + id; }
  Result<void> check_room(std::uint64_t wanted) const;
  // An empty layer for the volume over `below` (empty: over none), without a link yet.
  Result<void> make_layer(const std::string& layer, const std::string& below, std::uint64_t bytes, const std::string& key);
  // A layer of its own with all that `source` shows, encrypted. It gets a link when it is whole.
  Result<void> make_encrypted_copy(const std::string& layer, const std::string& source, std::uint64_t bytes, const std::string& key,
                                   const std::function<void(int percent)>& progress);
  // `exists` if there is such a volume or snapshot, and makes that durable: its maker may have failed at the last step.
  Result<void> check_unused(LinkKind kind, const std::string& id);
  Result<void> remove(LinkKind kind, const std::string& id);
  Result<std::string> volume_layer(const std::string& volume_id) const;
  ImageChain image_of(std::span<const std::string> layers) const;
  // A layer that others stand on is read by machines of other users, and never changes again.
  Result<void> settle_bases(const std::vector<std::string>& chain) const;
  Result<void> give(const std::string& layer, unsigned user) const;

  LayerStore layers_;
  std::mutex formatting_;  // held while a store is formatted, so that the next one that wants the same finds it
};

Result<void> FileBlockEngine::check_room(std::uint64_t wanted) const {
  const auto free = free_bytes(layers_.folder() + "/layers");
  if (!free) return fail(free.error());
  if (*free >= least_free + wanted) return {};
  return fail(ErrorKind::exhausted, "only " + std::to_string(*free >> 20) + " MiB are left on the disk of " + layers_.folder());
}

Result<void> FileBlockEngine::make_layer(const std::string& layer, const std::string& below, std::uint64_t bytes, const std::string& key) {
  const Unfinished made(layers_.path_of(layer) + ".part");
  Command command;
  command.program = "qemu-img";
  command.folder = layers_.folder() + "/layers";
  std::string options(format_options);
  Descriptor secret;
  // -u: do not open the file below, which may need a key; its size is known.
  command.arguments = {"create", "-q", "-u", "-f", "qcow2"};
  if (!key.empty()) {
    auto file = make_secret_file(key);
    if (!file) return fail(file.error());
    secret = std::move(*file);
    command.descriptors.emplace_back(secret.get(), 3);
    command.arguments.insert(command.arguments.end(), {"--object", "secret,id=key,file=/proc/self/fd/3"});
    options += encryption_options;
  }
  command.arguments.insert(command.arguments.end(), {"-o", options});
  if (!below.empty()) command.arguments.insert(command.arguments.end(), {"-F", "qcow2", "-b", LayerStore::relative(below)});
  command.arguments.insert(command.arguments.end(), {made.path(), std::to_string(bytes)});
  layers_.step("layer.make");
  const bool quick = !key.empty() && !below.empty() && layers_.encrypted(below);
  auto written = quick ? write_encrypted_overlay({made.path(), layers_.path_of(below), LayerStore::relative(below), bytes})
                       : Result<void>(fail(ErrorKind::broken, ""));
  // Not a file in the form that we write, so QEMU's way is used, which takes any.
  if (!written && written.error().kind == ErrorKind::broken) {
    ::unlink(made.path().c_str());
    if (auto created = run_create(command); !created) return fail(explain(created.error()));
  } else if (!written) {
    return fail(explain(written.error()));
  }
  layers_.step("layer.publish");
  if (auto kept = layers_.keep(made.path(), layer, 0600); !kept) return fail(explain(kept.error()));
  return {};
}

Result<void> FileBlockEngine::create(const std::string& volume_id, std::uint64_t bytes, const std::string& key) {
  if (auto valid = check_ids({volume_id}); !valid) return valid;
  if (auto unused = check_unused(LinkKind::volume, volume_id); !unused) return unused;
  if (auto room = check_room(0); !room) return room;
  const Held made(layers_, layers_.reserve(volume_id));
  if (auto done = make_layer(made.layer(), "", bytes, key); !done) return fail(done.error().within("cannot make " + volume_id));
  layers_.step("create.link");
  return layers_.link(LinkKind::volume, volume_id, made.layer());
}

Result<void> FileBlockEngine::create_store(const std::string& id, std::uint64_t bytes, StoreContent content, const std::string& name) {
  const auto formatted = formatted_id(content, bytes, name);
  if (auto valid = check_ids({id, formatted}); !valid) return valid;
  {
    const std::lock_guard lock(formatting_);
    if (auto unused = check_unused(LinkKind::snapshot, formatted); !unused && unused.error().kind != ErrorKind::exists) return unused;
    if (layers_.target(LinkKind::snapshot, formatted).empty()) {
      if (auto room = check_room(0); !room) return room;
      const Held layer(layers_, layers_.reserve(formatted));
      const Unfinished made(layers_.path_of(layer.layer()) + ".part");
      layers_.step("format.make");
      if (auto done = format_store(content, bytes, made.path()); !done) return fail(explain(done.error()).within("cannot format " + name));
      layers_.step("format.publish");
      if (auto kept = layers_.keep(made.path(), layer.layer(), 0444); !kept) return fail(explain(kept.error()));
      layers_.step("format.link");
      if (auto linked = layers_.link(LinkKind::snapshot, formatted, layer.layer()); !linked) return linked;
    }
  }
  return clone(id, formatted, bytes, {});
}

Result<void> FileBlockEngine::clone(const std::string& volume_id, const std::string& snapshot_id, std::uint64_t bytes,
                                    const std::string& key) {
  if (auto valid = check_ids({volume_id, snapshot_id}); !valid) return valid;
  if (auto unused = check_unused(LinkKind::volume, volume_id); !unused) return unused;
  const Held snapshot(layers_, layers_.hold(LinkKind::snapshot, snapshot_id));
  if (snapshot.layer().empty()) return fail(ErrorKind::not_found, snapshot_id + " is not there");
  if (layers_.encrypted(snapshot.layer()) && key.empty())
    return fail(ErrorKind::invalid, snapshot_id + " is encrypted, and its key is not known");
  const auto header = read_qcow2_header(layers_.path_of(snapshot.layer()));
  if (!header) return fail(header.error().within("cannot make " + volume_id + " of " + snapshot_id));
  if (auto room = check_room(0); !room) return room;
  const Held made(layers_, layers_.reserve(volume_id));
  const auto size = std::max(bytes, header->virtual_bytes);
  const bool encrypts = !key.empty() && !layers_.encrypted(snapshot.layer());
  if (auto done = encrypts ? make_encrypted_copy(made.layer(), snapshot.layer(), size, key, {})
                           : make_layer(made.layer(), snapshot.layer(), size, key);
      !done)
    return fail(done.error().within("cannot make " + volume_id));
  layers_.step("clone.link");
  return layers_.link(LinkKind::volume, volume_id, made.layer());
}

Result<void> FileBlockEngine::check_unused(LinkKind kind, const std::string& id) {
  if (layers_.target(kind, id).empty()) return {};
  if (auto settled = layers_.settle(kind); !settled) return settled;
  return fail(ErrorKind::exists, id + " is already there");
}

Result<void> FileBlockEngine::remove(LinkKind kind, const std::string& id) {
  if (auto valid = check_ids({id}); !valid) return valid;
  const bool is_there = !layers_.target(kind, id).empty();
  if (is_there) layers_.step("remove.link");
  // It does not exist: an earlier try may have got exactly this far.
  if (auto gone = is_there ? layers_.unlink(kind, id) : layers_.settle(kind); !gone) return gone;
  layers_.collect();
  return {};
}

Result<std::string> FileBlockEngine::volume_layer(const std::string& volume_id) const {
  if (auto valid = check_ids({volume_id}); !valid) return fail(valid.error());
  auto layer = layers_.target(LinkKind::volume, volume_id);
  if (layer.empty()) return fail(ErrorKind::not_found, volume_id + " is not there");
  return layer;
}

Result<void> FileBlockEngine::settle_bases(const std::vector<std::string>& chain) const {
  for (size_t i = 1; i < chain.size(); ++i) {
    const auto path = layers_.path_of(chain[i]);
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) return fail_system("cannot open " + path, errno);
    if (status.st_uid != ::geteuid() && ::fchown(file.get(), ::geteuid(), ::getegid()) != 0)
      return fail_system("cannot take " + path, errno);
    if ((status.st_mode & 07777) != 0444 && ::fchmod(file.get(), 0444) != 0) return fail_system("cannot set the mode of " + path, errno);
  }
  return {};
}

Result<void> FileBlockEngine::give(const std::string& layer, unsigned user) const {
  const auto path = layers_.path_of(layer);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return fail_system("cannot open " + path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_system("cannot examine " + path, errno);
  if (status.st_uid != user && ::fchown(file.get(), user, user) != 0) return fail_system("cannot give " + path + " to its machine", errno);
  return {};
}

Result<OpenVolume> FileBlockEngine::open(const std::string& volume_id, unsigned user) {
  const auto layer = volume_layer(volume_id);
  if (!layer) return fail(layer.error());
  const auto chain = layers_.chain(*layer);
  if (!chain) return fail(chain.error().within("cannot open " + volume_id));
  if (auto settled = settle_bases(*chain); !settled) return fail(settled.error().within("cannot open " + volume_id));
  if (auto given = give(*layer, user); !given) return fail(given.error().within("cannot open " + volume_id));
  OpenVolume open;
  open.file = layers_.path_of(*layer);
  open.format = "qcow2";
  open.encrypted = layers_.encrypted(*layer);
  open.generation = generation_of(*layer);
  for (size_t i = 1; i < chain->size(); ++i) open.bases.push_back({layers_.path_of((*chain)[i]), layers_.encrypted((*chain)[i])});
  return open;
}

Result<Usage> FileBlockEngine::usage(const std::string& volume_id) {
  const auto layer = volume_layer(volume_id);
  if (!layer) return fail(layer.error());
  const auto header = read_qcow2_header(layers_.path_of(*layer));
  if (!header) return fail(header.error());
  return Usage{header->virtual_bytes, allocated(layers_.path_of(*layer))};
}

Result<void> FileBlockEngine::resize(const std::string& volume_id, std::uint64_t bytes, const std::string& key) {
  const auto layer = volume_layer(volume_id);
  if (!layer) return fail(layer.error());
  const auto header = read_qcow2_header(layers_.path_of(*layer));
  if (!header) return fail(header.error());
  // Large enough already, perhaps since a try that failed at its last step.
  if (header->virtual_bytes >= bytes) return sync_path(layers_.path_of(*layer));
  Command command;
  command.program = "qemu-img";
  command.folder = layers_.folder();
  command.arguments = {"resize", "-q"};
  // Only this layer: those below may need keys of their own, and are not touched.
  std::string name = R"(json:{"driver":"qcow2","backing":null,"file":{"driver":"file","filename":")" + *layer + "\"}";
  Descriptor secret;
  if (layers_.encrypted(*layer)) {
    auto file = make_secret_file(key);
    if (!file) return fail(file.error());
    secret = std::move(*file);
    command.descriptors.emplace_back(secret.get(), 3);
    command.arguments.insert(command.arguments.end(), {"--object", "secret,id=key,file=/proc/self/fd/3"});
    name += R"(,"encrypt":{"format":"luks","key-secret":"key"})";
  }
  command.arguments.insert(command.arguments.end(), {name + "}", std::to_string(bytes)});
  layers_.step("resize");
  if (auto resized = run_checked(command); !resized) return fail(explain(resized.error()).within("cannot resize " + volume_id));
  return sync_path(layers_.path_of(*layer));
}

Result<std::optional<OpenVolume>> FileBlockEngine::prepare_snapshot(const std::string& volume_id, unsigned user, const std::string& key) {
  if (auto valid = check_ids({volume_id}); !valid) return fail(valid.error());
  const Held written(layers_, layers_.hold(LinkKind::volume, volume_id));
  if (written.layer().empty()) return fail(ErrorKind::not_found, volume_id + " is not there");
  const auto header = read_qcow2_header(layers_.path_of(written.layer()));
  if (!header) return fail(header.error());
  if (auto room = check_room(0); !room) return fail(room.error());
  const Held made(layers_, layers_.reserve(volume_id));
  if (auto done = make_layer(made.layer(), written.layer(), header->virtual_bytes, header->encrypted ? key : std::string()); !done)
    return fail(done.error().within("cannot take a snapshot of " + volume_id));
  layers_.step("snapshot.move-volume");
  if (auto linked = layers_.link(LinkKind::volume, volume_id, made.layer()); !linked) return fail(linked.error());
  return open(volume_id, user).map([](OpenVolume&& opened) { return std::optional<OpenVolume>(std::move(opened)); });
}

Result<void> FileBlockEngine::keep_snapshot(const std::string& snapshot_id, const std::string& volume_id) {
  if (auto valid = check_ids({snapshot_id}); !valid) return valid;
  const auto layer = volume_layer(volume_id);
  if (!layer) return fail(layer.error());
  const auto chain = layers_.chain(*layer);
  if (!chain) return fail(chain.error());
  if (chain->size() < 2) return fail(ErrorKind::broken, volume_id + " stands on nothing that could be a snapshot");
  layers_.step("snapshot.link");
  if (auto synced = sync_path(layers_.path_of((*chain)[1])); !synced) return synced;
  return layers_.link(LinkKind::snapshot, snapshot_id, (*chain)[1]);
}

Result<void> FileBlockEngine::make_encrypted_copy(const std::string& layer, const std::string& source, std::uint64_t bytes,
                                                  const std::string& key, const std::function<void(int percent)>& progress) {
  const auto chain = layers_.chain(source);
  if (!chain) return fail(chain.error());
  std::uint64_t wanted = 0;
  for (const auto& each : *chain) wanted += allocated(layers_.path_of(each));
  if (auto room = check_room(wanted); !room) return room;
  if (auto made = make_layer(layer, "", bytes, key); !made) return made;
  layers_.step("encrypt.copy");
  if (auto copied = encrypt_image(image_of(*chain), layers_.path_of(layer), key, progress); !copied) return fail(explain(copied.error()));
  layers_.step("encrypt.sync");
  return sync_path(layers_.path_of(layer));
}

Result<void> FileBlockEngine::copy_snapshot(const std::string& snapshot_id, const std::string& from, const std::string& key,
                                            const std::function<void(int percent)>& progress) {
  if (auto valid = check_ids({snapshot_id, from}); !valid) return valid;
  if (auto unused = check_unused(LinkKind::snapshot, snapshot_id); !unused) return unused;
  const Held source(layers_, layers_.hold(LinkKind::snapshot, from));
  if (source.layer().empty()) return fail(ErrorKind::not_found, from + " is not there");
  if (!key.empty() && !layers_.encrypted(source.layer())) {
    const auto header = read_qcow2_header(layers_.path_of(source.layer()));
    if (!header) return fail(header.error());
    const Held made(layers_, layers_.reserve(snapshot_id));
    if (auto done = make_encrypted_copy(made.layer(), source.layer(), header->virtual_bytes, key, progress); !done)
      return fail(done.error().within("cannot copy " + from));
    if (progress) progress(100);
    layers_.step("copy.link");
    return layers_.link(LinkKind::snapshot, snapshot_id, made.layer());
  }
  layers_.step("copy.link");
  return layers_.link(LinkKind::snapshot, snapshot_id, source.layer());
}

ImageChain FileBlockEngine::image_of(std::span<const std::string> layers) const {
  ImageChain chain;
  for (const auto& layer : layers) chain.push_back({layers_.path_of(layer), layers_.encrypted(layer)});
  return chain;
}

Result<std::vector<Extent>> FileBlockEngine::snapshot_extents(const std::string& snapshot_id, const std::string& key) {
  const Held snapshot(layers_, layers_.hold(LinkKind::snapshot, snapshot_id));
  if (snapshot.layer().empty()) return fail(ErrorKind::not_found, snapshot_id + " is not there");
  const auto chain = layers_.chain(snapshot.layer());
  if (!chain) return fail(chain.error());
  return mapped_extents(image_of(*chain), key).map(merge_extents);
}

// What both stand on is the same; the layers above that, on either side, may differ.
Result<Difference> FileBlockEngine::changed_extents(const std::string& snapshot_id, const std::string& since, const std::string& key) {
  const Held snapshot(layers_, layers_.hold(LinkKind::snapshot, snapshot_id));
  const Held before(layers_, layers_.hold(LinkKind::snapshot, since));
  if (snapshot.layer().empty() || before.layer().empty())
    return fail(ErrorKind::not_found, (snapshot.layer().empty() ? snapshot_id : since) + " is not there");
  const auto chain = layers_.chain(snapshot.layer());
  const auto others = layers_.chain(before.layer());
  if (!chain || !others) return fail((chain ? others : chain).error());
  size_t shared = 0;
  while (shared < std::min(chain->size(), others->size()) &&
         *(chain->rbegin() + static_cast<std::ptrdiff_t>(shared)) == *(others->rbegin() + static_cast<std::ptrdiff_t>(shared)))
    ++shared;
  Difference difference;
  difference.related = shared > 0;
  std::vector<Extent> extents;
  for (const auto* side : {&*chain, &*others})
    for (size_t i = 0; i + shared < side->size(); ++i) {
      const auto layer = mapped_extents(image_of(std::span(*side).subspan(i, 1)), key);
      if (!layer) return fail(layer.error());
      extents.insert(extents.end(), layer->begin(), layer->end());
    }
  difference.extents = merge_extents(std::move(extents));
  return difference;
}

Result<std::string> FileBlockEngine::read(const std::string& id, std::uint64_t offset, std::uint64_t bytes, const std::string& key) {
  const Held snapshot(layers_, layers_.hold(LinkKind::snapshot, id));
  const Held volume(layers_, snapshot.layer().empty() ? layers_.hold(LinkKind::volume, id) : std::string());
  const auto& layer = snapshot.layer().empty() ? volume.layer() : snapshot.layer();
  if (layer.empty()) return fail(ErrorKind::not_found, id + " is not there");
  const auto header = read_qcow2_header(layers_.path_of(layer));
  const auto chain = layers_.chain(layer);
  if (!header || !chain) return fail(header ? chain.error() : header.error());
  std::string data;
  if (offset < header->virtual_bytes) {
    auto found = read_image(image_of(*chain), offset, std::min(bytes, header->virtual_bytes - offset), key);
    if (!found) return fail(found.error().within("cannot read " + id));
    data = std::move(*found);
  }
  data.resize(bytes);
  return data;
}

Result<std::vector<Extent>> FileBlockEngine::written_extents(const std::string& volume_id, const std::string& key) {
  const auto layer = volume_layer(volume_id);
  if (!layer) return fail(layer.error());
  return mapped_extents(image_of(std::span(&*layer, 1)), key).map(merge_extents);
}

Result<void> FileBlockEngine::write_volume(const std::string& volume_id, std::uint64_t offset, std::string_view data,
                                           const std::string& key) {
  const auto layer = volume_layer(volume_id);
  if (!layer) return fail(layer.error());
  const auto header = read_qcow2_header(layers_.path_of(*layer));
  const auto chain = layers_.chain(*layer);
  if (!header || !chain) return fail(header ? chain.error() : header.error());
  if (offset + data.size() > header->virtual_bytes) return fail(ErrorKind::invalid, "that is behind the end of " + volume_id);
  if (auto room = check_room(data.size()); !room) return room;
  layers_.step("write");
  if (auto done = write_image(image_of(*chain), offset, data, key); !done)
    return fail(explain(done.error()).within("cannot write to " + volume_id));
  return {};
}

Result<void> FileBlockEngine::fold(const Fold& fold, const std::string& key, const Pace& pace) {
  const auto layer = volume_layer(fold.volume_id);
  if (!layer) return fail(layer.error());
  const auto chain = layers_.chain(*layer);
  if (!chain) return fail(chain.error());
  if (auto room = check_room(fold.bytes); !room) return room;
  StreamJob job{image_of(*chain), 0, fold.base_name, key, pace.bytes_per_second};
  const auto is_base = [&](const ImageFile& file) { return file.path == fold.base; };
  job.base = static_cast<size_t>(std::find_if(job.chain.begin(), job.chain.end(), is_base) - job.chain.begin());
  if (job.base == job.chain.size() && !fold.base.empty()) return fail(ErrorKind::invalid, fold.volume_id + " stands on other files by now");
  // Copies what differs, then changes the header: aborted anywhere, the volume reads the same.
  layers_.step("fold.stream");
  if (auto done = stream(job, pace.progress, pace.stop); !done)
    return fail(explain(done.error()).within("cannot shorten the chain of " + fold.volume_id));
  layers_.step("fold.sync");
  if (auto synced = sync_path(layers_.path_of(*layer)); !synced) return synced;
  return note_fold(fold.volume_id);
}

Result<void> FileBlockEngine::note_fold(const std::string& volume_id) {
  const auto layer = volume_layer(volume_id);
  if (!layer) return fail(layer.error());
  const auto chain = layers_.chain(*layer);
  if (!chain) return fail(chain.error());
  // Not only the volume's own layer: a snapshot may have been taken since, and the folded one is now below it.
  for (const auto& each : *chain)
    if (auto read = layers_.reread(each); !read) return read;
  layers_.collect();
  return {};
}

Result<std::uint64_t> FileBlockEngine::import_snapshot(const std::string& snapshot_id, const std::string& file,
                                                       const std::function<void(int percent)>& progress) {
  if (auto valid = check_ids({snapshot_id}); !valid) return fail(valid.error());
  if (auto unused = check_unused(LinkKind::snapshot, snapshot_id); !unused) return fail(unused.error());
  const auto facts = examine_image(file);
  if (!facts) return fail(facts.error());
  if (auto room = check_room(facts->file_bytes); !room) return fail(room.error().within("cannot import " + file));
  const Held layer(layers_, layers_.reserve(snapshot_id));
  const Unfinished made(layers_.path_of(layer.layer()) + ".part");
  layers_.step("import.convert");
  if (auto converted = convert_image(file, *facts, made.path(), progress); !converted) return fail(converted.error());
  const auto header = read_qcow2_header(made.path());
  if (!header) return fail(header.error());
  if (!header->backing_file.empty()) return fail(ErrorKind::invalid, file + " changed while it was read");
  layers_.step("import.publish");
  if (auto kept = layers_.keep(made.path(), layer.layer(), 0444); !kept) return fail(explain(kept.error()));
  layers_.step("import.link");
  if (auto linked = layers_.link(LinkKind::snapshot, snapshot_id, layer.layer()); !linked) return fail(linked.error());
  if (progress) progress(100);
  return header->virtual_bytes;
}

Result<void> FileBlockEngine::import_boot_file(const std::string& image_id, const std::string& file) {
  if (auto valid = check_ids({image_id}); !valid) return valid;
  std::error_code code;
  const auto size = std::filesystem::file_size(file, code);
  if (code) return fail_system("cannot read " + file, code.value());
  if (auto room = check_room(size); !room) return fail(room.error().within("cannot keep " + file));
  const Unfinished made(boot_path(image_id) + ".part");
  if (auto copied = copy_file(file, made.path()); !copied) return copied;
  return publish(made.path(), boot_path(image_id), 0444);
}

Result<std::string> FileBlockEngine::boot_file(const std::string& image_id) {
  if (auto valid = check_ids({image_id}); !valid) return fail(valid.error());
  if (!path_exists(boot_path(image_id))) return fail(ErrorKind::not_found, image_id + " is not there");
  return boot_path(image_id);
}

Result<void> FileBlockEngine::remove_boot_file(const std::string& image_id) {
  if (auto valid = check_ids({image_id}); !valid) return valid;
  if (::unlink(boot_path(image_id).c_str()) != 0 && errno != ENOENT) return fail_system("cannot remove " + boot_path(image_id), errno);
  return {};
}

}  // namespace

Result<std::unique_ptr<BlockEngine>> make_file_block_engine(const std::string& folder, StepHook hook) {
  auto engine = std::make_unique<FileBlockEngine>(std::filesystem::absolute(folder).lexically_normal().string(), std::move(hook));
  if (auto prepared = engine->prepare(); !prepared) return fail(prepared.error());
  return engine;
}

}  // namespace brume::block
