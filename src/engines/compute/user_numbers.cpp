#include "engines/compute/user_numbers.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/files.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace brume::compute {

std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

bool runs_processes(unsigned user) {
  std::error_code code;
  for (std::filesystem::directory_iterator at("/proc", code), end; !code && at != end; at.increment(code)) {
    const auto name = at->path().filename().string();
    if (!std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; })) continue;
    struct stat status {};
    if (::stat(at->path().c_str(), &status) != 0 || status.st_uid != user) continue;
    // A process that has ended and was not reaped yet does no harm.
    const auto text = read_file(at->path().string() + "/stat", 4096);
    const auto name_end = text ? text->rfind(')') : std::string::npos;
    if (name_end != std::string::npos && !text->substr(name_end).starts_with(") Z")) return true;
  }
  return false;
}

UserNumbers::UserNumbers(std::vector<std::string> folders, unsigned base, InUse in_use)
    : folders_(std::move(folders)), base_(base), in_use_(std::move(in_use)) {
  constexpr std::string_view suffix = ".user";
  std::vector<std::string> others;
  for (const auto& folder : folders_) {
    std::error_code code;
    for (std::filesystem::directory_iterator at(folder, code), end; !code && at != end; at.increment(code)) {
      const auto name = at->path().filename().string();
      std::error_code ignored;
      if (at->is_directory(ignored)) {
        others.push_back(name);
      } else if (name.size() > suffix.size() && name.ends_with(suffix)) {
        const auto text = read_file(at->path().string(), 64);
        const auto number = text ? parse_integer(trim(*text)) : std::nullopt;
        if (number && *number >= base_ && *number < static_cast<std::int64_t>(base_) + count)
          taken_.insert(by_id_[name.substr(0, name.size() - suffix.size())] = static_cast<unsigned>(*number));
      }
    }
  }
  // A machine without a record has the number of its hash.
  for (const auto& id : others)
    if (const auto [at, added] = by_id_.emplace(id, candidate(id)); added) taken_.insert(at->second);
}

unsigned UserNumbers::take(const std::string& id) {
  const std::lock_guard lock(mutex_);
  if (const auto found = by_id_.find(id); found != by_id_.end()) return found->second;
  auto number = candidate(id);
  for (unsigned turn = 0; turn < count && (taken_.contains(number) || in_use_(number)); ++turn)
    number = base_ + (number - base_ + 1) % count;
  by_id_[id] = number;
  taken_.insert(number);
  if (number == candidate(id)) return number;
  log::info("compute", "{} runs as user {}, because the number that follows from its id is taken", id, number);
  if (auto kept = write_file(file(id), std::to_string(number) + "\n", 0600); !kept) log::error("compute", "{}", kept.error().message);
  return number;
}

unsigned UserNumbers::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? candidate(id) : found->second;
}

void UserNumbers::give_back(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  if (found->second != candidate(id)) ::unlink(file(id).c_str());
  taken_.erase(found->second);
  by_id_.erase(found);
}

}  // namespace brume::compute
