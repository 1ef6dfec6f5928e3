#include "daemon/home_check.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <vector>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "control/controller.hpp"
#include "engines/block/formatted_stores.hpp"

namespace brume::daemon {
namespace {

namespace fs = std::filesystem;

constexpr const char* id_setting = "home-id";
constexpr size_t id_size = 32;
constexpr size_t most_named = 5;

template <class Take>
void each_entry(const fs::path& folder, const Take& take) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) take(entry);
}

std::string name_of(const fs::directory_entry& entry) { return entry.path().filename().string(); }

// "3 machines (i-1, i-2, i-3)"
std::string count_of(const std::set<std::string>& names, std::string_view one, std::string_view many) {
  std::vector<std::string> shown(names.begin(), std::next(names.begin(), static_cast<std::ptrdiff_t>(std::min(names.size(), most_named))));
  if (names.size() > most_named) shown.emplace_back("…");
  return fmt::format("{} {} ({})", names.size(), names.size() == 1 ? one : many, fmt::join(shown, ", "));
}

std::string how_to_go_on(const std::string& home) {
  return fmt::format(
      "Nothing was changed. Put the state.db back that belongs to this home; or, to begin anew, move {0} away ('brume --home {0} down' "
      "first, "
      "if machines still run); or run 'brumed --home {0} --adopt-state' once: what the state does not know is then set aside, not removed",
      home);
}

tl::unexpected<Error> refuse(const std::string& home, const std::string& why) {
  return fail(ErrorKind::refused, why + ". " + how_to_go_on(home));
}

// Files are made after their record and go before it, so at most a crash in between leaves one that no record knows.
bool lacks_most(const StateFacts& state, const HomeContents& contents) {
  return state.unknown_disks * 2 > contents.disks.size() || state.unknown_machines * 2 > contents.machines.size();
}

}  // namespace

std::string HomeContents::describe() const {
  std::vector<std::string> parts;
  if (!disks.empty())
    parts.push_back(count_of(disks, "volume or snapshot", "volumes and snapshots"));
  else if (layers > 0)
    parts.push_back(fmt::format("{} files of disks in blocks/layers", layers));
  if (!machines.empty()) parts.push_back(count_of(machines, "machine", "machines"));
  if (!networks.empty()) parts.push_back(count_of(networks, "network", "networks"));
  if (!regions.empty()) parts.push_back(count_of(regions, "region", "regions"));
  if (parts.empty()) return "nothing";
  std::string text = parts.front();
  for (size_t i = 1; i < parts.size(); ++i) text += (i + 1 == parts.size() ? " and " : ", ") + parts[i];
  return text;
}

HomeContents look_through_home(const std::string& home) {
  HomeContents contents;
  for (const auto* folder : {"blocks/volumes", "blocks/snapshots"})
    each_entry(fs::path(home) / folder, [&](const fs::directory_entry& entry) {
      // A link; in homes of before there were layers the file itself.
      const bool is_file = !entry.is_symlink() && entry.path().extension() == ".qcow2";
      if (!entry.is_symlink() && !is_file) return;
      const auto id = is_file ? entry.path().stem().string() : name_of(entry);
      // Made once for all, and of no record.
      if (entry.path().extension() != ".part" && !block::is_formatted_id(id)) contents.disks.insert(id);
    });
  each_entry(fs::path(home) / "blocks/layers", [&](const fs::directory_entry& entry) {
    if (entry.path().extension() == ".qcow2" && !block::is_formatted_id(name_of(entry))) ++contents.layers;
  });
  const auto folders_of = [&](const char* place, std::set<std::string>& names) {
    each_entry(fs::path(home) / place, [&](const fs::directory_entry& entry) {
      if (entry.is_directory()) names.insert(name_of(entry));
    });
  };
  folders_of("machines", contents.machines);
  folders_of("network/vpcs", contents.networks);
  folders_of("regions", contents.regions);
  return contents;
}

Result<std::optional<HomeMark>> read_home_mark(const std::string& home) {
  const auto path = home + "/home-id";
  if (!path_exists(path)) return std::nullopt;
  const auto text = read_file(path, 256);
  if (!text) return fail(text.error());
  const auto parts = split(trim(*text), ' ');
  const auto version = parts.size() == 2 ? parse_integer(parts[1]) : std::nullopt;
  if (!version || *version < 0 || parts[0].size() != id_size)
    return fail(ErrorKind::broken, path +
                                       " does not hold an id and a number; it says which state.db belongs to this home. "
                                       "If the state.db that is there does, remove the file: it is made anew");
  return HomeMark{std::string(parts[0]), static_cast<std::uint64_t>(*version)};
}

Result<void> write_home_mark(const std::string& home, const HomeMark& mark) {
  return write_file(home + "/home-id", fmt::format("{} {}\n", mark.id, mark.version));
}

StateFacts examine_state(const state::World& world, const HomeContents& contents) {
  StateFacts facts;
  if (const auto* id = world.find<state::Setting>(id_setting)) facts.id = id->value;
  facts.version = world.version();
  facts.empty = world.size<state::Account>() == 0;
  const auto known = control::known_disks(world);
  facts.unknown_disks = static_cast<size_t>(
      std::count_if(contents.disks.begin(), contents.disks.end(), [&](const std::string& id) { return known.count(id) == 0; }));
  facts.unknown_machines =
      static_cast<size_t>(std::count_if(contents.machines.begin(), contents.machines.end(), [&](const std::string& id) {
        return world.find_indexed<state::Instance>(state::Index::instance_by_id, id) == nullptr;
      }));
  return facts;
}

Result<Records> judge_records(const std::string& home, const HomeContents& contents, const std::optional<HomeMark>& mark,
                              const StateFacts& state, bool adopt) {
  if (adopt) return Records::proven;
  const auto file = home + "/state.db";
  if (state.empty) {
    if (contents.empty() && !mark) return Records::proven;
    return refuse(home, fmt::format("{} holds no records, but this is no first start: {} holds {}", file, home,
                                    contents.empty() ? "the id of a state that was here" : contents.describe()));
  }
  const bool both = mark && !state.id.empty();
  if (both && mark->id != state.id)
    return refuse(home, fmt::format("{} is the state of another home; this one holds {}", file, contents.describe()));
  if (lacks_most(state, contents))
    return refuse(
        home, fmt::format("{} does not know {} of the {} volumes and snapshots and {} of the {} machines that {} holds, which are {}", file,
                          state.unknown_disks, contents.disks.size(), state.unknown_machines, contents.machines.size(), home,
                          contents.describe()));
  if (!both) return Records::plausible;
  if (state.version < mark->version && state.unknown_disks + state.unknown_machines > 0)
    return refuse(home, fmt::format("{} is older than what this home has seen (change {} after {}), and does not know all that the home "
                                    "holds, which is {}",
                                    file, state.version, mark->version, contents.describe()));
  return Records::proven;
}

Result<Records> HomeCheck::judge(const state::World& world) {
  const auto contents = look_through_home(home_);
  auto mark = read_home_mark(home_);
  if (!mark) return fail(mark.error());
  if (*mark) id_ = (*mark)->id;
  // Of the same kind: another key would be made, and open nothing.
  bool has_encrypted = false;
  world.each<state::Volume>("", [&](const state::Volume& volume) { has_encrypted |= !volume.wrapped_key.empty(); });
  world.each<state::Snapshot>("", [&](const state::Snapshot& snapshot) { has_encrypted |= !snapshot.wrapped_key.empty(); });
  if (const auto key = home_ + "/volumes.key"; has_encrypted && !path_exists(key))
    return fail(ErrorKind::refused, key + " is gone, without which no encrypted volume or snapshot can be read. Put it back from a copy");
  const auto judged = judge_records(home_, contents, *mark, examine_state(world, contents), adopt_);
  if (judged && *judged == Records::plausible && !contents.empty())
    log::info("daemon", "{} gets an id that its state.db has too; what no record knows stays until the next start", home_);
  accepted_ = judged.has_value();
  return judged;
}

void HomeCheck::keep_id(state::Transaction& transaction) {
  if (transaction.find<state::Setting>(id_setting) == nullptr)
    transaction.put(state::Setting{id_setting, id_.empty() ? transaction.random().hex(id_size) : id_});
}

Result<void> HomeCheck::note(const state::World& world) const {
  const auto* kept = world.find<state::Setting>(id_setting);
  return !accepted_ || kept == nullptr ? Result<void>() : write_home_mark(home_, {kept->value, world.version()});
}

Result<void> check_state_file(const std::string& home, bool adopt) {
  std::error_code ignored;
  std::error_code code;
  const auto file = home + "/state.db";
  const bool is_there = path_exists(file);
  if (is_there && fs::file_size(file, ignored) > 0) return {};
  const auto log = file + "-wal";
  const bool has_log = path_exists(log) && fs::file_size(log, ignored) > 0;
  if (adopt) {
    // Not for SQLite to remove.
    if (has_log) fs::rename(log, log + ".aside", code);
    if (code) return fail_system("cannot move " + log + " aside", code.value());
    return {};
  }
  const auto contents = look_through_home(home);
  if (contents.empty() && !has_log && !path_exists(home + "/home-id")) return {};
  const auto held = !contents.empty() ? contents.describe()
                    : has_log         ? std::string("state.db-wal")
                                      : std::string("the id of a state that was here");
  return refuse(home, fmt::format("{} is {}, but this is no first start: {} holds {}", file, is_there ? "empty" : "gone", home, held));
}

}  // namespace brume::daemon
