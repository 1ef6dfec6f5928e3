#include "daemon/image_builds.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/crypto.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

namespace brume::daemon {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_builds = 32;
constexpr auto stop_patience = std::chrono::hours(2);
// Debian updates its packages, so an older image is built anew.
constexpr auto image_life = std::chrono::hours(24 * 30);
// How long an image stays after a newer recipe's is there: homes may still import it, or have the older recipe.
constexpr auto superseded_life = std::chrono::hours(24 * 7);
constexpr std::size_t sum_digits = 16;
constexpr std::uint64_t mib = 1ULL << 20;

// What a build needs at its peak, including the packed result.
std::uint64_t room_for(const std::string& recipe) { return recipe == "tiny" ? 500 * mib : 3000 * mib; }

bool is_recipe_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name.front() != '.' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == std::string_view::npos;
}

// Covers the recipe's files and those that all recipes share: a changed recipe is built anew.
std::string sum_of(const std::string& recipes, const std::string& recipe) {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const auto& part : {recipe, std::string("lib")})
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(recipes) / part, ignored))
      if (entry.is_regular_file(ignored)) files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  std::string all;
  for (const auto& file : files) {
    all += file.substr(recipes.size());
    all += to_hex(sha256(read_file(file).value_or(std::string())));
  }
  return to_hex(sha256(all)).substr(0, sum_digits);
}

// Whether a finished image is there that is not too old.
bool is_built(const std::string& folder, Time now) {
  struct stat status {};
  if (::stat((folder + "/image.json").c_str(), &status) != 0) return false;
  return std::chrono::seconds(status.st_mtime) + image_life > now.time_since_epoch();
}

// Of older versions of the recipe, or builds that were cut off and never taken up. What a home imports at the time is younger.
void remove_superseded(const std::string& cache, const std::string& recipe, const std::string& kept, Time now) {
  const auto stem = recipe + "-";
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(cache, ignored)) {
    const auto name = entry.path().filename().string();
    const auto sum = name.starts_with(stem) ? std::string_view(name).substr(stem.size()) : std::string_view();
    if (entry.path() == kept || sum.size() != sum_digits || sum.find_first_not_of("0123456789abcdef") != std::string_view::npos) continue;
    struct stat status {};
    if (::stat((entry.path().string() + "/image.json").c_str(), &status) != 0 && ::stat(entry.path().c_str(), &status) != 0) continue;
    if (std::chrono::seconds(status.st_mtime) + superseded_life > now.time_since_epoch()) continue;
    const auto removed = fs::remove_all(entry.path(), ignored);
    if (removed != static_cast<std::uintmax_t>(-1))
      log::info("images", "removed {}, which a newer image has superseded", entry.path().string());
  }
}

std::string last_line(const std::string& file) {
  const auto tail = read_file_tail(file, 400);
  if (!tail) return {};
  const auto text = trim(*tail);
  return std::string(trim(text.substr(text.rfind('\n') == std::string_view::npos ? 0 : text.rfind('\n'))));
}

}  // namespace

ImageBuilds::ImageBuilds(Parts parts) : parts_(std::move(parts)), worker_([this](const std::stop_token& stop) { work(stop); }) {}

ImageBuilds::~ImageBuilds() = default;

std::string ImageBuilds::log_of(const std::string& recipe) const { return parts_.home + "/images/" + recipe + ".log"; }
std::string ImageBuilds::wish_of(const std::string& recipe) const { return parts_.home + "/images/" + recipe + ".wanted"; }

Result<void> ImageBuilds::want(ImageBuild build) {
  if (!is_recipe_name(build.recipe) || ::access((build.recipes + "/" + build.recipe + "/build").c_str(), X_OK) != 0)
    return fail(ErrorKind::not_found, "there is no recipe '" + build.recipe + "' in " + build.recipes);
  if (auto made = make_folders(parts_.home + "/images", 0711); !made) return made;
  // One value per line; a value that contains a line break is used for this build only.
  std::string wish = build.recipes + "\n";
  for (const auto& [name, value] : build.environment)
    if (value.find('\n') == std::string::npos) wish += name + "=" + value + "\n";
  const std::lock_guard lock(mutex_);
  const auto known = std::find_if(builds_.begin(), builds_.end(), [&](const ImageBuild& each) { return each.recipe == build.recipe; });
  if (known != builds_.end() && (known->state == "waiting" || known->state == "building")) return {};
  if (known != builds_.end()) builds_.erase(known);
  if (builds_.size() >= most_builds) return fail(ErrorKind::exhausted, "too many images are to be built");
  if (auto kept = write_file(wish_of(build.recipe), wish, 0600); !kept) return kept;
  build.state = "waiting";
  build.since = parts_.clock.now();
  builds_.push_back(std::move(build));
  wanted_.notify_all();
  return {};
}

void ImageBuilds::resume() {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(parts_.home + "/images", ignored)) {
    if (entry.path().extension() != ".wanted") continue;
    const auto wish = read_file(entry.path().string());
    if (!wish) continue;
    ImageBuild build;
    build.recipe = entry.path().stem().string();
    for (const auto line : split(*wish, '\n'))
      if (build.recipes.empty())
        build.recipes = line;
      else if (const auto equals = line.find('='); equals != std::string_view::npos)
        build.environment.emplace_back(line.substr(0, equals), line.substr(equals + 1));
    if (auto wanted = want(std::move(build)); !wanted)
      log::warning("images", "cannot continue the build of an image: {}", wanted.error().message);
  }
}

std::vector<ImageBuild> ImageBuilds::list() const {
  std::vector<ImageBuild> builds;
  {
    const std::lock_guard lock(mutex_);
    builds = builds_;
  }
  for (auto& build : builds)
    if (build.state == "building") build.says = last_line(log_of(build.recipe));
  return builds;
}

void ImageBuilds::change(const std::string& recipe, const std::function<void(ImageBuild&)>& how) {
  const std::lock_guard lock(mutex_);
  for (auto& build : builds_)
    if (build.recipe == recipe) how(build), build.since = parts_.clock.now();
}

void ImageBuilds::work(const std::stop_token& stop) {
  while (true) {
    ImageBuild next;
    {
      std::unique_lock lock(mutex_);
      const auto waiting = [this] {
        return std::find_if(builds_.begin(), builds_.end(), [](const ImageBuild& each) { return each.state == "waiting"; });
      };
      if (!wanted_.wait(lock, stop, [&] { return waiting() != builds_.end(); })) return;
      const auto first = waiting();
      first->state = "building";
      first->since = parts_.clock.now();
      next = *first;
    }
    auto made = make(next, stop);
    // A build that was cut off continues at the next start.
    if (!made && stop.stop_requested()) return;
    ::unlink(wish_of(next.recipe).c_str());
    if (made)
      log::info("images", "the image {} is built: {}", next.recipe, *made);
    else
      log::error("images", "the image {} could not be built: {}", next.recipe, made.error().message);
    change(next.recipe, [&](ImageBuild& build) {
      build.state = made ? "built" : "failed";
      build.says = made ? std::string() : made.error().message;
      if (made) build.image_id = *made;
    });
  }
}

Result<std::string> ImageBuilds::make(const ImageBuild& build, const std::stop_token& stop) {
  // An image that somebody put into the home is taken as it is.
  auto folder = parts_.home + "/images/" + build.recipe;
  if (path_exists(folder + "/image.json")) return parts_.add(folder);
  if (!parts_.cache.empty() && make_folders(parts_.cache, 0755))
    folder = parts_.cache + "/" + build.recipe + "-" + sum_of(build.recipes, build.recipe);
  if (is_built(folder, parts_.clock.now())) return parts_.add(folder);
  if (auto made = make_folders(folder, 0755); !made) return fail(made.error());
  if (const auto free = free_bytes(folder); free && *free < room_for(build.recipe))
    return fail(ErrorKind::exhausted, "there is not enough room: " + std::to_string(room_for(build.recipe) / mib) + " MiB are needed in " +
                                          folder + ", " + std::to_string(*free / mib) + " MiB are free");
  Command command;
  command.program = build.recipes + "/" + build.recipe + "/build";
  command.arguments = {folder};
  command.environment = build.environment;
  command.output_file = log_of(build.recipe);
  ::unlink(command.output_file.c_str());
  auto result = run(command, stop_patience, stop);
  if (!result) return fail(result.error());
  if (result->status != 0)
    return fail(ErrorKind::broken, "the last it said (all of it is in " + command.output_file + "):\n" +
                                       read_file_tail(command.output_file, 1500).value_or(""));
  if (folder.starts_with(parts_.cache + "/")) remove_superseded(parts_.cache, build.recipe, folder, parts_.clock.now());
  return parts_.add(folder);
}

}  // namespace brume::daemon
