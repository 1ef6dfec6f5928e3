#include "engines/block/stream_job.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <future>
#include <optional>
#include <string_view>

#include <boost/json.hpp>

#include "base/descriptor.hpp"
#include "base/process.hpp"
#include "base/secret_file.hpp"

namespace brume::block {
namespace {

namespace json = boost::json;

constexpr int job_key_descriptor = 3;
constexpr int talk_descriptor = 4;
constexpr size_t longest_line = 256 << 10;
constexpr auto listen_time = seconds(1);
constexpr auto longest_job = std::chrono::hours(24 * 7);
constexpr const char* job_name = "fold";

// One end of a QMP conversation: one object per line.
class Talk {
 public:
  explicit Talk(Descriptor socket) : socket_(std::move(socket)) {}

  void say(const json::object& command) const {
    const auto line = json::serialize(command) + "\n";
    // Short compared with the socket's buffer. A peer that is gone is noticed when reading.
    [[maybe_unused]] const auto sent = ::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL);
  }

  // timed_out: nothing within `limit`; `broken`: the other side is gone, or sends nonsense.
  Result<json::object> listen(milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    for (;;) {
      if (const auto end = heard_.find('\n'); end != std::string::npos) {
        json::error_code code;
        auto value = json::parse(std::string_view(heard_).substr(0, end), code);
        heard_.erase(0, end + 1);
        if (code || !value.is_object()) return fail(ErrorKind::broken, "qemu-storage-daemon says what cannot be understood");
        return std::move(value.get_object());
      }
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
      pollfd wait{socket_.get(), POLLIN, 0};
      const int ready = left.count() <= 0 ? 0 : ::poll(&wait, 1, static_cast<int>(left.count()));
      if (ready == 0) return fail(ErrorKind::timed_out, "qemu-storage-daemon says nothing");
      if (ready < 0 && errno == EINTR) continue;
      std::array<char, 4096> buffer;
      const auto got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0 || heard_.size() > longest_line) return fail(ErrorKind::broken, "qemu-storage-daemon has gone");
      heard_.append(buffer.data(), static_cast<size_t>(got));
    }
  }

 private:
  Descriptor socket_;
  std::string heard_;
};

std::string text_at(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

Result<void> failed(const std::string& why) {
  return fail(why.find("No space left") != std::string::npos ? ErrorKind::exhausted : ErrorKind::broken, why);
}

// From the answer to query-block-jobs, which has one job at most.
std::optional<int> percent_of(const json::value& answer) {
  const auto* jobs = answer.if_array();
  if (jobs == nullptr || jobs->empty()) return std::nullopt;
  const auto* job = jobs->front().if_object();
  if (job == nullptr || !job->contains("len") || !job->contains("offset")) return std::nullopt;
  const auto length = job->at("len").to_number<std::uint64_t>();
  const auto done = job->at("offset").to_number<std::uint64_t>();
  return length == 0 ? 0 : static_cast<int>(std::min<std::uint64_t>(done * 100 / length, 100));
}

// nullopt: it is still running.
std::optional<Result<void>> outcome(const json::object& heard) {
  if (const auto* error = heard.if_contains("error"); error != nullptr && error->is_object())
    return failed(text_at(error->get_object(), "desc"));
  const auto event = text_at(heard, "event");
  if (event != "BLOCK_JOB_COMPLETED" && event != "BLOCK_JOB_CANCELLED") return std::nullopt;
  const auto* data = heard.if_contains("data");
  const auto why = data != nullptr && data->is_object() ? text_at(data->get_object(), "error") : std::string();
  if (event == "BLOCK_JOB_COMPLETED" && why.empty()) return Result<void>();
  return failed(why.empty() ? "it was cancelled" : why);
}

Result<void> converse(Talk& talk, const StreamJob& job, const std::function<void(int percent)>& progress) {
  talk.say({{"execute", "qmp_capabilities"}});
  json::object arguments = {{"job-id", job_name}, {"device", "disk"}, {"speed", job.bytes_per_second}};
  if (job.base < job.chain.size()) {
    arguments["base-node"] = "base";
    arguments["backing-file"] = job.base_name;
  }
  talk.say({{"execute", "block-stream"}, {"arguments", std::move(arguments)}});
  for (;;) {
    auto heard = talk.listen(listen_time);
    if (!heard && heard.error().kind != ErrorKind::timed_out) return fail(heard.error());
    if (!heard) {
      talk.say({{"execute", "query-block-jobs"}});
      continue;
    }
    if (auto ended = outcome(*heard)) return *ended;
    if (const auto* answer = heard->if_contains("return"); answer != nullptr && progress)
      if (const auto percent = percent_of(*answer)) progress(*percent);
  }
}

}  // namespace

Result<void> stream(const StreamJob& job, const std::function<void(int percent)>& progress, const std::stop_token& stop) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return fail_system("cannot make a pair of sockets", errno);
  Talk talk{Descriptor(ends[0])};
  Descriptor theirs(ends[1]);
  Command command;
  command.program = "qemu-storage-daemon";
  command.ends_with_us = true;  // else nobody would tell it to end, and it has the volume open
  command.descriptors = {{theirs.get(), talk_descriptor}};
  Descriptor secret;
  if (!job.key.empty()) {
    auto file = make_secret_file(job.key);
    if (!file) return fail(file.error());
    secret = std::move(*file);
    command.descriptors.emplace_back(secret.get(), job_key_descriptor);
    command.arguments = {"--object", "secret,id=key,file=/proc/self/fd/" + std::to_string(job_key_descriptor)};
  }
  command.arguments.insert(command.arguments.end(), {"--blockdev", node_text(job.chain, {{0, "disk"}, {job.base, "base"}}), "--chardev",
                                                     "socket,id=talk,fd=" + std::to_string(talk_descriptor), "--monitor", "chardev=talk"});
  std::stop_source killer;
  const std::stop_callback stopped(stop, [&killer] { killer.request_stop(); });
  auto running = std::async(std::launch::async, [&] {
    auto ended = run(command, longest_job, killer.get_token());
    // Our copy of their end kept the conversation open.
    theirs.close();
    return ended;
  });
  auto done = converse(talk, job, progress);
  if (done)
    talk.say({{"execute", "quit"}});
  else
    killer.request_stop();  // it may no longer react
  const auto ended = running.get();
  if (stop.stop_requested()) return fail(ErrorKind::refused, "it was broken off");
  if (!ended) return fail(ended.error());
  // A process that ended before it could talk has written why.
  if (!done && !ended->errors.empty()) return failed(ended->errors);
  if (done && ended->status != 0) return fail(ErrorKind::broken, "qemu-storage-daemon ended with status " + std::to_string(ended->status));
  return done;
}

}  // namespace brume::block
