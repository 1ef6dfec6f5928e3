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

// Hands over every record, in the order of the log. `broken`: an entry that cannot be understood. Entries of a kind that is not known
// here (a newer Brume's) are left where they are and reported in the operator's log. The result is the version that was read.
Result<std::uint64_t> load_records(Log& log, const RecordLoaded& loaded);

}  // namespace brume::state
