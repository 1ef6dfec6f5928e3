#include "base/process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/files.hpp"
#include "base/text.hpp"

namespace brume {
namespace {

constexpr std::string_view default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr size_t output_limit = 1 << 20;
constexpr size_t error_limit = 64 << 10;

std::string find_program(const std::string& program) {
  if (program.find('/') != std::string::npos) return program;
  for (const auto folder : split(default_path, ':')) {
    auto path = std::string(folder) + "/" + program;
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return program;
}

// Everything the child needs, made before the fork: afterwards only async-signal-safe calls are allowed.
class Prepared {
 public:
  explicit Prepared(const Command& command) : program_(find_program(command.program)), command_(command) {
    arguments_.push_back(command.program);
    arguments_.insert(arguments_.end(), command.arguments.begin(), command.arguments.end());
    environment_.push_back("PATH=" + std::string(default_path));
    environment_.push_back("LANG=C.UTF-8");
    for (const auto& [name, value] : command.environment) environment_.push_back(std::string(name).append("=").append(value));
    for (auto& text : arguments_) argument_pointers_.push_back(text.data());
    for (auto& text : environment_) environment_pointers_.push_back(text.data());
    argument_pointers_.push_back(nullptr);
    environment_pointers_.push_back(nullptr);
    // Descriptors are first duplicated above every target, so that no move overwrites the source of another.
    for (const auto& [ours, theirs] : command.descriptors) highest_target_ = std::max(highest_target_, theirs);
    duplicates_.resize(command.descriptors.size());
  }

  // Runs in the child and does not return; a failure is reported as errno on `report`.
  [[noreturn]] void become(int input, int output, int errors, int report) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    if (!enter_namespace() || !place(input, output, errors, report) || !drop_rights()) give_up(report_number());
    if (::chdir(command_.folder.empty() ? "/" : command_.folder.c_str()) != 0) give_up(report_number());
    ::execve(program_.c_str(), argument_pointers_.data(), environment_pointers_.data());
    give_up(report_number());
  }

 private:
  bool enter_namespace() const {
    if (command_.network_namespace.empty()) return true;
    const int handle = ::open(command_.network_namespace.c_str(), O_RDONLY | O_CLOEXEC);
    return handle >= 0 && ::setns(handle, CLONE_NEWNET) == 0;
  }

  bool place(int input, int output, int errors, int report) {
    const int floor = highest_target_ + 4;
    report_number_ = ::fcntl(report, F_DUPFD_CLOEXEC, floor);
    const std::array<int, 3> standard = {::fcntl(input, F_DUPFD_CLOEXEC, floor), ::fcntl(output, F_DUPFD_CLOEXEC, floor),
                                         ::fcntl(errors, F_DUPFD_CLOEXEC, floor)};
    for (size_t i = 0; i < duplicates_.size(); ++i) {
      duplicates_[i] = ::fcntl(command_.descriptors[i].first, F_DUPFD_CLOEXEC, floor);
      if (duplicates_[i] < 0) return false;
    }
    for (int number = 0; number < 3; ++number)
      if (::dup2(standard[static_cast<size_t>(number)], number) < 0) return false;
    // Close all other descriptors when exec succeeds; the ones that are handed over are set up below.
    ::syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
    for (size_t i = 0; i < duplicates_.size(); ++i)
      if (::dup2(duplicates_[i], command_.descriptors[i].second) < 0) return false;
    return true;
  }

  bool drop_rights() const {
    if (!command_.user) return true;
    return ::setgroups(0, nullptr) == 0 && ::setresgid(*command_.user, *command_.user, *command_.user) == 0 &&
           ::setresuid(*command_.user, *command_.user, *command_.user) == 0;
  }

  int report_number() const { return report_number_; }

  [[noreturn]] static void give_up(int report) {
    const int code = errno;
    [[maybe_unused]] const auto written = ::write(report, &code, sizeof code);
    ::_exit(127);
  }

  std::string program_;
  const Command& command_;
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::vector<char*> argument_pointers_;
  std::vector<char*> environment_pointers_;
  std::vector<int> duplicates_;
  int highest_target_ = 2;
  int report_number_ = -1;
};

struct Pipe {
  Descriptor read;
  Descriptor write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_system("cannot make a pipe", errno);
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

// 0 if exec succeeded, else the child's errno.
int wait_for_exec(int report) {
  int code = 0;
  ssize_t got = 0;
  do got = ::read(report, &code, sizeof code);
  while (got < 0 && errno == EINTR);
  return got == sizeof code ? code : 0;
}

// The caller still has to wait for it.
void wait_until_ended(pid_t process) {
  siginfo_t ended{};
  while (::waitid(P_PID, static_cast<id_t>(process), &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
}

int wait_for(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void take_available(Descriptor& from, std::string& into, size_t limit) {
  char buffer[16384];
  const auto got = ::read(from.get(), buffer, sizeof buffer);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) {
    from.close();
    return;
  }
  into.append(buffer, std::min(static_cast<size_t>(got), limit - std::min(limit, into.size())));
}

void give_available(Descriptor& to, std::string_view& rest) {
  if (!rest.empty()) {
    const auto done = ::write(to.get(), rest.data(), std::min<size_t>(rest.size(), 4096));
    if (done < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (done < 0)
      rest = {};
    else
      rest.remove_prefix(static_cast<size_t>(done));
  }
  if (rest.empty()) to.close();
}

// Feeds and drains the child until it has closed its output and taken its input. False: the time is over.
bool converse(Descriptor& input, std::string_view text, Descriptor& output, Descriptor& errors, CommandOutput& result, milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  ::fcntl(input.get(), F_SETFL, O_NONBLOCK);
  if (text.empty()) input.close();
  while (output || errors || input) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    std::array<pollfd, 3> waits = {pollfd{output.get(), POLLIN, 0}, pollfd{errors.get(), POLLIN, 0}, pollfd{input.get(), POLLOUT, 0}};
    if (::poll(waits.data(), waits.size(), static_cast<int>(std::min<std::int64_t>(left.count(), 60'000))) < 0) continue;
    if (waits[0].revents != 0) take_available(output, result.output, output_limit);
    if (waits[1].revents != 0) take_available(errors, result.errors, error_limit);
    if (waits[2].revents != 0) give_available(input, text);
  }
  return true;
}

Descriptor open_output(const Command& command) {
  if (command.output_file.empty()) return Descriptor(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  return Descriptor(::open(command.output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
}

}  // namespace

std::string Command::describe() const {
  std::string line = program;
  for (const auto& argument : arguments) {
    line += ' ';
    if (argument.empty() || argument.find_first_of(" \t\"'\\$") != std::string::npos)
      line += '\'' + argument + '\'';
    else
      line += argument;
  }
  return line;
}

Result<CommandOutput> run(const Command& command, milliseconds limit, const std::stop_token& stop) {
  Prepared prepared(command);
  auto input = make_pipe();
  auto output = make_pipe();
  auto errors = make_pipe();
  auto report = make_pipe();
  if (!input || !output || !errors || !report) return fail(ErrorKind::exhausted, "no descriptors left to start " + command.program);
  Descriptor file;
  if (!command.output_file.empty()) file = open_output(command);
  const pid_t us = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail_system("cannot start " + command.program, errno);
  if (child == 0) {
    ::setpgid(0, 0);
    // The signal comes when the thread that forked ends; that thread waits below until the command has ended.
    if (command.ends_with_us && (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != us)) ::_exit(127);
    prepared.become(input->read.get(), file ? file.get() : output->write.get(), file ? file.get() : errors->write.get(),
                    report->write.get());
  }
  input->read.close();
  output->write.close();
  errors->write.close();
  report->write.close();
  if (const int code = wait_for_exec(report->read.get()); code != 0) {
    wait_for(child);
    return fail_system("cannot start " + command.program, code);
  }
  // The process id belongs to the child until it has been waited for, so it is safe to kill until then.
  std::optional<std::stop_callback<std::function<void()>>> killer(std::in_place, stop, [child] { ::kill(-child, SIGKILL); });
  CommandOutput result;
  if (!converse(input->write, command.input, output->read, errors->read, result, limit)) {
    ::kill(-child, SIGKILL);
    killer.reset();
    wait_for(child);
    return fail(ErrorKind::timed_out, command.program + " did not end within " + std::to_string(limit.count() / 1000) + " s");
  }
  wait_until_ended(child);
  killer.reset();
  result.status = wait_for(child);
  return result;
}

Result<CommandOutput> run_checked(const Command& command, milliseconds limit) {
  auto result = run(command, limit);
  if (!result || result->status == 0) return result;
  auto reason = std::string(trim(result->errors.substr(0, 600)));
  if (reason.empty()) reason = std::string(trim(result->output.substr(0, 600)));
  return fail(ErrorKind::broken,
              command.describe().substr(0, 300) + " ended with status " + std::to_string(result->status) + ": " + reason);
}

Result<pid_t> start_detached(const Command& command) {
  Prepared prepared(command);
  auto report = make_pipe();
  auto identity = make_pipe();
  const Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Descriptor output = open_output(command);
  if (!report || !identity || !nothing || !output) return fail(ErrorKind::exhausted, "no descriptors left to start " + command.program);
  const pid_t child = ::fork();
  if (child < 0) return fail_system("cannot start " + command.program, errno);
  if (child == 0) {
    ::setsid();
    const pid_t grandchild = ::fork();
    if (grandchild != 0) {
      [[maybe_unused]] const auto written = ::write(identity->write.get(), &grandchild, sizeof grandchild);
      ::_exit(0);
    }
    prepared.become(nothing.get(), output.get(), output.get(), report->write.get());
  }
  report->write.close();
  identity->write.close();
  pid_t process = -1;
  const auto got = ::read(identity->read.get(), &process, sizeof process);
  wait_for(child);
  if (got != sizeof process || process < 0) return fail(ErrorKind::exhausted, "cannot start " + command.program + ": no process");
  if (const int code = wait_for_exec(report->read.get()); code != 0) return fail_system("cannot start " + command.program, code);
  return process;
}

std::optional<std::uint64_t> process_start_time(pid_t process) {
  const auto text = read_file("/proc/" + std::to_string(process) + "/stat");
  if (!text) return std::nullopt;
  // The name in parentheses may contain blanks, so fields are counted from its end. starttime is field 22, the 20th after the name.
  const auto name_end = text->rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  const auto fields = split(std::string_view(*text).substr(std::min(text->size(), name_end + 2)), ' ');
  // It has ended, and its parent has not waited for it yet.
  if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X") return std::nullopt;
  const auto value = parse_integer(fields[19]);
  if (!value) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

}  // namespace brume
