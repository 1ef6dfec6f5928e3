#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/process.hpp"
#include "cli/admin_client.hpp"
#include "cli/commands.hpp"
#include "cli/progress.hpp"

namespace brume::cli {

namespace json = boost::json;

namespace {

// The image of this name that can be launched or soon can; its failed predecessors do not count.
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
    // The daemon has no way to call us back; a command that waits may look again.
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

// Runs the recipe; its lines are shown as they come.
Result<void> run_recipe(const std::string& recipe, const std::string& output, Step& step) {
  Command command;
  command.program = images_folder() + "/" + recipe + "/build";
  command.arguments = {output};
  command.output_file = output + ".log";
  for (const char* name : {"http_proxy", "https_proxy", "BRUME_IMAGE_MIRROR", "BRUME_IMAGE_SUITE", "HOME"})
    if (const char* value = std::getenv(name)) command.environment.emplace_back(name, value);
  std::jthread watcher([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (const auto tail = read_file_tail(command.output_file, 400)) {
        const auto end = tail->find_last_not_of('\n');
        const auto begin = end == std::string::npos ? end : tail->rfind('\n', end);
        if (end != std::string::npos)
          step.update(tail->substr(begin == std::string::npos ? 0 : begin + 1, end - (begin == std::string::npos ? 0 : begin)));
      }
      std::this_thread::sleep_for(milliseconds(300));
    }
  });
  ::unlink(command.output_file.c_str());
  auto result = run(command, std::chrono::minutes(30));
  if (!result) return fail(result.error());
  if (result->status == 0) return {};
  return fail(ErrorKind::broken, "building the image failed; the last it said (all of it is in " + command.output_file + "):\n" +
                                     read_file_tail(command.output_file, 1500).value_or(""));
}

Result<std::string> register_recipe(const AdminClient& admin, const std::string& folder) {
  auto described = read_file(folder + "/image.json");
  if (!described) return fail(described.error());
  boost::system::error_code failure;
  const auto image = json::parse(*described, failure);
  if (failure || !image.is_object()) return fail(ErrorKind::broken, folder + "/image.json is not JSON");
  json::object body{{"name", image.at("name")},
                    {"description", image.at("description")},
                    {"architecture", image.at("architecture")},
                    {"rootDeviceName", image.at("root_device_name")},
                    {"disk", folder + "/" + text(image, "disk")},
                    {"sizeGib", image.at("virtual_size_gib")},
                    {"public", true}};
  if (!text(image, "kernel").empty()) body["kernel"] = folder + "/" + text(image, "kernel");
  if (!text(image, "ramdisk").empty()) body["ramdisk"] = folder + "/" + text(image, "ramdisk");
  if (!text(image, "kernel_command_line").empty()) body["kernelArguments"] = image.at("kernel_command_line");
  auto made = admin.post("/images", body);
  if (!made) return fail(made.error());
  return text(*made, "id");
}

}  // namespace

Result<std::string> provide_image(const AdminClient& admin, const std::string& recipe) {
  auto id = find_image(admin, recipe);
  if (!id) return id;
  if (id->empty()) {
    const auto folder = admin.home() + "/images/" + recipe;
    if (auto made = make_folders(admin.home() + "/images", 0711); !made) return fail(made.error());
    if (!path_exists(folder + "/image.json")) {
      const auto recipes = recipe_names();
      if (std::find(recipes.begin(), recipes.end(), recipe) == recipes.end())
        return fail(ErrorKind::not_found, "there is no recipe '" + recipe + "'; in " + images_folder() +
                                              " are: " + (recipes.empty() ? "none" : fmt::format("{}", fmt::join(recipes, ", "))));
      Step step("building the image " + recipe);
      if (auto built = run_recipe(recipe, folder, step); !built) return fail(built.error());
      step.done();
    }
    id = register_recipe(admin, folder);
    if (!id) return id;
  }
  Step step("image " + recipe);
  if (auto ready = wait_until_available(admin, *id, step); !ready) return fail(ready.error());
  step.done(*id);
  return id;
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
