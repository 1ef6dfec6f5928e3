#include "state/loading.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "state/codec.hpp"
#include "state/kinds.hpp"

namespace brume::state {
namespace {

Error broken(std::string_view key, std::string_view why) {
  return {ErrorKind::broken, "entry " + std::string(key) + " of the state " + std::string(why)};
}

// Entries as the log delivers them, one after another, and what became of them.
struct Batch {
  struct Entry {
    size_t key_begin, value_begin, end;  // in `text`
    Kind kind{};
    std::shared_ptr<const void> record;  // null: of a kind that is not known here
  };
  std::string text;
  std::vector<Entry> entries;
  std::optional<Error> failure;
  std::promise<void> decoded;

  std::string_view key(const Entry& entry) const {
    return std::string_view(text).substr(entry.key_begin, entry.value_begin - entry.key_begin);
  }
  std::string_view value(const Entry& entry) const {
    return std::string_view(text).substr(entry.value_begin, entry.end - entry.value_begin);
  }
};

constexpr size_t batch_entries = 512;
constexpr size_t batches_ahead = 32;  // read but not handed over yet

// Decodes batches on its own threads while the caller reads the log, and hands their records over in the log's order.
class Loader {
 public:
  explicit Loader(const RecordLoaded& loaded) : loaded_(loaded) {
    const auto threads = std::clamp(std::thread::hardware_concurrency(), 1U, 4U);
    for (unsigned i = 0; i < threads; ++i) decoders_.emplace_back([this] { decode_batches(); });
  }
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  ~Loader() { end_decoders(); }
  void add(std::string_view key, std::string_view value);
  Result<void> finish();

 private:
  void decode_batches();
  static void decode_entry(Batch& batch, Batch::Entry& entry);
  void send();
  void hand_over_oldest();
  void end_decoders();

  const RecordLoaded& loaded_;
  // Used by the caller's thread only.
  std::shared_ptr<Batch> filling_ = std::make_shared<Batch>();
  std::deque<std::pair<std::shared_ptr<Batch>, std::future<void>>> sent_;
  std::optional<Error> failure_;
  std::map<std::string, size_t> unknown_;

  std::mutex mutex_;  // guards the two below
  std::deque<std::shared_ptr<Batch>> waiting_;
  bool ended_ = false;
  std::condition_variable changed_;
  std::vector<std::thread> decoders_;
};

void Loader::add(std::string_view key, std::string_view value) {
  if (failure_) return;
  auto& batch = *filling_;
  Batch::Entry entry{};
  entry.key_begin = batch.text.size();
  batch.text += key;
  entry.value_begin = batch.text.size();
  batch.text += value;
  entry.end = batch.text.size();
  batch.entries.push_back(std::move(entry));
  if (batch.entries.size() == batch_entries) send();
}

void Loader::send() {
  sent_.emplace_back(filling_, filling_->decoded.get_future());
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::exchange(filling_, std::make_shared<Batch>()));
  }
  changed_.notify_one();
  if (sent_.size() >= batches_ahead) hand_over_oldest();
}

void Loader::decode_batches() {
  while (true) {
    std::shared_ptr<Batch> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      batch = std::move(waiting_.front());
      waiting_.pop_front();
    }
    try {
      for (auto& entry : batch->entries) {
        decode_entry(*batch, entry);
        if (batch->failure) break;
      }
    } catch (const std::exception& failure) {
      batch->failure = Error{ErrorKind::exhausted, failure.what()};
    }
    batch->decoded.set_value();
  }
}

void Loader::decode_entry(Batch& batch, Batch::Entry& entry) {
  const auto key = batch.key(entry);
  const size_t slash = key.find('/');
  if (slash == std::string_view::npos) {
    batch.failure = broken(key, "has no kind");
    return;
  }
  const auto kind = kind_named(key.substr(0, slash));
  if (!kind) return;
  auto record = decode(*kind, batch.value(entry));
  if (!record)
    batch.failure = broken(key, record.error().message);
  else if (key_of(*kind, record->get()) != key.substr(slash + 1))
    batch.failure = broken(key, "holds a record of another key");
  else
    entry.record = std::move(*record);
  entry.kind = *kind;
}

void Loader::hand_over_oldest() {
  const auto [batch, decoded] = std::move(sent_.front());
  sent_.pop_front();
  decoded.wait();
  if (!failure_) failure_ = batch->failure;
  if (failure_) return;
  for (auto& entry : batch->entries) {
    const auto key = batch->key(entry);
    const size_t slash = key.find('/');
    if (entry.record)
      loaded_(entry.kind, key.substr(slash + 1), std::move(entry.record));
    else
      ++unknown_[std::string(key.substr(0, slash))];
  }
}

void Loader::end_decoders() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  for (auto& decoder : decoders_) decoder.join();
  decoders_.clear();
}

Result<void> Loader::finish() {
  send();
  while (!sent_.empty()) hand_over_oldest();
  end_decoders();
  if (failure_) return brume::fail(*failure_);
  for (const auto& [kind, count] : unknown_)
    log::warning("state", "{} entries of the unknown kind {} are left alone; a newer Brume wrote them", count, kind);
  return {};
}

}  // namespace

Result<std::uint64_t> load_records(Log& log, const RecordLoaded& loaded) {
  Loader loader(loaded);
  const auto read = log.load([&](std::string_view key, std::string_view value) { loader.add(key, value); });
  if (!read) return brume::fail(read.error());
  if (auto finished = loader.finish(); !finished) return brume::fail(finished.error());
  return *read;
}

}  // namespace brume::state
