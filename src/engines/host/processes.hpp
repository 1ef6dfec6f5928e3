// Waiting for processes that are not our children: the kernel notifies us, without polling.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"

namespace brume::host {

// Asks the process to end, kills it if it does not in time, and returns when it is gone. The process id must still be valid.
void end_process(pid_t process, milliseconds patience);

// Starts a process that reports on $NOTIFY_SOCKET (systemd's protocol) when it is ready, and waits for that. `start` gets the socket's
// path, which is `place`, and returns the process.
Result<pid_t> start_and_wait_until_ready(const std::string& place, const std::function<Result<pid_t>(const std::string&)>& start,
                                         milliseconds limit);

}  // namespace brume::host
