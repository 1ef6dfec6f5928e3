#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/time.hpp"
#include "cli/admin_client.hpp"
#include "cli/commands.hpp"
#include "cli/progress.hpp"

namespace brume::cli {

namespace json = boost::json;

namespace {

// The image of this name that can be launched, or soon can be; failed predecessors are ignored.
Result<std::string> find_image(const AdminClient& admin, const std::string& name) {
  auto list = admin.get("/images");
  if (!list) return fail(list.error());
  for (const auto& image : list->as_array())
    if (text(image, "name") == name && text(image, "type") == "machine" &&
        (text(image, "state") == "available" || text(image, "state") == "pending"))
      return text(image, "id");
  return std::string();
}

Result<void> wait_until_available(const AdminClient& admin, const std::string& id, Step& step) {
  while (true) {
    auto list = admin.get("/images");
    if (!list) return fail(list.error());
    std::string state;
    for (const auto& image : list->as_array()) {
      if (text(image, "id") != id) continue;
      state = text(image, "state");
      if (state == "failed") return fail(ErrorKind::broken, "the image cannot be used: " + text(image, "reason"));
      if (const auto* percent = image.as_object().if_contains("progress")) step.update("copied " + json::serialize(*percent) + " %");
    }
    if (state == "available") return {};
    if (state.empty()) return fail(ErrorKind::not_found, "the image is gone");
    // The daemon cannot call us back, so a waiting command polls.
    std::this_thread::sleep_for(milliseconds(100));
  }
}

// Folders with a program that builds an image.
std::vector<std::string> recipe_names() {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(images_folder(), ignored))
    if (::access((entry.path() / "build").c_str(), X_OK) == 0) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// Asks the daemon to build it; the build continues even if this command ends.
Result<void> ask_for_build(const AdminClient& admin, const std::string& recipe) {
  // A home may hold a built image whose recipe this installation does not have.
  const auto recipes = recipe_names();
  if (std::find(recipes.begin(), recipes.end(), recipe) == recipes.end())
    return fail(ErrorKind::not_found, "there is no recipe '" + recipe + "'; in " + images_folder() +
                                          " are: " + (recipes.empty() ? "none" : fmt::format("{}", fmt::join(recipes, ", "))));
  json::object environment;
  for (const char* name : {"http_proxy", "https_proxy", "BRUME_IMAGE_MIRROR", "BRUME_IMAGE_SUITE", "HOME"})
    if (const char* value = std::getenv(name)) environment[name] = value;
  auto asked = admin.post(
      "/image-builds",
      json::object{{"recipe", recipe}, {"recipes", std::filesystem::absolute(images_folder()).string()}, {"environment", environment}});
  if (!asked) return fail(asked.error());
  return {};
}

// Returns the image's id. The recipe's lines are shown as they come.
Result<std::string> wait_until_built(const AdminClient& admin, const std::string& recipe) {
  Step step("building the image " + recipe);
  while (true) {
    auto builds = admin.get("/image-builds");
    if (!builds) return fail(builds.error());
    const auto& list = builds->as_array();
    const auto* build = std::find_if(list.begin(), list.end(), [&](const json::value& each) { return text(each, "recipe") == recipe; });
    if (build == list.end()) return fail(ErrorKind::not_found, "the daemon was started anew meanwhile");
    const auto state = text(*build, "state");
    if (state == "failed") return fail(ErrorKind::broken, "building the image " + recipe + " failed: " + text(*build, "says"));
    if (state == "built") {
      step.done();
      return text(*build, "image");
    }
    step.update(state == "building" ? text(*build, "says") : "waiting for another image");
    std::this_thread::sleep_for(milliseconds(200));
  }
}

}  // namespace

Result<std::string> provide_image(const AdminClient& admin, const std::string& recipe) {
  auto id = find_image(admin, recipe);
  if (!id) return id;
  if (id->empty()) {
    if (auto asked = ask_for_build(admin, recipe); !asked) return fail(asked.error());
    id = wait_until_built(admin, recipe);
    if (!id) return id;
  }
  Step step("image " + recipe);
  if (auto ready = wait_until_available(admin, *id, step); !ready) return fail(ready.error());
  step.done(*id);
  return id;
}

Result<bool> provide_image_later(const AdminClient& admin, const std::string& recipe) {
  auto id = find_image(admin, recipe);
  if (!id) return fail(id.error());
  if (!id->empty()) return false;
  if (auto asked = ask_for_build(admin, recipe); !asked) return fail(asked.error());
  return true;
}

int image_build(const Options& options, const std::string& recipe) {
  const AdminClient admin(options.home);
  if (auto status = admin.get("/status"); !status) return complain(status.error());
  auto id = provide_image(admin, recipe);
  if (!id) return complain(id.error());
  std::printf("%s\n", id->c_str());
  return 0;
}

int image_import(const Options& options, const ImportOptions& import) {
  const AdminClient admin(options.home);
  auto made = admin.post("/images", json::object{{"name", import.name},
                                                 {"description", import.description},
                                                 {"architecture", import.architecture},
                                                 {"rootDeviceName", import.root_device_name},
                                                 {"account", import.account},
                                                 {"disk", std::filesystem::absolute(import.file).string()},
                                                 {"public", import.is_public}});
  if (!made) return complain(made.error());
  Step step("importing " + import.file);
  if (auto ready = wait_until_available(admin, text(*made, "id"), step); !ready) return complain(ready.error());
  step.done();
  std::printf("%s\n", text(*made, "id").c_str());
  return 0;
}

int image_list(const Options& options, bool as_json) {
  auto list = AdminClient(options.home).get("/images");
  if (!list) return complain(list.error());
  if (as_json) {
    std::printf("%s\n", json::serialize(*list).c_str());
    return 0;
  }
  for (const auto& image : list->as_array())
    std::printf("%s\t%s\t%s\t%s\t%s%s\n", text(image, "id").c_str(), text(image, "state").c_str(), text(image, "account").c_str(),
                text(image, "name").c_str(), image.at("public").as_bool() ? "public" : "private",
                text(image, "reason").empty() ? "" : ("\t" + text(image, "reason")).c_str());
  return 0;
}

}  // namespace brume::cli
