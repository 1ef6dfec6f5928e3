// Reading a whole log at start.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/result.hpp"
#include "state/log.hpp"
#include "state/records.hpp"

namespace brume::state {

using RecordLoaded = std::function<void(Kind kind, std::string_view key, std::shared_ptr<const void> record)>;

// Passes on every record, in the order of the log. `broken`: an entry that cannot be parsed. Entries of an unknown kind (from a newer
// Brume) stay untouched and are reported in the operator's log. The result is the version that was read.
Result<std::uint64_t> load_records(Log& log, const RecordLoaded& loaded);

}  // namespace brume::state
