// Shows the person at the terminal how anything that takes longer than a second proceeds. It writes to standard error, so that standard
// output stays fit for pipes; on a terminal the line is rewritten, elsewhere each step prints a line.
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

  // How far it is: "42 %", or the current step.
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
