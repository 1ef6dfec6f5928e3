// The log on one machine: a SQLite file in WAL mode with synchronous FULL.
//
// Each append is one SQLite transaction and one sync of the write-ahead log. A folder that holds PATH also gets PATH-wal and PATH.lock.
// The lock is an flock of its own: SQLite's are of the process, and would let a second store in the same process in.
// When a sync fails, SQLite takes the transaction back and the caller is told so; should the machine lose power before the next
// append, the transaction may nevertheless be found afterwards, as no file system promises the contrary.
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/descriptor.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "state/forms.hpp"
#include "state/log.hpp"

namespace brume::state {
namespace {

constexpr off_t log_bytes = 17 << 20;    // 4,000 frames of 4 KiB between checkpoints, and a large transaction
constexpr int application = 0x4272756d;  // "Brum", what file(1) and we know the file by

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct FinishStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, FinishStatement>;

// What the operating system said of the last failed access: sqlite3_system_errno() often has lost it to a call in between.
int system_code_of(sqlite3* database) {
  sqlite3_file* wal = nullptr;
  int code = 0;
  if (sqlite3_file_control(database, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK && wal != nullptr && wal->pMethods != nullptr)
    wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &code);
  if (code == 0) sqlite3_file_control(database, "main", SQLITE_FCNTL_LAST_ERRNO, &code);
  return code != 0 ? code : sqlite3_system_errno(database);
}

Error error_of(sqlite3* database, int code, const std::string& path) {
  const int system_code = system_code_of(database);
  const std::string message = path + ": " + sqlite3_errmsg(database);
  switch (code & 0xff) {
    case SQLITE_FULL: return {ErrorKind::exhausted, path + ": the disk is full"};
    case SQLITE_NOMEM: return {ErrorKind::exhausted, message};
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return {ErrorKind::exists, path + " is in use by another program"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return {ErrorKind::broken, message};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return {ErrorKind::refused, message};
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      if (system_code == EFBIG) return {ErrorKind::exhausted, path + ": the file may not grow further"};
      return system_code != 0 ? system_error(message, system_code) : Error{ErrorKind::system, message};
    default: return {ErrorKind::system, message};
  }
}

// Thrown by the entries of an upgrade.
struct UpgradeFailure {
  Error error;
};

class SqliteLog final : public Log {
 public:
  SqliteLog(std::string path, const Upgrade& upgrade) : path_(std::move(path)), upgrade_(upgrade) {}

  Result<void> open();
  Result<std::uint64_t> load(const std::function<void(std::string_view key, std::string_view value)>& entry) override;
  Result<std::uint64_t> append(std::vector<LogWrite> writes, std::uint64_t expected) override;
  std::uint64_t version() const override {
    const std::lock_guard lock(mutex_);
    return version_;
  }
  Result<std::unique_ptr<LogWatch>> watch(std::uint64_t from, LogSink sink) override;

 private:
  Result<void> lock();
  Result<void> make_private_file();
  Result<void> set_up();
  Result<void> check_form();
  Result<void> make_tables();
  Result<std::string> name_of_form();
  Result<void> upgrade_from(int form);
  Result<void> copy_to(const std::string& name);
  Result<void> run_steps(int form);
  void reached(std::string_view step) const {
    if (upgrade_.hook) upgrade_.hook(step);
  }
  void lay_out_log();
  Result<void> execute(const char* sql);
  Result<std::int64_t> number(const char* sql);
  Result<Statement> prepare(const char* sql);
  Result<void> step(sqlite3_stmt* statement);
  Result<void> write_all(const std::vector<LogWrite>& writes);
  tl::unexpected<Error> failure(int code) { return brume::fail(error_of(database_.get(), code, path_)); }

  std::string path_;
  Upgrade upgrade_;
  Descriptor lock_;  // before the database: given back last
  Database database_;
  Statement begin_, commit_, rollback_, put_, erase_, set_version_;
  mutable std::mutex mutex_;  // taken by the functions of Log; guards the database and what is below
  std::uint64_t version_ = 0;
  LogWatchers watchers_;
};

// Does the lock's file name a process that is no more? Then somebody has the lock only by inheritance: a child that the daemon was
// about to start when it was killed holds it until its exec.
bool is_left_over(const std::string& lock_file) {
  const auto holder = read_file(lock_file, 64);
  const auto process = holder ? parse_integer(trim(*holder)) : std::nullopt;
  return process && *process > 0 && ::kill(static_cast<pid_t>(*process), 0) != 0 && errno == ESRCH;
}

Result<void> SqliteLog::lock() {
  const std::string name = path_ + ".lock";
  lock_ = Descriptor(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock_) return fail_system("cannot open " + name, errno);
  const auto take = [this](int how) { return ::flock(lock_.get(), how) == 0 ? 0 : errno; };
  int failure = take(LOCK_EX | LOCK_NB);
  // That child is a moment from its exec.
  if (failure == EWOULDBLOCK && is_left_over(name)) failure = take(LOCK_EX);
  if (failure != 0) {
    if (failure != EWOULDBLOCK) return fail_system("cannot lock " + name, failure);
    const auto holder = read_file(name, 64);
    const std::string who = holder && !trim(*holder).empty() ? " (process " + std::string(trim(*holder)) + ")" : "";
    return brume::fail(ErrorKind::exists, path_ + " is in use by another brumed" + who + "; stop it first or choose another BRUME_HOME");
  }
  // Only for the message above; who holds the lock is what counts.
  const std::string me = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock_.get(), 0) != 0 || ::pwrite(lock_.get(), me.data(), me.size(), 0) < 0)
    return fail_system("cannot write " + name, errno);
  return {};
}

// SQLite gives PATH-wal the mode of PATH, so it is enough that nobody else could ever open this one.
Result<void> SqliteLog::make_private_file() {
  const bool is_new = !path_exists(path_);
  const Descriptor file(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return fail_system("cannot open " + path_, errno);
  if (::fchmod(file.get(), 0600) != 0) return fail_system("cannot set the mode of " + path_, errno);
  if (!is_new) return {};
  const auto folder_name = std::filesystem::absolute(path_).parent_path().string();
  const Descriptor folder(::open(folder_name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return fail_system("cannot sync " + folder_name, errno);
  return {};
}

Result<void> SqliteLog::open() {
  if (auto done = lock(); !done) return done;
  if (auto done = make_private_file(); !done) return done;
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(path_.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  database_.reset(database);
  if (code != SQLITE_OK) return failure(code);
  return set_up();
}

Result<void> SqliteLog::set_up() {
  // EXCLUSIVE before WAL: no shared-memory file, and no other program in between. Checkpoints run every 16 MiB of log, within an
  // append; a log that one huge transaction blew up shrinks again.
  for (const char* sql :
       {"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA wal_autocheckpoint=4000",
        "PRAGMA journal_size_limit=33554432", "PRAGMA cache_size=-8192", "PRAGMA temp_store=MEMORY"})
    if (auto done = execute(sql); !done) return done;
  if (auto done = check_form(); !done) return done;
  lay_out_log();
  for (const auto& [statement, sql] :
       {std::pair{&begin_, "BEGIN IMMEDIATE"},
        {&commit_, "COMMIT"},
        {&rollback_, "ROLLBACK"},
        {&put_, "INSERT INTO log(key, value, version) VALUES(?1, ?2, ?3) ON CONFLICT(key) DO UPDATE SET value=?2, version=?3"},
        {&erase_, "DELETE FROM log WHERE key=?1"},
        {&set_version_, "UPDATE meta SET version=?1"}}) {
    auto prepared = prepare(sql);
    if (!prepared) return brume::fail(prepared.error());
    *statement = std::move(*prepared);
  }
  const auto version = number("SELECT version FROM meta");
  if (!version) return brume::fail(version.error());
  version_ = static_cast<std::uint64_t>(*version);
  return {};
}

// Makes the tables in a new file, upgrades an older one; refuses one that is not ours or newer than we are.
Result<void> SqliteLog::check_form() {
  const auto owner = number("PRAGMA application_id");
  if (!owner) return brume::fail(owner.error());
  const auto found = number("PRAGMA user_version");
  if (!found) return brume::fail(found.error());
  if (*owner == application && *found > upgrade_.current()) {
    const auto name = name_of_form();
    return brume::fail(ErrorKind::broken, fmt::format("{} is of form {}{}, which a newer Brume wrote; this one knows forms up to {}", path_,
                                                      *found, name ? " (" + *name + ")" : "", upgrade_.current()));
  }
  if (*owner == application && *found == upgrade_.current()) return {};
  if (*owner == application && *found >= 1) return upgrade_from(static_cast<int>(*found));
  const auto tables = number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return brume::fail(tables.error());
  if (*tables != 0) return brume::fail(ErrorKind::broken, path_ + " is a database of something else than Brume");
  return make_tables();
}

Result<void> SqliteLog::make_tables() {
  const auto name = upgrade_.steps.empty() ? std::string_view("records") : upgrade_.steps.back().name;
  return execute(fmt::format("BEGIN IMMEDIATE;"
                             "CREATE TABLE log(key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;"
                             "CREATE TABLE meta(version INTEGER NOT NULL);"
                             "INSERT INTO meta VALUES(0);"
                             "CREATE TABLE form(name TEXT NOT NULL);"
                             "INSERT INTO form VALUES('{}');"
                             "PRAGMA application_id=0x4272756d;"
                             "PRAGMA user_version={};"
                             "COMMIT",
                             name, upgrade_.current())
                     .c_str());
}

Result<std::string> SqliteLog::name_of_form() {
  const auto statement = prepare("SELECT name FROM form");
  if (!statement) return brume::fail(statement.error());
  if (sqlite3_step(statement->get()) != SQLITE_ROW) return brume::fail(ErrorKind::not_found, path_ + " does not name its form");
  const auto* text = static_cast<const char*>(sqlite3_column_blob(statement->get(), 0));
  return std::string(text, static_cast<size_t>(sqlite3_column_bytes(statement->get(), 0)));
}

// A copy first, which stays; then all steps at once.
Result<void> SqliteLog::upgrade_from(int form) {
  log::info("state", "{} is of form {}, this Brume's is {}: it is upgraded, and copied to {}.form-{} before", path_, form,
            upgrade_.current(), path_, form);
  if (auto done = copy_to(path_ + ".form-" + std::to_string(form)); !done)
    return brume::fail(done.error().within("cannot copy " + path_ + " before its upgrade"));
  reached("copied");
  if (auto done = run_steps(form); !done) {
    if (sqlite3_get_autocommit(database_.get()) == 0) execute("ROLLBACK");
    return brume::fail(done.error().within("cannot upgrade " + path_ + " (it is as it was)"));
  }
  reached("upgraded");
  return {};
}

// All of the database, with what is in its write-ahead log only. There whole or not at all.
Result<void> SqliteLog::copy_to(const std::string& name) {
  const auto part = name + ".part";
  ::unlink(part.c_str());
  {
    // Empty, so that SQLite takes it as it is: with a mode that keeps its secrets.
    const Descriptor file(::open(part.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return fail_system("cannot make " + part, errno);
  }
  reached("copy begun");
  const auto statement = prepare("VACUUM INTO ?1");
  if (!statement) return brume::fail(statement.error());
  if (const int code = sqlite3_bind_text64(statement->get(), 1, part.data(), part.size(), SQLITE_STATIC, SQLITE_UTF8); code != SQLITE_OK)
    return failure(code);
  if (auto done = step(statement->get()); !done) return done;
  reached("copy written");
  const Descriptor file(::open(part.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::fsync(file.get()) != 0) return fail_system("cannot sync " + part, errno);
  if (::rename(part.c_str(), name.c_str()) != 0) return fail_system("cannot rename " + part, errno);
  reached("copy named");
  const auto folder_name = std::filesystem::absolute(path_).parent_path().string();
  const Descriptor folder(::open(folder_name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return fail_system("cannot sync " + folder_name, errno);
  return {};
}

// What a step may do with the entries, by the log's own statements.
class SqliteEntries final : public StoredEntries {
 public:
  SqliteEntries(sqlite3* database, const std::string& path, std::int64_t version) : database_(database), path_(path), version_(version) {}

  std::optional<std::string> get(std::string_view key) override {
    const auto statement = run("SELECT value FROM log WHERE key=?1", key);
    const int code = sqlite3_step(statement.get());
    if (code == SQLITE_ROW) return text(statement.get(), 0);
    check(code);
    return std::nullopt;
  }
  void each(std::string_view prefix, const std::function<void(std::string_view key, std::string_view value)>& visit) override {
    std::vector<std::pair<std::string, std::string>> found;
    {
      const auto statement = run("SELECT key, value FROM log WHERE substr(key, 1, length(?1))=?1 ORDER BY key", prefix);
      int code = sqlite3_step(statement.get());
      for (; code == SQLITE_ROW; code = sqlite3_step(statement.get()))
        found.emplace_back(text(statement.get(), 0), text(statement.get(), 1));
      check(code);  // an entry that cannot be read is no end of them
    }
    for (const auto& [key, value] : found) visit(key, value);
  }
  void put(std::string_view key, std::string_view value) override {
    const auto statement = run("INSERT OR REPLACE INTO log(key, value, version) VALUES(?1, ?2, ?3)", key);
    check(sqlite3_bind_blob64(statement.get(), 2, value.data(), value.size(), SQLITE_STATIC));
    check(sqlite3_bind_int64(statement.get(), 3, version_));
    check(sqlite3_step(statement.get()));
  }
  void erase(std::string_view key) override {
    const auto statement = run("DELETE FROM log WHERE key=?1", key);
    check(sqlite3_step(statement.get()));
  }

 private:
  Statement run(const char* sql, std::string_view key) {
    sqlite3_stmt* statement = nullptr;
    check(sqlite3_prepare_v2(database_, sql, -1, &statement, nullptr));
    Statement owned(statement);
    check(sqlite3_bind_text64(statement, 1, key.data(), key.size(), SQLITE_STATIC, SQLITE_UTF8));
    return owned;
  }
  static std::string text(sqlite3_stmt* statement, int column) {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement, column));
    return {data, static_cast<size_t>(sqlite3_column_bytes(statement, column))};
  }
  void check(int code) const {
    if (code != SQLITE_OK && code != SQLITE_DONE) throw UpgradeFailure{error_of(database_, code, path_)};
  }

  sqlite3* database_;
  const std::string& path_;
  std::int64_t version_;
};

Result<void> SqliteLog::run_steps(int form) {
  if (auto done = execute("BEGIN IMMEDIATE"); !done) return done;
  const auto version = number("SELECT version FROM meta");
  if (!version) return brume::fail(version.error());
  try {
    SqliteEntries entries(database_.get(), path_, *version + 1);
    for (const auto& each : upgrade_.steps) {
      if (each.to <= form) continue;
      if (auto done = each.upgrade(entries); !done) return done;
      reached("step");
    }
  } catch (const UpgradeFailure& failure) {
    return brume::fail(failure.error);
  }
  return execute(fmt::format("UPDATE meta SET version=version+1;"
                             "CREATE TABLE IF NOT EXISTS form(name TEXT NOT NULL);"
                             "DELETE FROM form;"
                             "INSERT INTO form VALUES('{}');"
                             "PRAGMA user_version={};"
                             "COMMIT",
                             upgrade_.steps.back().name, upgrade_.current())
                     .c_str());
}

// Gives the write-ahead log its size at once: SQLite goes on writing over it from its start after each checkpoint, so no sync has to
// make a larger file durable too, which takes the file system a second write. Zeros behind the last transaction are no frame, and end
// a recovery as the end of the file does. Where there is no room for it, it grows as it is needed.
void SqliteLog::lay_out_log() {
  const std::string name = path_ + "-wal";
  const Descriptor file(::open(name.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return;
  const std::string zeros(1 << 20, '\0');
  off_t end = ::lseek(file.get(), 0, SEEK_END);
  while (end >= 0 && end < log_bytes) {
    const auto room = static_cast<size_t>(std::min<off_t>(log_bytes - end, static_cast<off_t>(zeros.size())));
    const ssize_t written = ::pwrite(file.get(), zeros.data(), room, end);
    if (written <= 0) return;
    end += written;
  }
}

Result<void> SqliteLog::execute(const char* sql) {
  const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(code);
  return {};
}

Result<Statement> SqliteLog::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return failure(code);
  return Statement(statement);
}

Result<std::int64_t> SqliteLog::number(const char* sql) {
  const auto statement = prepare(sql);
  if (!statement) return brume::fail(statement.error());
  const int code = sqlite3_step(statement->get());
  if (code == SQLITE_DONE) return brume::fail(ErrorKind::broken, path_ + " misses its version");
  if (code != SQLITE_ROW) return failure(code);
  return sqlite3_column_int64(statement->get(), 0);
}

Result<void> SqliteLog::step(sqlite3_stmt* statement) {
  const int code = sqlite3_step(statement);
  Result<void> done;
  if (code != SQLITE_DONE && code != SQLITE_ROW) done = failure(code);
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  return done;
}

Result<std::uint64_t> SqliteLog::load(const std::function<void(std::string_view key, std::string_view value)>& entry) {
  const std::lock_guard guard(mutex_);
  const auto statement = prepare("SELECT key, value FROM log ORDER BY key");
  if (!statement) return brume::fail(statement.error());
  sqlite3_stmt* const rows = statement->get();
  const auto text = [rows](int column) {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(rows, column));
    return std::string_view(data, static_cast<size_t>(sqlite3_column_bytes(rows, column)));
  };
  int code = SQLITE_OK;
  while ((code = sqlite3_step(rows)) == SQLITE_ROW) entry(text(0), text(1));
  if (code != SQLITE_DONE) return failure(code);
  return version_;
}

Result<std::unique_ptr<LogWatch>> SqliteLog::watch(std::uint64_t from, LogSink sink) {
  const std::lock_guard guard(mutex_);
  if (from != version_) return brume::fail(ErrorKind::not_found, path_ + " keeps no history");
  return watchers_.add(std::move(sink));
}

Result<void> SqliteLog::write_all(const std::vector<LogWrite>& writes) {
  const auto next = static_cast<sqlite3_int64>(version_ + 1);
  for (const auto& write : writes) {
    sqlite3_stmt* const statement = write.value ? put_.get() : erase_.get();
    int code = sqlite3_bind_text64(statement, 1, write.key.data(), write.key.size(), SQLITE_STATIC, SQLITE_UTF8);
    if (code == SQLITE_OK && write.value) code = sqlite3_bind_blob64(statement, 2, write.value->data(), write.value->size(), SQLITE_STATIC);
    if (code == SQLITE_OK && write.value) code = sqlite3_bind_int64(statement, 3, next);
    if (code != SQLITE_OK) return failure(code);
    if (auto done = step(statement); !done) return done;
  }
  sqlite3_bind_int64(set_version_.get(), 1, next);
  return step(set_version_.get());
}

Result<std::uint64_t> SqliteLog::append(std::vector<LogWrite> writes, std::uint64_t expected) {
  const std::lock_guard guard(mutex_);
  if (expected != version_) return brume::fail(ErrorKind::conflict, path_ + " is at another version");
  // Before anything is written: after the commit nothing may fail.
  const auto batch = std::make_shared<const LogBatch>(LogBatch{version_ + 1, std::move(writes)});
  auto done = step(begin_.get());
  if (done) done = write_all(batch->writes);
  if (done) done = step(commit_.get());
  if (!done) {
    // Some failures have rolled back by themselves.
    if (sqlite3_get_autocommit(database_.get()) == 0) step(rollback_.get());
    return brume::fail(done.error());
  }
  version_ = batch->version;
  watchers_.tell(batch);
  return version_;
}

}  // namespace

Result<std::unique_ptr<Log>> open_sqlite_log(const std::string& path) { return open_sqlite_log(path, Upgrade()); }

Result<std::unique_ptr<Log>> open_sqlite_log(const std::string& path, const Upgrade& upgrade) {
  auto log = std::make_unique<SqliteLog>(path, upgrade);
  if (auto opened = log->open(); !opened) return brume::fail(opened.error());
  return std::unique_ptr<Log>(std::move(log));
}

}  // namespace brume::state
