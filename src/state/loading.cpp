#include "state/loading.hpp"

#include <map>
#include <utility>

#include "base/log.hpp"
#include "state/codec.hpp"
#include "state/kinds.hpp"

namespace brume::state {
namespace {

Error broken(std::string_view key, std::string_view why) {
  return {ErrorKind::broken, "entry " + std::string(key) + " of the state " + std::string(why)};
}

class Loader {
 public:
  explicit Loader(const RecordLoaded& loaded) : loaded_(loaded) {}
  void add(std::string_view key, std::string_view value);
  Result<void> finish();

 private:
  const RecordLoaded& loaded_;
  Error failure_;
  bool failed_ = false;
  std::map<std::string, size_t> unknown_;
};

void Loader::add(std::string_view key, std::string_view value) {
  if (failed_) return;
  const auto refuse = [&](std::string_view why) {
    failed_ = true;
    failure_ = broken(key, why);
  };
  const size_t slash = key.find('/');
  if (slash == std::string_view::npos) return refuse("has no kind");
  const auto kind = kind_named(key.substr(0, slash));
  if (!kind) {
    ++unknown_[std::string(key.substr(0, slash))];
    return;
  }
  auto record = decode(*kind, value);
  if (!record) return refuse(record.error().message);
  if (key_of(*kind, record->get()) != key.substr(slash + 1)) return refuse("holds a record of another key");
  loaded_(*kind, key.substr(slash + 1), std::move(*record));
}

Result<void> Loader::finish() {
  if (failed_) return brume::fail(failure_);
  for (const auto& [kind, count] : unknown_)
    log::warning("state", "{} entries of the unknown kind {} are left alone; a newer Brume wrote them", count, kind);
  return {};
}

}  // namespace

Result<void> load_records(Log& log, const RecordLoaded& loaded) {
  Loader loader(loaded);
  const auto read = log.load([&](std::string_view key, std::string_view value) { loader.add(key, value); });
  if (!read) return brume::fail(read.error());
  return loader.finish();
}

}  // namespace brume::state
