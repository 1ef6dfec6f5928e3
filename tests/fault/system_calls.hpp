// System calls that fail when a test says so. The program defines the functions of the C library that open, change, sync and rename
// files, and hands each call on: so everything in the process passes here, also the standard library's folders and SQLite.
#pragma once

#include <functional>
#include <string>

namespace brume::faults {

// From now until it goes, the calls of this process that have to do with files below `folder` are counted, and the one with the number
// `at` (from 1) fails.
class Injection {
 public:
  // `error` 0: the errno that is likeliest for the call: EMFILE for what opens, ENOSPC for what makes or writes, else EIO.
  Injection(const std::string& folder, int at, int error);
  ~Injection();
  Injection(const Injection&) = delete;
  Injection& operator=(const Injection&) = delete;

  bool struck() const;
  // The call that failed: "rename /tmp/x/volumes/vol-1.part".
  std::string where() const;
};

// While it lives, calls are neither counted nor failed: what the test does itself.
class Pause {
 public:
  Pause();
  ~Pause();
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;

 private:
  const bool was_armed_;
};

// A new folder, in memory where there is room: thousands of syncs wait for no disk.
std::string make_test_folder();

// Called after each sync that succeeded, with the path of the file or folder; it is not counted itself.
void on_sync(std::function<void(const std::string& path)> synced);

}  // namespace brume::faults
