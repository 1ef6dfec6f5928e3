#include "service/audit_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/descriptor.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "wire/json_writer.hpp"
#include "wire/plain_text.hpp"

namespace brume::service {
namespace {

constexpr std::string_view current_name = "audit.jsonl";
constexpr auto disk_retry_pause = std::chrono::seconds(1);

// Long enough for every name and ARN that means something. Some of it comes from people who are nobody's: a megabyte for each refused
// request would soon push out what the stream is for.
constexpr size_t longest_value = 256;

void text_member(wire::JsonWriter& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  std::string kept(value.substr(0, longest_value));
  // A line has to be JSON, whatever bytes were sent.
  if (!wire::is_text(kept))
    std::replace_if(
        kept.begin(), kept.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  out.key(name);
  out.value(kept);
}

std::string line_of(const AuditEvent& event) {
  wire::JsonWriter out;
  out.open_object();
  text_member(out, "time", format_iso8601(event.time));
  text_member(out, "requestId", event.request_id);
  text_member(out, "region", event.region);
  text_member(out, "account", event.account);
  text_member(out, "principal", event.principal);
  text_member(out, "accessKeyId", event.access_key_id);
  text_member(out, "calledBy", event.called_by);
  text_member(out, "service", event.service);
  text_member(out, "action", event.action);
  text_member(out, "version", event.version);
  text_member(out, "source", event.source);
  out.key("status");
  out.value(std::int64_t{event.status});
  text_member(out, "error", event.error);
  out.key("read");
  out.value(event.is_read);
  out.close_object();
  return out.take() + "\n";
}

}  // namespace

class AuditLog::Implementation {
 public:
  Implementation(std::string folder, const AuditSettings& settings) : folder_(std::move(folder)), settings_(settings) {}

  Result<void> open_current() {
    const auto path = folder_ + "/" + std::string(current_name);
    Descriptor file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
    if (!file) return fail_system("cannot open the audit file " + path, errno);
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) return fail_system("cannot look at the audit file " + path, errno);
    size_ = static_cast<std::uint64_t>(info.st_size);
    file_ = std::move(file);
    return {};
  }

  void start() {
    writer_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  }

  void add(const AuditEvent& event) {
    if (event.is_read && event.error.empty() && !settings_.reads) return;
    auto line = line_of(event);
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() + line.size() > settings_.waiting_bytes) {
        ++lost_, ++untold_;
        return;
      }
      waiting_ += line;
      ++added_;
    }
    changed_.notify_all();
  }

  void flush() {
    std::unique_lock lock(mutex_);
    const auto wanted = added_;
    changed_.wait(lock, [&] { return done_ >= wanted; });
  }

  std::uint64_t lost() const {
    const std::lock_guard lock(mutex_);
    return lost_;
  }

 private:
  void work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, stop, [&] { return !waiting_.empty(); });
      if (waiting_.empty()) return;  // stopped, and all is written
      auto lines = std::exchange(waiting_, {});
      const auto upto = added_;
      const auto untold = std::exchange(untold_, 0);
      lock.unlock();
      if (untold > 0) lines += fmt::format("{{\"lost\":{}}}\n", untold);
      const bool written = write_lines(lines);
      lock.lock();
      if (written) {
        done_ = upto;
        changed_.notify_all();
        continue;
      }
      // What could not be written waits at the front, the line about lost ones too; a pause, because a full disk stays full for a while.
      waiting_ = lines + waiting_;
      if (stop.stop_requested()) {
        const auto missing = static_cast<std::uint64_t>(std::count(waiting_.begin(), waiting_.end(), '\n'));
        lost_ += missing;
        log::error("audit", "{} lines of the audit stream are lost: {} cannot be written", missing, folder_);
        return;
      }
      done_ = upto;
      changed_.notify_all();
      changed_.wait_for(lock, stop, disk_retry_pause, [] { return false; });
    }
  }

  // All of them or, as far as another process can tell, none: what was written of them is cut off again.
  bool write_lines(std::string_view lines) {
    if (size_ >= settings_.file_bytes && !rotate()) return false;
    const auto before = size_;
    while (!lines.empty()) {
      const auto count = ::write(file_.get(), lines.data(), lines.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) {
        complain(errno);
        if (::ftruncate(file_.get(), static_cast<off_t>(before)) == 0) size_ = before;
        return false;
      }
      size_ += static_cast<std::uint64_t>(count);
      lines.remove_prefix(static_cast<size_t>(count));
    }
    complained_ = false;
    return true;
  }

  bool rotate() {
    const auto path = folder_ + "/" + std::string(current_name);
    const auto kept = fmt::format("{}/audit-{}-{}.jsonl", folder_, format_iso8601(system_now()), ++rotations_);
    if (::rename(path.c_str(), kept.c_str()) != 0) {
      complain(errno);
      return false;
    }
    if (auto opened = open_current(); !opened) {
      complain(errno);
      // Else the next attempt would find no file to rename.
      if (::rename(kept.c_str(), path.c_str()) != 0) complain(errno);
      return false;
    }
    remove_oldest();
    return true;
  }

  void remove_oldest() {
    std::vector<std::string> kept;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
      const auto name = entry.path().filename().string();
      if (name.starts_with("audit-") && name.ends_with(".jsonl")) kept.push_back(entry.path());
    }
    std::sort(kept.begin(), kept.end());  // by their times
    for (size_t i = 0; i + settings_.files <= kept.size(); ++i) std::filesystem::remove(kept[i], error);
  }

  static Time system_now() { return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now()); }

  void complain(int error) {
    if (std::exchange(complained_, true)) return;
    log::error("audit", "the audit stream cannot be written, it is tried again: {}", system_error(folder_, error).message);
  }

  const std::string folder_;
  const AuditSettings settings_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::string waiting_;
  std::uint64_t added_ = 0;
  std::uint64_t done_ = 0;  // written, or tried in vain once
  std::uint64_t lost_ = 0;
  std::uint64_t untold_ = 0;  // of them, not yet told in the stream
  // Of the writer's thread.
  Descriptor file_;
  std::uint64_t size_ = 0;
  int rotations_ = 0;
  bool complained_ = false;
  std::jthread writer_;  // the last member: it ends first
};

AuditLog::AuditLog(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
AuditLog::~AuditLog() = default;

Result<std::unique_ptr<AuditLog>> AuditLog::open(const std::string& folder, const AuditSettings& settings) {
  if (auto made = make_folders(folder); !made) return tl::unexpected(made.error());
  auto implementation = std::make_unique<Implementation>(folder, settings);
  if (auto opened = implementation->open_current(); !opened) return tl::unexpected(opened.error());
  implementation->start();
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(implementation)));
}

void AuditLog::add(const AuditEvent& event) { implementation_->add(event); }
void AuditLog::flush() { implementation_->flush(); }
std::uint64_t AuditLog::lost() const { return implementation_->lost(); }

}  // namespace brume::service
