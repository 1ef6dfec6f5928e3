// The client against a peer that plays QEMU, well and badly, at the other end of a socket pair.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <thread>

#include "engines/compute/qmp_client.hpp"

namespace brume::compute {
namespace {

constexpr const char* greeting =
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}}, \"capabilities\": [\"oob\"]}}\r\n";

class QmpClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = EventLoop::make();
    ASSERT_TRUE(made);
    loop_ = std::move(*made);
    connect([&](Descriptor socket) { return QmpClient::open(*loop_, std::move(socket), handler(), 0); });
  }
  template <class Open>
  void connect(Open open) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    peer_ = Descriptor(ends[1]);
    auto client = open(Descriptor(ends[0]));
    ASSERT_TRUE(client);
    client_ = *client;
  }
  QmpClient::EventHandler handler() {
    return [this](const QmpMessage& event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
      changed_.notify_all();
    };
  }
  void TearDown() override {
    if (client_) client_->close();
    if (player_.joinable()) player_.join();
    peer_.close();
    if (loop_) loop_->stop();
  }

  void say(std::string_view text) const {
    ASSERT_EQ(::send(peer_.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // The next line that the client sent.
  std::string hear() {
    while (heard_.find('\n') == std::string::npos) {
      char buffer[4096];
      const auto got = ::recv(peer_.get(), buffer, sizeof buffer, 0);
      if (got <= 0) return {};
      heard_.append(buffer, static_cast<size_t>(got));
    }
    const auto end = heard_.find('\n');
    auto line = heard_.substr(0, end);
    heard_.erase(0, end + 1);
    return line;
  }
  // Does what QEMU would do, beside the test.
  void play(std::function<void()> part) {
    if (player_.joinable()) player_.join();
    player_ = std::thread(std::move(part));
  }
  std::vector<QmpMessage> wait_for_events(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, seconds(5), [&] { return events_.size() >= count; });
    return events_;
  }
  void greet() {
    play([this] {
      say(greeting);
      hear();
      say("{\"return\": {}, \"id\": 1}\r\n");
    });
    const auto greeted = client_->greet(seconds(5));
    ASSERT_TRUE(greeted) << greeted.error().message;
  }

  std::unique_ptr<EventLoop> loop_;
  Descriptor peer_;
  std::string heard_;
  std::shared_ptr<QmpClient> client_;
  std::thread player_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<QmpMessage> events_;
};

TEST_F(QmpClientTest, GreetsAndRunsACommand) {
  greet();
  std::string line;
  play([&] {
    line = hear();
    say("{\"return\": {\"status\": \"running\", \"singlestep\": false, \"running\": true}, \"id\": 2}\r\n");
  });
  const auto reply = client_->execute("query-status");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->field("status"), "running");
  EXPECT_EQ(reply->field("running"), "true");
  EXPECT_EQ(reply->field("absent"), "");
  player_.join();
  EXPECT_EQ(line, R"({"execute":"query-status","id":2})");
}

TEST_F(QmpClientTest, PassesArgumentsAndQemusOwnSentence) {
  greet();
  std::string line;
  play([&] {
    line = hear();
    say("{\"id\": 2, \"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"Device 'vol1' not found\"}}\r\n");
  });
  const auto reply = client_->execute("device_del", R"({"id":"vol1"})");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::refused);
  EXPECT_EQ(reply.error().message, "Device 'vol1' not found");
  player_.join();
  EXPECT_EQ(line, R"({"execute":"device_del","arguments":{"id":"vol1"},"id":2})");
}

TEST_F(QmpClientTest, PutsTornLinesTogether) {
  greet();
  play([&] {
    hear();
    const std::string answer = "{\"return\": {\"status\": \"paused\"}, \"id\": 2}\r\n";
    for (const char c : answer) {
      say(std::string_view(&c, 1));
      std::this_thread::yield();
    }
  });
  const auto reply = client_->execute("query-status");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->field("status"), "paused");
}

TEST_F(QmpClientTest, TakesAnEventWhileACommandWaits) {
  greet();
  play([&] {
    hear();
    say("{\"event\": \"RESET\", \"data\": {\"guest\": true, \"reason\": \"guest-reset\"}, \"timestamp\": {\"seconds\": 1}}\r\n"
        "{\"return\": {}, \"id\": 2}\r\n{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 1}}\r\n");
  });
  EXPECT_TRUE(client_->execute("system_reset"));
  const auto events = wait_for_events(2);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].name, "RESET");
  EXPECT_EQ(events[0].field("guest"), "true");
  EXPECT_EQ(events[0].field("reason"), "guest-reset");
  EXPECT_EQ(events[1].name, "STOP");
}

TEST_F(QmpClientTest, LateAnswersGoToNobodysCommand) {
  greet();
  play([&] { hear(); });
  const auto late = client_->execute("query-status", {}, milliseconds(30));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::timed_out);
  play([&] {
    hear();
    say("{\"return\": {\"status\": \"late\"}, \"id\": 2}\r\n{\"return\": {\"status\": \"right\"}, \"id\": 3}\r\n");
  });
  const auto reply = client_->execute("query-status");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->field("status"), "right");
}

TEST_F(QmpClientTest, WhatAConnectionBeforeAskedForIsNotTakenForItsOwn) {
  client_->close();
  connect([&](Descriptor socket) { return QmpClient::open(*loop_, std::move(socket), handler()); });
  const auto answer = [&](const std::string& text) {
    const auto line = hear();
    for (int old = 1; old < 10; ++old) say("{\"return\": {\"status\": \"stale\"}, \"id\": " + std::to_string(old) + "}\r\n");
    say("{\"return\": " + text + ", " + line.substr(line.find("\"id\":")) + "\r\n");
  };
  play([&] {
    say(greeting);
    answer("{}");
    answer("{\"status\": \"right\"}");
  });
  ASSERT_TRUE(client_->greet(seconds(5)));
  const auto reply = client_->execute("query-status");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->field("status"), "right");
}

TEST_F(QmpClientTest, SilenceInsteadOfAGreetingTimesOut) {
  const auto greeted = client_->greet(milliseconds(30));
  ASSERT_FALSE(greeted);
  EXPECT_EQ(greeted.error().kind, ErrorKind::timed_out);
}

TEST_F(QmpClientTest, AnEndDuringACommandIsToldAtOnce) {
  greet();
  play([&] {
    hear();
    peer_.close();
  });
  const auto reply = client_->execute("query-status", {}, seconds(30));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::broken);
  EXPECT_TRUE(client_->closed());
  EXPECT_FALSE(client_->execute("query-status"));
}

TEST_F(QmpClientTest, GarbageEndsTheConnection) {
  greet();
  play([&] {
    hear();
    say("qemu: what?\r\n");
  });
  const auto reply = client_->execute("query-status", {}, seconds(30));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::broken);
  EXPECT_TRUE(client_->closed());
}

TEST_F(QmpClientTest, AHugeLineEndsTheConnection) {
  greet();
  play([&] {
    const std::string much(1 << 16, 'x');
    // The client hangs up in the midst of it.
    for (size_t sent = 0; sent < 2 * qmp_line_limit; sent += much.size())
      if (::send(peer_.get(), much.data(), much.size(), MSG_NOSIGNAL) < 0) return;
  });
  const auto reply = client_->execute("query-status", {}, seconds(30));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::broken);
  EXPECT_TRUE(client_->closed());
}

TEST_F(QmpClientTest, APeerThatDoesNotReadDoesNotHoldUsForever) {
  greet();
  const std::string much = R"({"text":")" + std::string(512 << 10, 'x') + R"("})";
  const auto reply = client_->execute("human-monitor-command", much, milliseconds(100));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::timed_out);
  const auto begun = std::chrono::steady_clock::now();
  client_->post("quit");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(1));
}

TEST_F(QmpClientTest, ManyThreadsGetTheirOwnAnswers) {
  greet();
  constexpr int count = 200;
  play([&] {
    for (int i = 0; i < count; ++i) {
      const auto line = hear();
      const auto id = line.substr(line.rfind(':') + 1, line.rfind('}') - line.rfind(':') - 1);
      say("{\"return\": {\"echo\": " + id + "}, \"id\": " + id + "}\r\n");
    }
  });
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < count / 4; ++i) {
        const auto reply = client_->execute("echo");
        if (reply && reply->field("echo") == std::to_string(reply->id)) ++good;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, count);
}

TEST_F(QmpClientTest, HandsOverADescriptor) {
  greet();
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const Descriptor read_end(pipe[0]);
  Descriptor write_end(pipe[1]);
  Descriptor received;
  play([&] {
    char buffer[512];
    iovec part{buffer, sizeof buffer};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (::recvmsg(peer_.get(), &message, MSG_CMSG_CLOEXEC) > 0)
      if (const auto* header = CMSG_FIRSTHDR(&message)) {
        int number = -1;
        std::memcpy(&number, CMSG_DATA(header), sizeof number);
        received = Descriptor(number);
      }
    say("{\"return\": {}, \"id\": 2}\r\n");
  });
  EXPECT_TRUE(client_->execute("getfd", R"({"fdname":"tap"})", seconds(5), write_end.get()));
  player_.join();
  write_end.close();
  ASSERT_TRUE(received);
  ASSERT_EQ(::write(received.get(), "x", 1), 1);
  char got = 0;
  EXPECT_EQ(::read(read_end.get(), &got, 1), 1);
  EXPECT_EQ(got, 'x');
}

TEST(QmpMessage, DeepNestingIsRefused) {
  const std::string deep = R"({"return":)" + std::string(1000, '[') + std::string(1000, ']') + "}";
  const auto message = parse_qmp(deep);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().kind, ErrorKind::broken);
  EXPECT_FALSE(parse_qmp("[]"));
  EXPECT_FALSE(parse_qmp(""));
  EXPECT_FALSE(parse_qmp("{\"event\": \"X\"} {}"));
}

TEST(UnixSocket, AnyLengthOfPathWorks) {
  char name[] = "/tmp/brume-socket-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  const std::string folder = std::string(name) + "/" + std::string(120, 'a') + "/" + std::string(120, 'b');
  std::filesystem::create_directories(folder);
  const auto listening = listen_unix(folder + "/qmp");
  ASSERT_TRUE(listening) << listening.error().message;
  EXPECT_TRUE(connect_unix(folder + "/qmp"));
  // Made anew over what an earlier run left.
  EXPECT_TRUE(listen_unix(folder + "/qmp"));
  const auto absent = connect_unix(folder + "/other");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().kind, ErrorKind::not_found);
  std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace brume::compute
