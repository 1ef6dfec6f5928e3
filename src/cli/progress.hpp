// What the person at the terminal sees of everything that takes longer than a second. Goes to standard error, so that standard output
// stays fit for pipes; on a terminal the line is rewritten, elsewhere a line is printed for each step.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace brume::cli {

class Step {
 public:
  explicit Step(std::string what);
  ~Step();  // says "failed" unless done was called
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

  // How far it is: "42 %", or what goes on inside.
  void update(std::string_view detail);
  void done(std::string_view result = {});

 private:
  void show(std::string_view detail, bool final);

  std::string what_;
  std::chrono::steady_clock::time_point begun_;
  std::chrono::steady_clock::time_point shown_;
  bool finished_ = false;
};

}  // namespace brume::cli
