#include "daemon/health.hpp"

#include <future>
#include <utility>

#include "daemon/disk_room.hpp"
#include "state/records.hpp"
#include "wire/json_writer.hpp"

namespace brume::daemon {
namespace {

constexpr milliseconds fresh = seconds(1);
constexpr seconds answer_patience(2);

}  // namespace

Health::Health(std::vector<std::pair<std::string, Check>> checks, service::WorkerPool& workers, std::function<milliseconds()> now)
    : checks_(std::move(checks)), workers_(workers), now_(std::move(now)) {}

void Health::answer(const wire::Responder& respond) {
  {
    const std::lock_guard lock(mutex_);
    if (!looking_ && now_() - looked_at_ < fresh) return respond(last_);
    waiting_.push_back(respond);
    if (std::exchange(looking_, true)) return;
  }
  if (!workers_.submit("", [this] { look(); })) look();
}

void Health::look() {
  wire::JsonWriter json;
  json.open_object();
  json.key("checks");
  json.open_object();
  bool works = true;
  for (const auto& [name, check] : checks_) {
    const auto said = check();
    works = works && said == "ok";
    json.key(name);
    json.value(said);
  }
  json.close_object();
  json.key("status");
  json.value(works ? "ok" : "failing");
  json.close_object();
  wire::HttpResponse response;
  response.status = works ? 200 : 503;
  response.content_type = "application/json";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.body = json.take() + "\n";
  std::vector<wire::Responder> waiting;
  {
    const std::lock_guard lock(mutex_);
    last_ = response;
    looked_at_ = now_();
    looking_ = false;
    waiting.swap(waiting_);
  }
  for (const auto& respond : waiting) respond(response);
}

std::string check_state(state::Store& store) {
  const auto done = std::make_shared<std::promise<bool>>();
  auto is_done = done->get_future();
  try {
    store.submit(
        [](state::Transaction& transaction) {
          transaction.put(state::Setting{"health-checked", format_iso8601(transaction.now())});
        },
        [done](const std::exception_ptr& failure) { done->set_value(failure == nullptr); });
  } catch (const state::Overloaded&) {
    return "too many changes wait";
  }
  if (is_done.wait_for(answer_patience) != std::future_status::ready) return "changes wait for the disk";
  return is_done.get() ? "ok" : "changes cannot be made durable";
}

std::string check_disks(const std::string& home) {
  for (const auto& disk : look_at_disks(home))
    if (judge_room(disk.free_bytes, disk.total_bytes) == "full") return "the disk of " + disk.holds + " is full";
  return "ok";
}

}  // namespace brume::daemon
