// Work that is killed between two of its steps, as a crash would do it: the work runs in a process of its own, and is killed just before
// its n-th call of the kernel that changes something (sends to netlink, makes, renames or removes a file, mounts, starts a program, …).
#pragma once

#include <functional>
#include <string>

namespace brume::network::test {

struct KilledRun {
  bool was_killed = false;  // else it came to its end before
  int status = 0;           // what it returned then
  std::string before;       // the call that it did not make any more: "openat /run/…"
};

// Other threads of the caller may run on, but shall hold no lock that the work needs. Programs that it had started go on, as they do when
// a daemon dies. From 1 on.
KilledRun run_and_kill(int step, const std::function<int()>& work);

// In the work: what was done until here does not count.
void steps_begin();

// Work in a process of its own whose steps can be made to fail. Returns what it returned.
int run_with_failures(const std::function<int()>& work);
// In the work: the number-th step from here on fails once, as the kernel may let it fail (no memory, no room, no processes). What only asks
// is a step here as well.
void fail_step(int number);
// In the work: ends that. The call that failed; empty: there were not so many steps.
std::string failed_step();

// The ends of programs that outlived their starter; in the first process of a world nobody else waits for them.
void reap_orphans();

}  // namespace brume::network::test
