// Child processes as base/process.hpp runs them.
#include "base/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <future>

namespace brume {
namespace {

// Says when the last process that has the other end is gone, or as much as a byte was written.
class Ends {
 public:
  Ends() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return;
    read_ = Descriptor(ends[0]);
    write_ = Descriptor(ends[1]);
  }
  int given() const { return write_.get(); }
  void keep_none() { write_.close(); }
  bool comes() const {
    pollfd wait{read_.get(), POLLIN, 0};
    return ::poll(&wait, 1, 10'000) == 1;
  }
  // Whatever is said before.
  bool is_over() const {
    char byte = 0;
    while (comes())
      if (::read(read_.get(), &byte, 1) == 0) return true;
    return false;
  }
  bool speaks() const {
    char byte = 0;
    return comes() && ::read(read_.get(), &byte, 1) == 1;
  }

 private:
  Descriptor read_;
  Descriptor write_;
};

// Says a byte on descriptor 3 and stays.
Command speak_and_stay(int descriptor) {
  Command command;
  command.program = "sh";
  command.arguments = {"-c", "echo >&3; exec sleep 600"};
  command.descriptors = {{descriptor, 3}};
  return command;
}

TEST(Process, TakesItsInputAndSaysItsOutputAndStatus) {
  Command command;
  command.program = "sh";
  command.arguments = {"-c", "cat; echo trouble >&2; exit 3"};
  command.input = std::string(300'000, 'x');
  const auto done = run(command);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->status, 3);
  EXPECT_EQ(done->output, command.input);
  EXPECT_EQ(done->errors, "trouble\n");
  EXPECT_EQ(run_checked(command).error().kind, ErrorKind::broken);
}

TEST(Process, OneThatIsNotThereIsAnError) {
  Command command;
  command.program = "/nowhere/at-all";
  EXPECT_EQ(run(command).error().kind, ErrorKind::not_found);
}

TEST(Process, IsKilledWhenItsTimeIsOver) {
  Ends alive;
  const auto command = speak_and_stay(alive.given());
  EXPECT_EQ(run(command, milliseconds(200)).error().kind, ErrorKind::timed_out);
  alive.keep_none();
  EXPECT_TRUE(alive.is_over());
}

TEST(Process, IsKilledWhenItIsToStop) {
  Ends alive;
  std::stop_source stop;
  auto running = std::async(std::launch::async, [&] { return run(speak_and_stay(alive.given()), seconds(60), stop.get_token()); });
  ASSERT_TRUE(alive.speaks());
  stop.request_stop();
  const auto done = running.get();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->status, 128 + SIGKILL);
  // And at once when that was known before.
  const auto again = run(speak_and_stay(alive.given()), seconds(60), stop.get_token());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->status, 128 + SIGKILL);
}

TEST(Process, MayEndWithUs) {
  Ends alive;
  const pid_t us = ::fork();
  if (us == 0) {
    auto command = speak_and_stay(alive.given());
    command.ends_with_us = true;
    [[maybe_unused]] const auto done = run(command, seconds(60));
    ::_exit(1);
  }
  alive.keep_none();
  ASSERT_TRUE(alive.speaks());
  ::kill(us, SIGKILL);
  EXPECT_TRUE(alive.is_over());
  ::waitpid(us, nullptr, 0);
}

}  // namespace
}  // namespace brume
