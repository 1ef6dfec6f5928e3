// The front door's limits: what is in flight, what waits to be read, and which threads a read runs on.
#include "service/front_door.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <mutex>
#include <stdexcept>

#include "base/random.hpp"
#include "base/text.hpp"
#include "gzip.hpp"
#include "state/records.hpp"

namespace brume::service {
namespace {

constexpr wire::authorization::Row metrics_row = {"ListMetrics", "cloudwatch:ListMetrics", wire::authorization::Access::list, {}, {}};
constexpr auto patience = std::chrono::seconds(20);

// Answers as many bytes as RegionName.1 says, and notes the thread it ran on.
class Sized final : public Invocation {
 public:
  Sized(const Action& action, size_t size) : Invocation(action), size_(size) {}
  bool dry_run() const override { return false; }
  void encode(wire::XmlWriter& out) const override { out.element("bytes", std::string(size_, 'x')); }
  void encode(wire::JsonWriter& out) const override { out.member("bytes", std::optional(std::string(size_, 'x'))); }
  void encode(wire::CborWriter& out) const override { out.member("bytes", std::optional(std::string(size_, 'x'))); }

  static std::unique_ptr<Invocation> decode(const Action& action, const wire::QueryNode& node) {
    const auto text = node.child("RegionName").child("1").value();
    return std::make_unique<Sized>(action, static_cast<size_t>(parse_integer(text.value_or("0")).value_or(0)));
  }
  static inline std::atomic<std::thread::id> ran_on;
  static inline std::function<void(const std::string& account)> on_run;

 private:
  void run_read(const state::World&, const Context& context) override { run(context); }
  void run_write(state::Transaction&, const Context& context) override { run(context); }
  void run_work(const Context& context) override { run(context); }
  static void run(const Context& context) {
    ran_on = std::this_thread::get_id();
    if (on_run) on_run(context.account());
  }

  size_t size_;
};

class FrontDoorTest : public testing::Test {
 protected:
  FrontDoorTest() {
    store_->transact([](state::Transaction& transaction) {
      for (const auto& [account, key] : {std::pair{"111122223333", "AKIAFIRST"}, {"444455556666", "AKIASECOND"}}) {
        state::Account made;
        made.id = account;
        transaction.put(made);
        state::AccessKey own;
        own.id = key;
        own.account = account;
        transaction.put(own);
      }
    });
  }
  ~FrontDoorTest() override {
    workers_.stop();
    if (door_) door_->stop();
    store_->stop();
    Sized::on_run = nullptr;
  }

  void open(FrontDoorSettings settings = {}) {
    settings.simulated = true;
    std::vector<ServiceTable> tables = {make_table("ec2", {{"DescribeRegions", Lane::read, &Sized::decode, nullptr},
                                                           {"CreateVpc", Lane::write, &Sized::decode, nullptr},
                                                           {"CreateKeyPair", Lane::work, &Sized::decode, nullptr}})};
    door_ = std::make_unique<FrontDoor>(services_, std::move(tables), workers_, settings);
  }
  // A service with a table of its own, asked in any of its protocols.
  void open_metrics() {
    FrontDoorSettings settings;
    settings.simulated = true;
    std::vector<ServiceTable> tables = {{"cloudwatch", {{"ListMetrics", Lane::read, &Sized::decode, nullptr, nullptr, &metrics_row}}}};
    door_ = std::make_unique<FrontDoor>(services_, std::move(tables), workers_, settings);
  }
  wire::HttpResponse send(std::string target, std::vector<std::pair<std::string, std::string>> headers, std::string body) {
    wire::HttpRequest sent;
    sent.method = "POST";
    sent.target = std::move(target);
    sent.headers = std::move(headers);
    sent.body = std::move(body);
    std::promise<wire::HttpResponse> answered;
    door_->handle(std::move(sent), [&](wire::HttpResponse response) { answered.set_value(std::move(response)); });
    auto answer = answered.get_future();
    if (answer.wait_for(patience) != std::future_status::ready) throw std::runtime_error("no answer");
    return answer.get();
  }
  static wire::HttpRequest request(std::string_view key, size_t bytes, std::string_view action = "DescribeRegions") {
    wire::HttpRequest request;
    request.method = "GET";
    request.target = "/?Version=2016-11-15&Action=" + std::string(action) + "&AWSAccessKeyId=" + std::string(key) +
                     "&RegionName.1=" + std::to_string(bytes);
    return request;
  }
  std::future<wire::HttpResponse> begin(std::string_view key, size_t bytes, std::string_view action) {
    auto answered = std::make_shared<std::promise<wire::HttpResponse>>();
    auto answer = answered->get_future();
    door_->handle(request(key, bytes, action), [answered](wire::HttpResponse response) { answered->set_value(std::move(response)); });
    return answer;
  }
  wire::HttpResponse ask(std::string_view key, size_t bytes, std::string_view action = "DescribeRegions") {
    auto answer = begin(key, bytes, action);
    if (answer.wait_for(patience) != std::future_status::ready) throw std::runtime_error("no answer");
    return answer.get();
  }
  static std::string code_of(const wire::HttpResponse& response) {
    const auto at = response.body.find("<Code>");
    return at == std::string::npos ? std::to_string(response.status) : response.body.substr(at + 6, response.body.find("</Code>") - at - 6);
  }

  SystemClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<state::Store> store_ = state::Store::open(state::make_memory_log(), clock_, random_).value();
  Settings settings_;
  Services services_{*store_, clock_, random_, settings_, {}, "a key"};
  WorkerPool workers_{2, 16};
  std::unique_ptr<FrontDoor> door_;
};

TEST_F(FrontDoorTest, WhatWaitsToBeReadIsBoundedByAccountAndInAll) {
  FrontDoorSettings settings;
  settings.answers = {.small = 1000, .in_all = 150'000, .of_account = 100'000};
  open(settings);
  std::vector<wire::HttpResponse> unread;
  for (int i = 0; i < 2; ++i) {
    unread.push_back(ask("AKIAFIRST", 40'000));
    ASSERT_EQ(unread.back().status, 200);
  }
  auto third = ask("AKIAFIRST", 40'000);
  EXPECT_EQ(third.status, 503);
  EXPECT_EQ(code_of(third), "RequestLimitExceeded");
  EXPECT_EQ(ask("AKIAFIRST", 100).status, 200) << "a small answer is always kept";
  unread.push_back(ask("AKIASECOND", 40'000));
  EXPECT_EQ(unread.back().status, 200) << "another account has room";
  EXPECT_EQ(code_of(ask("AKIASECOND", 40'000)), "Unavailable") << "all together have none";
  EXPECT_GE(door_->unread_answers(), 120'000U);
  EXPECT_LE(door_->unread_answers(), 150'000U);
  unread.erase(unread.begin());
  EXPECT_EQ(ask("AKIASECOND", 40'000).status, 200) << "one was taken";
  unread.clear();
  EXPECT_EQ(door_->unread_answers(), 0U);
}

TEST_F(FrontDoorTest, WhatWasChangedIsToldAndOneAnswerAlwaysFits) {
  FrontDoorSettings settings;
  settings.answers = {.small = 1000, .in_all = 20'000, .of_account = 10'000};
  open(settings);
  {
    const auto large = ask("AKIAFIRST", 50'000, "CreateVpc");
    EXPECT_EQ(large.status, 200);
    EXPECT_EQ(code_of(ask("AKIAFIRST", 1, "CreateVpc")), "RequestLimitExceeded") << "no further change is begun";
    EXPECT_EQ(code_of(ask("AKIASECOND", 1, "CreateVpc")), "Unavailable");
  }
  EXPECT_EQ(ask("AKIAFIRST", 50'000).status, 200);
}

TEST_F(FrontDoorTest, LargeReadsDoNotRunOnTheConnectionsThreads) {
  open();
  const auto own = std::this_thread::get_id();
  EXPECT_EQ(ask("AKIAFIRST", 10).status, 200);
  ASSERT_EQ(Sized::ran_on.load(), own);
  // The first one tells that the next ones will be large.
  EXPECT_EQ(ask("AKIAFIRST", 300'000).status, 200);
  EXPECT_EQ(ask("AKIAFIRST", 10).status, 200);
  EXPECT_NE(Sized::ran_on.load(), own);
  EXPECT_GE(door_->counters().large_reads, 1U);
  // A world of many records needs no telling.
  const auto before = door_->counters().large_reads.load();
  store_->transact([](state::Transaction& transaction) {
    for (int i = 0; i < 5000; ++i) {
      state::Snapshot made;
      made.id = "snap-" + std::to_string(i);
      made.account = "111122223333";
      transaction.put(made);
    }
  });
  EXPECT_EQ(ask("AKIASECOND", 10).status, 200);
  EXPECT_EQ(door_->counters().large_reads, before + 1);
}

TEST_F(FrontDoorTest, AnAnswerThatIsTooLargeAsksForPages) {
  open();
  const auto answer = ask("AKIAFIRST", 65 << 20);
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(code_of(answer), "RequestResourceCountExceeded");
  EXPECT_NE(answer.body.find("MaxResults"), std::string::npos);
}

// A response that cannot be handed over (no memory) is answered once more, by an error, and is no longer in flight only once.
TEST_F(FrontDoorTest, AResponderThatThrowsIsCountedOnce) {
  FrontDoorSettings settings;
  settings.requests_in_flight = 1;
  open(settings);
  for (const std::string_view action : {"DescribeRegions", "CreateVpc"}) {
    const auto over = std::make_shared<std::promise<void>>();
    door_->handle(request("AKIAFIRST", 10, action), [over, calls = std::make_shared<int>(0)](const wire::HttpResponse&) {
      if (++*calls == 1) {
        over->set_value();
        throw std::bad_alloc();
      }
    });
    over->get_future().wait();
    // A write's request is let go on another thread.
    std::string code = "503";
    for (int i = 0; i < 10'000 && code != "200"; ++i) code = code_of(ask("AKIAFIRST", 10));
    EXPECT_EQ(code, "200") << action;
  }
}

TEST_F(FrontDoorTest, OneServiceInThreeProtocolsPlainAndCompressed) {
  open_metrics();
  using Headers = std::vector<std::pair<std::string, std::string>>;
  struct Form {
    std::string target;
    Headers headers;
    std::string body;
    std::string bytes;  // what stands before them in the answer
    std::string type;
  };
  const Form forms[] = {{"/",
                         {{"content-type", "application/x-www-form-urlencoded"}},
                         "Action=ListMetrics&Version=2010-08-01&RegionName.1=3",
                         "<bytes>",
                         "text/xml;charset=UTF-8"},
                        {"/",
                         {{"x-amz-target", "GraniteServiceVersion20100801.ListMetrics"}},
                         R"({"RegionName":["3"]})",
                         "{\"bytes\":\"",
                         "application/x-amz-json-1.0"},
                        {"/service/GraniteServiceVersion20100801/operation/ListMetrics",
                         {{"smithy-protocol", "rpc-v2-cbor"}},
                         "\xA1\x6ARegionName\x81\x61"
                         "3",
                         "\x65"
                         "bytes\x63",
                         "application/cbor"}};
  for (const auto& form : forms) {
    const auto plain = send(form.target, form.headers, form.body);
    EXPECT_EQ(plain.status, 200) << plain.body;
    EXPECT_NE(plain.body.find(form.bytes + "xxx"), std::string::npos) << plain.body;
    EXPECT_EQ(plain.content_type, form.type);
    auto headers = form.headers;
    headers.emplace_back("content-encoding", "gzip");
    const auto packed = send(form.target, headers, gzip(form.body));
    EXPECT_EQ(packed.status, 200) << packed.body;
    EXPECT_NE(packed.body.find(form.bytes + "xxx"), std::string::npos);
    const auto bomb = send(form.target, headers, gzip(std::string(16 << 20, 'a')));
    EXPECT_EQ(bomb.status, 413);
    EXPECT_EQ(bomb.content_type, form.type) << "refused in its protocol";
    EXPECT_EQ(send(form.target, headers, form.body).status, 400) << "it is not compressed";
    EXPECT_EQ(send(form.target, form.headers, "\x81").status, 400);
  }
}

// Fair shares: what the first account asks for stands still until the gate opens, and the second one's calls are answered all the same.
class FairSharesTest : public FrontDoorTest {
 protected:
  FairSharesTest() {
    Sized::on_run = [this](const std::string& account) {
      if (account == "111122223333") opened_.wait();
      const std::lock_guard lock(mutex_);
      order_ += account.front();
    };
  }
  ~FairSharesTest() override {
    if (!is_open_) open_gate();
    for (auto& one : begun_) one.wait();
  }
  void open_gate() {
    is_open_ = true;
    opening_.set_value();
  }
  void begin_many(int count, std::string_view action) {
    for (int i = 0; i < count; ++i) begun_.push_back(begin("AKIAFIRST", 10, action));
  }

  std::promise<void> opening_;
  std::shared_future<void> opened_ = opening_.get_future().share();
  bool is_open_ = false;
  std::vector<std::future<wire::HttpResponse>> begun_;
  std::mutex mutex_;
  std::string order_;  // '1' and '4': the accounts whose turn it was
};

TEST_F(FairSharesTest, WorkThatWaits) {
  open();
  begin_many(8, "CreateKeyPair");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("AKIASECOND", 10, "CreateKeyPair").status, 200);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("AKIASECOND", 10).status, 200);
}

TEST_F(FairSharesTest, LargeReads) {
  store_->transact([](state::Transaction& transaction) {
    for (int i = 0; i < 5000; ++i) {
      state::Snapshot made;
      made.id = "snap-" + std::to_string(i);
      transaction.put(made);
    }
  });
  open();
  begin_many(20, "DescribeRegions");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("AKIASECOND", 10).status, 200);
  // The answers of changes are written on the same threads.
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("AKIASECOND", 10, "CreateVpc").status, 200);
}

TEST_F(FairSharesTest, ChangesTakeTurns) {
  FrontDoorSettings settings;
  settings.changes_of_account = 4;
  open(settings);
  begin_many(40, "CreateVpc");  // the first of them holds the state up
  auto other = begin("AKIASECOND", 10, "CreateVpc");
  open_gate();
  ASSERT_EQ(other.wait_for(patience), std::future_status::ready);
  EXPECT_EQ(other.get().status, 200);
  for (auto& one : begun_) ASSERT_EQ(one.wait_for(patience), std::future_status::ready);
  const std::lock_guard lock(mutex_);
  EXPECT_EQ(order_.size(), 41U);
  EXPECT_LE(order_.find('4'), 4U) << "it waited for those that were inside, and for none of the others";
}

TEST_F(FairSharesTest, RequestsInFlight) {
  FrontDoorSettings settings;
  settings.requests_in_flight = 4;
  settings.requests_of_account = 3;
  open(settings);
  begin_many(3, "CreateKeyPair");
  const auto refused = ask("AKIAFIRST", 10);
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(code_of(refused), "RequestLimitExceeded");
  EXPECT_EQ(ask("AKIASECOND", 10).status, 200);
  open_gate();
  for (auto& one : begun_) EXPECT_EQ(one.get().status, 200);
  begun_.clear();
  EXPECT_EQ(ask("AKIAFIRST", 10).status, 200);
}

}  // namespace
}  // namespace brume::service
