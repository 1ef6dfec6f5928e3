// Stored forms of the state. A form is what a state file holds and where; PRAGMA user_version is its number. Fields and kinds that are
// added need no new form (see codec.hpp): a form changes when something that is stored moves, goes or gets another meaning.
//
// A file of an older form is upgraded when it is opened: it is copied to PATH.form-N first, and all steps run in one transaction. A file
// of a newer form is refused with the form's name. Every form that a commit on main wrote has a home in tests/unit/state/homes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace brume::state {

// The entries of a file that is being upgraded. What fails throws, and the file stays as it was.
class StoredEntries {
 public:
  virtual ~StoredEntries() = default;
  virtual std::optional<std::string> get(std::string_view key) = 0;
  // Those whose key starts with `prefix`, in key order. They may be changed meanwhile.
  virtual void each(std::string_view prefix, const std::function<void(std::string_view key, std::string_view value)>& visit) = 0;
  virtual void put(std::string_view key, std::string_view value) = 0;
  virtual void erase(std::string_view key) = 0;
};

struct FormStep {
  int to;                 // the form that it makes, of the one before
  std::string_view name;  // of that form, for who finds it newer than what they know
  // `broken`: an entry that is not what that form holds.
  Result<void> (*upgrade)(StoredEntries& entries);
};

// From form 1, which commit a25bcd5 wrote, to the current one.
std::span<const FormStep> form_steps();

struct Upgrade {
  std::span<const FormStep> steps = form_steps();
  std::function<void(std::string_view step)> hook = {};  // for tests: called between any two things that a kill can come between
  int current() const { return 1 + static_cast<int>(steps.size()); }
};

// open_sqlite_log with other steps than the state's own: for tests.
class Log;
Result<std::unique_ptr<Log>> open_sqlite_log(const std::string& path, const Upgrade& upgrade);

}  // namespace brume::state
