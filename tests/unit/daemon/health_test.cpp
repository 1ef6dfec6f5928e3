#include "daemon/health.hpp"

#include <gtest/gtest.h>

#include <future>

#include "base/random.hpp"

namespace brume::daemon {
namespace {

class HealthTest : public testing::Test {
 protected:
  ~HealthTest() override { workers_.stop(); }

  wire::HttpResponse ask() {
    const auto answered = std::make_shared<std::promise<wire::HttpResponse>>();
    health_.answer([answered](wire::HttpResponse response) { answered->set_value(std::move(response)); });
    auto answer = answered->get_future();
    if (answer.wait_for(seconds(20)) != std::future_status::ready) throw std::runtime_error("no answer");
    return answer.get();
  }

  std::atomic<int> looks_ = 0;
  std::string disk_ = "ok";
  milliseconds now_{0};
  service::WorkerPool workers_{1, 8};
  Health health_{{{"state",
                   [this] {
                     ++looks_;
                     return std::string("ok");
                   }},
                  {"disk", [this] { return disk_; }}},
                 workers_,
                 [this] { return now_; }};
};

TEST_F(HealthTest, SaysWhatWorks) {
  const auto answer = ask();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "application/json");
  EXPECT_EQ(answer.body, "{\"checks\":{\"state\":\"ok\",\"disk\":\"ok\"},\"status\":\"ok\"}\n");
}

TEST_F(HealthTest, OneThingThatFailsIsSaidAndTheStatus) {
  disk_ = "the disk of state is full";
  const auto answer = ask();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "{\"checks\":{\"state\":\"ok\",\"disk\":\"the disk of state is full\"},\"status\":\"failing\"}\n");
}

TEST_F(HealthTest, OneLookASecondServesAll) {
  for (int i = 0; i < 50; ++i) EXPECT_EQ(ask().status, 200);
  EXPECT_EQ(looks_, 1);
  disk_ = "full";
  now_ += milliseconds(999);
  EXPECT_EQ(ask().status, 200);
  now_ += milliseconds(1);
  EXPECT_EQ(ask().status, 503);
  EXPECT_EQ(looks_, 2);
}

// A disk that takes nothing any more.
class FullLog final : public state::Log {
 public:
  explicit FullLog(std::unique_ptr<state::Log> inside) : inside_(std::move(inside)) {}
  Result<std::uint64_t> load(const std::function<void(std::string_view, std::string_view)>& entry) override { return inside_->load(entry); }
  Result<std::uint64_t> append(std::vector<state::LogWrite> writes, std::uint64_t expected) override {
    if (full) return fail(ErrorKind::exhausted, "no space left on device");
    return inside_->append(std::move(writes), expected);
  }
  std::uint64_t version() const override { return inside_->version(); }
  Result<std::unique_ptr<state::LogWatch>> watch(std::uint64_t from, state::LogSink sink) override {
    return inside_->watch(from, std::move(sink));
  }
  static inline std::atomic<bool> full = false;

 private:
  std::unique_ptr<state::Log> inside_;
};

TEST(HealthChecks, AStateThatCannotBeWrittenIsSaid) {
  SystemClock clock;
  SeededRandom random{1};
  const auto store = state::Store::open(std::make_unique<FullLog>(state::make_memory_log()), clock, random).value();
  EXPECT_EQ(check_state(*store), "ok");
  FullLog::full = true;
  EXPECT_EQ(check_state(*store), "changes cannot be made durable");
  FullLog::full = false;
  EXPECT_EQ(check_state(*store), "ok");
  store->stop();
  EXPECT_NE(check_state(*store), "ok");
}

}  // namespace
}  // namespace brume::daemon
