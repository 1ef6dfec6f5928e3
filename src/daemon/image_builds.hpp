// Starter images that are built while the cloud is in use: one after another, each by its recipe in processes of its own.
//
// A recipe is a folder with a program `build` (images/README.md). Its result goes into a folder that all homes of the host share, so that a
// second cloud does not build it again. A wanted image is kept as HOME/images/RECIPE.wanted until it is registered: a build that was cut
// off by the daemon's end begins anew at the next start.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace brume::daemon {

struct ImageBuild {
  std::string recipe;                                            // "debian-12"
  std::string recipes;                                           // the folder that contains it
  std::vector<std::pair<std::string, std::string>> environment;  // variables for the recipe: a mirror, a proxy
  std::string state = "waiting";                                 // then "building", "built" or "failed"
  std::string says;                                              // the last line of output, or why it failed
  std::string image_id;                                          // once it is built
  Time since{};                                                  // when `state` began
};

// Threads: every function may be called from any thread. The destructor ends a running build and its processes.
class ImageBuilds {
 public:
  struct Parts {
    std::string home;
    std::string cache;  // for all homes of this host; empty: images stay in the home
    const Clock& clock;
    // Makes an image from a built recipe's folder. Returns its id.
    std::function<Result<std::string>(const std::string& folder)> add;
  };

  explicit ImageBuilds(Parts parts);
  ~ImageBuilds();
  ImageBuilds(const ImageBuilds&) = delete;
  ImageBuilds& operator=(const ImageBuilds&) = delete;

  // Builds it, unless it waits or is being built already. `not_found`: there is no such recipe. `exhausted`: too many wait.
  Result<void> want(ImageBuild build);
  // Builds that an earlier daemon of this home was asked for and did not finish.
  void resume();
  std::vector<ImageBuild> list() const;

 private:
  void work(const std::stop_token& stop);
  Result<std::string> make(const ImageBuild& build, const std::stop_token& stop);
  void change(const std::string& recipe, const std::function<void(ImageBuild&)>& how);
  std::string log_of(const std::string& recipe) const;
  std::string wish_of(const std::string& recipe) const;

  Parts parts_;
  mutable std::mutex mutex_;
  std::condition_variable_any wanted_;
  std::vector<ImageBuild> builds_;  // guarded by mutex_; one per recipe
  std::jthread worker_;             // last member, because it uses all of the above
};

}  // namespace brume::daemon
