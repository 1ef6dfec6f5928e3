// Serves the files of a folder to browsers, with entity tags, ranges and precompressed variants.
#pragma once

#include <string>
#include <string_view>

#include "wire/http/server.hpp"

namespace brume::wire {

struct StaticFilesSettings {
  std::string folder;
  std::string index = "index.html";  // of a folder
  std::string unchanging =
      "assets";  // files in this folder get a new name when they change, so clients may cache them for a year; others are revalidated
};

// Nothing outside the folder is given out: no links are followed, and names that begin with a dot are not there.
// Threads: any. Opens files where it is called, which may wait for a disk.
class StaticFiles {
 public:
  explicit StaticFiles(StaticFilesSettings settings) : settings_(std::move(settings)) {}

  // The answer to GET and HEAD of `path`, which is encoded and relative to the folder: 200, 206, 304, 404, 405, 416.
  HttpResponse answer(const HttpRequest& request, std::string_view path) const;

 private:
  StaticFilesSettings settings_;
};

}  // namespace brume::wire
