// Reading a whole log at start.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "state/records.hpp"
#include "state/store.hpp"

namespace brume::state {

struct LoadedRecord {
  Kind kind;
  std::string key;
  std::shared_ptr<const void> record;
};

// Every record, in the order of the log. `broken`: an entry that cannot be understood. Entries of a kind that is not known here (a
// newer Brume's) are left where they are and reported in the operator's log.
Result<std::vector<LoadedRecord>> load_records(Log& log);

}  // namespace brume::state
