// A folder of the block engine in which one operation is tried with each of its system calls failing, and what must be true after each.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace brume::faults {

// "volumes/vol-1" or "snapshots/snap-1" → the files that it reads, with what is in them.
using Content = std::map<std::string, std::map<std::string, std::string>>;
// Folder ("volumes") → link → what it names.
using Links = std::map<std::string, std::map<std::string, std::string>>;

// What the tests of the engine and of its LayerStore alone have in common.
class FaultHome {
 public:
  struct Operation {
    std::string name;
    std::function<Result<void>()> run;
    std::set<std::string> made = {};     // links that are there when it has succeeded
    std::set<std::string> gone = {};     // links that are not there any more
    std::set<std::string> changed = {};  // links whose files it may write to or replace; `intact` looks at them
    std::function<void()> intact = {};
  };
  // How the tested thing is begun anew on the folder, has it remove what is nobody's, and is ended.
  struct Subject {
    std::function<void()> begin;
    std::function<void()> collect;
    std::function<void()> end;
    std::string collected = {};  // a link that collect may take away
  };

  // `prepare` makes what is there before each try, once.
  FaultHome(Subject subject, const std::function<void(const std::string& folder)>& prepare);
  ~FaultHome();
  FaultHome(const FaultHome&) = delete;
  FaultHome& operator=(const FaultHome&) = delete;

  // Where the tries happen; the blocks are in blocks().
  const std::string& folder() const { return folder_; }
  std::string blocks() const { return folder_ + "/blocks"; }

  // Fails the first call, the second, and so on, until the operation needs no further one; with a stride of 3 one call in three. Returns
  // how many it failed.
  int try_all(const Operation& operation, int error, int stride = 1);

 private:
  bool try_one(const Operation& operation, int at, int error);
  void begin_anew();
  // What was acknowledged is whole, in the folder as it is and as a crash would leave it.
  void check(const Operation& operation, const std::string& when);
  void check_copy(const Operation& operation, const Links& links, const std::string& when) const;
  void acknowledge(const Operation& operation);

  Subject subject_;
  std::string folder_;
  std::string original_;
  std::string copy_;
  Content whole_;         // of the original
  Content acknowledged_;  // of this try
  std::set<std::string> removed_;
  Links durable_;
};

// Everything that the links in `blocks` lead to; a link that leads nowhere has no files.
Content content_of(const std::string& blocks);
Links links_of(const std::string& blocks);

}  // namespace brume::faults
