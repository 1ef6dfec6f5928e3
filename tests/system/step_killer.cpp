#include "step_killer.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <map>
#include <string_view>

namespace brume::network::test {
namespace {

using Call = __ptrace_syscall_info;

// What the stopped process has at an address of its own; shorter where the memory ends.
std::string memory_of(pid_t process, std::uint64_t address, size_t size) {
  std::string bytes(size, '\0');
  const iovec ours{bytes.data(), size};
  const iovec theirs{reinterpret_cast<void*>(address), size};
  const auto got = ::process_vm_readv(process, &ours, 1, &theirs, 1, 0);
  bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return bytes;
}

std::string text_of(pid_t process, std::uint64_t address) {
  // In parts: behind the text the memory may end.
  std::string text;
  constexpr size_t part = 32;
  while (text.size() < 256) {
    const auto bytes = memory_of(process, address + text.size(), part);
    const auto end = bytes.find('\0');
    text += bytes.substr(0, end);
    if (bytes.size() < part || end != std::string::npos) break;
  }
  return text;
}

// A question to the kernel changes nothing: a dump, or one of rtnetlink's GETs.
bool only_asks(const std::string& message) {
  nlmsghdr header{};
  if (message.size() < sizeof header) return false;
  std::memcpy(&header, message.data(), sizeof header);
  constexpr int first_of_routes = 16;
  constexpr int last_of_routes = 127;
  constexpr int generation_of_tables = 10 << 8 | 16;  // NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN
  if ((header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP || header.nlmsg_type == generation_of_tables) return true;
  return header.nlmsg_type >= first_of_routes && header.nlmsg_type <= last_of_routes && (header.nlmsg_type & 3) == 2;
}

class Steps {
 public:
  // Also what only asks, and what runs out: sockets, room on the disk.
  std::string fallible_step(pid_t process, const Call& call) {
    const auto& arguments = call.entry.args;
    switch (call.entry.nr) {
      case SYS_sendto: return "send";
      case SYS_socket: return arguments[0] == AF_NETLINK ? "socket of netlink" : "";
      case SYS_setns: return "setns";
      case SYS_write:
      case SYS_writev: return writes_to_file(process, arguments[0]);
      case SYS_poll: return "";
      default: return step(process, call);
    }
  }
  // What the call is when it is a step; else empty.
  std::string step(pid_t process, const Call& call) {
    const auto& arguments = call.entry.args;
    const auto number = static_cast<long>(call.entry.nr);
    switch (number) {
      case SYS_sendto: return only_asks(memory_of(process, arguments[1], sizeof(nlmsghdr))) ? std::string() : "send";
      case SYS_sendmsg: return "sendmsg";
      case SYS_openat: return opens_for_change(process, arguments[1], arguments[2]);
      case SYS_open: return opens_for_change(process, arguments[0], arguments[1]);
      case SYS_ioctl: return arguments[1] == TUNSETIFF || arguments[1] == TUNSETPERSIST ? "ioctl of a tap" : "";
      case SYS_kill: return arguments[1] == 0 ? "" : "kill";
      case SYS_clone: polls_ = 0; return (arguments[0] & 0xFF) == SIGCHLD ? "fork" : "";
      // The second look at what a program says: it has been given its input by then, and is at work.
      case SYS_poll: return arguments[1] == 3 && ++polls_ == 2 ? "poll of a program" : "";
      case SYS_wait4: return "wait4";
      default: break;
    }
    static const std::map<long, std::pair<const char*, int>> by_path = {
        {SYS_rename, {"rename", 0}},     {SYS_renameat, {"renameat", 1}}, {SYS_renameat2, {"renameat2", 1}}, {SYS_unlink, {"unlink", 0}},
        {SYS_unlinkat, {"unlinkat", 1}}, {SYS_rmdir, {"rmdir", 0}},       {SYS_mkdir, {"mkdir", 0}},         {SYS_mkdirat, {"mkdirat", 1}},
        {SYS_mount, {"mount", 1}},       {SYS_umount2, {"umount2", 0}},
    };
    if (number == SYS_unshare) return "unshare";
    const auto found = by_path.find(number);
    if (found == by_path.end()) return {};
    return std::string(found->second.first) + " " + text_of(process, arguments[found->second.second]);
  }

 private:
  static std::string opens_for_change(pid_t process, std::uint64_t path, std::uint64_t flags) {
    const bool makes = (flags & (O_CREAT | O_TRUNC)) != 0;
    if (!makes && (flags & O_ACCMODE) == O_RDONLY) return {};
    const auto name = text_of(process, path);
    return makes || name.starts_with("/proc/sys/") ? "open " + name : std::string();
  }

  static std::string writes_to_file(pid_t process, std::uint64_t descriptor) {
    if (descriptor <= STDERR_FILENO) return {};
    std::array<char, 256> target{};
    const auto link = "/proc/" + std::to_string(process) + "/fd/" + std::to_string(descriptor);
    if (::readlink(link.c_str(), target.data(), target.size() - 1) <= 0) return {};
    const std::string path(target.data());
    return path.starts_with("/run/") || path.starts_with("/proc/sys/") ? "write " + path : std::string();
  }

  int polls_ = 0;  // since a program was started
};

int error_of(long call) {
  switch (call) {
    case SYS_sendto:
    case SYS_sendmsg: return ENOBUFS;
    case SYS_clone: return EAGAIN;
    case SYS_socket: return EMFILE;
    case SYS_openat:
    case SYS_open:
    case SYS_write:
    case SYS_writev:
    case SYS_mkdir:
    case SYS_mkdirat: return ENOSPC;
    case SYS_kill: return EPERM;
    case SYS_wait4: return ECHILD;
    case SYS_unlink:
    case SYS_unlinkat:
    case SYS_rename:
    case SYS_renameat: return EIO;
    default: return ENOMEM;
  }
}

// The call that the stopped thread is about to make is not made.
void skip_call(pid_t who) {
  user_regs_struct registers{};
  ::ptrace(PTRACE_GETREGS, who, nullptr, &registers);
  registers.orig_rax = static_cast<unsigned long long>(-1);
  ::ptrace(PTRACE_SETREGS, who, nullptr, &registers);
}

void return_from_call(pid_t who, long result) {
  user_regs_struct registers{};
  ::ptrace(PTRACE_GETREGS, who, nullptr, &registers);
  registers.rax = static_cast<unsigned long long>(result);
  ::ptrace(PTRACE_SETREGS, who, nullptr, &registers);
}

// What the tracer keeps of the work whose steps fail.
class Failures {
 public:
  void entered(pid_t who, const Call& call) {
    const auto& arguments = call.entry.args;
    if (call.entry.nr == SYS_getppid) {
      if (arguments[0] == 0) tell(who, arguments[1]);
      wanted_ = static_cast<int>(arguments[0]);
      count_ = 0;
      failed_.clear();
      return;
    }
    if (wanted_ == 0 || !failed_.empty()) return;
    const auto what = steps_.fallible_step(who, call);
    if (what.empty() || ++count_ != wanted_) return;
    failed_ = what;
    errors_[who] = error_of(static_cast<long>(call.entry.nr));
    skip_call(who);
  }
  void left(pid_t who) {
    const auto at = errors_.find(who);
    if (at == errors_.end()) return;
    return_from_call(who, -at->second);
    errors_.erase(at);
  }

 private:
  void tell(pid_t who, std::uint64_t address) {
    const iovec ours{failed_.data(), failed_.size()};
    const iovec theirs{reinterpret_cast<void*>(address), failed_.size()};
    [[maybe_unused]] const auto told = ::process_vm_writev(who, &ours, 1, &theirs, 1, 0);
  }

  Steps steps_;
  int wanted_ = 0;
  int count_ = 0;
  std::string failed_;
  std::map<pid_t, int> errors_;
};

void reap_all_of(pid_t process) {
  int status = 0;
  for (pid_t who = 0; who != process && (who = ::waitpid(-1, &status, __WALL)) > 0;)
    if (WIFSTOPPED(status)) ::ptrace(PTRACE_CONT, who, nullptr, nullptr);
}

}  // namespace

void steps_begin() { [[maybe_unused]] const auto marker = ::syscall(SYS_getppid); }

void reap_orphans() {
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

namespace {

// The process of the work, stopped before it begins, with all its threads traced; not the programs that it starts.
pid_t start_traced(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    ::_exit(work());
  }
  ::waitpid(child, nullptr, __WALL);
  constexpr std::uintptr_t options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, reinterpret_cast<void*>(options));
  ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  return child;
}

// Each call of the kernel, when it begins and when it ends, until the work is over. Returns what the work returned. `at_call` returns
// false: that is enough; the process is stopped then.
int follow_calls(pid_t child, const std::function<bool(pid_t who, const Call& call)>& at_call) {
  for (int status = 0;;) {
    const pid_t who = ::waitpid(-1, &status, __WALL);
    if (who < 0) return 0;
    if (who == child && (WIFEXITED(status) || WIFSIGNALED(status))) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (!WIFSTOPPED(status)) continue;
    const int signal = WSTOPSIG(status);
    long deliver = signal == SIGSTOP || signal == SIGTRAP ? 0 : signal;
    if (signal == (SIGTRAP | 0x80)) {
      deliver = 0;
      Call call{};
      ::ptrace(PTRACE_GET_SYSCALL_INFO, who, reinterpret_cast<void*>(sizeof call), &call);
      if (!at_call(who, call)) return 0;
    }
    ::ptrace(PTRACE_SYSCALL, who, nullptr, reinterpret_cast<void*>(deliver));
  }
}

}  // namespace

KilledRun run_and_kill(int step, const std::function<int()>& work) {
  KilledRun run;
  const pid_t child = start_traced(work);
  Steps steps;
  bool counts = false;
  int count = 0;
  run.status = follow_calls(child, [&](pid_t who, const Call& call) {
    if (call.op != PTRACE_SYSCALL_INFO_ENTRY) return true;
    if (call.entry.nr == SYS_getppid) counts = true;
    const auto what = counts ? steps.step(who, call) : std::string();
    if (what.empty() || ++count != step) return true;
    run.was_killed = true;
    run.before = what;
    ::kill(child, SIGKILL);  // the call is not begun
    reap_all_of(child);
    return false;
  });
  return run;
}

int run_with_failures(const std::function<int()>& work) {
  Failures failures;
  return follow_calls(start_traced(work), [&](pid_t who, const Call& call) {
    call.op == PTRACE_SYSCALL_INFO_ENTRY ? failures.entered(who, call) : failures.left(who);
    return true;
  });
}

void fail_step(int number) { [[maybe_unused]] const auto marker = ::syscall(SYS_getppid, number, nullptr); }

std::string failed_step() {
  std::array<char, 512> failed{};
  [[maybe_unused]] const auto marker = ::syscall(SYS_getppid, 0, failed.data());
  return failed.data();
}

}  // namespace brume::network::test
