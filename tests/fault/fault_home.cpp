#include "fault_home.hpp"

#include "base/files.hpp"
#include "engines/block/layers.hpp"
#include "system_calls.hpp"

namespace brume::faults {
namespace {

namespace fs = std::filesystem;
using block::LayerStore;
using block::LinkKind;

void copy_folder(const std::string& from, const std::string& to, fs::copy_options how = fs::copy_options::none) {
  fs::remove_all(to);
  fs::copy(from, to, how | fs::copy_options::recursive | fs::copy_options::copy_symlinks);
}

}  // namespace

Links links_of(const std::string& blocks) {
  Links links;
  for (const std::string name : {"volumes", "snapshots"})
    for (const auto& entry : fs::directory_iterator(blocks + "/" + name))
      if (entry.is_symlink() && !entry.path().string().ends_with(".part"))
        links[name][entry.path().filename().string()] = fs::read_symlink(entry.path()).string();
  return links;
}

Content content_of(const std::string& blocks) {
  Content content;
  LayerStore store(blocks, {});
  const auto loaded = store.load();
  EXPECT_TRUE(loaded) << loaded.error().message;
  for (const auto kind : {LinkKind::volume, LinkKind::snapshot})
    for (const auto& id : store.ids(kind)) {
      auto& files = content[(kind == LinkKind::volume ? "volumes/" : "snapshots/") + id];
      for (const auto& layer : store.chain(store.target(kind, id)).value_or(std::vector<std::string>()))
        files[layer] = read_file(store.path_of(layer), 64 << 20).value_or("cannot be read");
    }
  return content;
}

FaultHome::FaultHome(Subject subject, const std::function<void(const std::string& folder)>& prepare) : subject_(std::move(subject)) {
  const auto root = make_test_folder();
  folder_ = root + "/home";
  original_ = root + "/original";
  copy_ = root + "/copy";
  fs::create_directories(blocks());
  prepare(folder_);
  copy_folder(folder_, original_);
  whole_ = content_of(original_ + "/blocks");
  whole_.erase(subject_.collected);
  on_sync([this](const std::string& path) {
    for (const std::string kind : {"volumes", "snapshots"})
      if (path == blocks() + "/" + kind) durable_[kind] = links_of(blocks())[kind];
  });
}

FaultHome::~FaultHome() {
  on_sync({});
  subject_.end();
  fs::remove_all(fs::path(folder_).parent_path());
}

void FaultHome::begin_anew() {
  subject_.end();
  copy_folder(original_, folder_);
  acknowledged_ = whole_;
  removed_.clear();
  durable_ = links_of(blocks());
  subject_.begin();
}

int FaultHome::try_all(const Operation& operation, int error, int stride) {
  constexpr int most = 2000;
  int points = 0;
  for (int at = 1; at < most; at += stride, ++points)
    if (!try_one(operation, at, error) || ::testing::Test::HasFatalFailure()) return points;
  ADD_FAILURE() << operation.name << " comes to no end";
  return points;
}

bool FaultHome::try_one(const Operation& operation, int at, int error) {
  begin_anew();
  Result<void> done;
  std::string where;
  // From here on these may be half gone.
  for (const auto& link : operation.gone) acknowledged_.erase(link);
  {
    const Injection injection(folder_, at, error);
    done = operation.run();
    where = injection.where();
  }
  const bool struck = !where.empty();
  const auto what = operation.name + " with call " + std::to_string(at) + " failing (" + where + ")";
  SCOPED_TRACE(what);
  // What it did in spite of the failure, or before it, counts once it says so.
  if (done) acknowledge(operation);
  EXPECT_TRUE(done || struck) << done.error().message;
  check(operation, "after the failure");
  subject_.collect();
  check(operation, "after collect");
  if (!done) {
    // Every other time by the next daemon.
    if (at % 2 == 0) {
      subject_.end();
      subject_.begin();
    }
    const auto again = operation.run();
    EXPECT_TRUE(again || again.error().kind == ErrorKind::exists) << again.error().message;
    acknowledge(operation);
    check(operation, "after the second try");
    subject_.collect();
    check(operation, "after the second try and collect");
  }
  subject_.end();
  subject_.begin();
  subject_.collect();
  check(operation, "after a restart");
  if (operation.intact) operation.intact();
  return struck;
}

void FaultHome::acknowledge(const Operation& operation) {
  const auto now = content_of(blocks());
  for (const auto& link : operation.made) {
    const auto found = now.find(link);
    ASSERT_TRUE(found != now.end() && !found->second.empty()) << link << " is not there";
    acknowledged_[link] = found->second;
  }
  for (const auto& link : operation.gone) {
    EXPECT_EQ(now.count(link), 0U) << link;
    removed_.insert(link);
  }
}

void FaultHome::check(const Operation& operation, const std::string& when) {
  check_copy(operation, links_of(blocks()), when);
  check_copy(operation, durable_, when + " and a crash");
}

// In a copy: what a daemon finds there that starts now.
void FaultHome::check_copy(const Operation& operation, const Links& links, const std::string& when) const {
  copy_folder(folder_, copy_, fs::copy_options::create_hard_links);
  const auto blocks = copy_ + "/blocks";
  const auto copied = links_of(blocks);
  for (const std::string kind : {"volumes", "snapshots"}) {
    if (const auto found = copied.find(kind); found != copied.end())
      for (const auto& [id, named] : found->second) fs::remove(blocks + "/" + kind + "/" + id);
    if (const auto found = links.find(kind); found != links.end())
      for (const auto& [id, named] : found->second) fs::create_symlink(named, blocks + "/" + kind + "/" + id);
  }
  {
    LayerStore store(blocks, {});
    ASSERT_TRUE(store.load());
    store.collect();
  }
  const auto now = content_of(blocks);
  for (const auto& [link, files] : acknowledged_) {
    const auto found = now.find(link);
    ASSERT_TRUE(found != now.end()) << link << " is lost " << when;
    ASSERT_FALSE(found->second.empty()) << link << " leads nowhere " << when;
    if (operation.changed.count(link) != 0) continue;
    for (const auto& [file, bytes] : files) {
      const auto there = found->second.find(file);
      ASSERT_TRUE(there != found->second.end()) << link << " has lost " << file << " " << when;
      EXPECT_TRUE(there->second == bytes) << file << " of " << link << " is another one " << when;
    }
  }
  for (const auto& link : removed_) EXPECT_EQ(now.count(link), 0U) << link << " is there again " << when;
}

}  // namespace brume::faults
