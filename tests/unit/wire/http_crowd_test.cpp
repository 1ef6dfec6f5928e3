// More connections than there is room for: nobody who has no complete request keeps others out.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>

#include "base/files.hpp"
#include "http_client.hpp"
#include "wire/http/server.hpp"

namespace brume::wire {
namespace {

// One thread: connections are let in in the order in which they were made.
class HttpCrowdTest : public testing::Test {
 protected:
  ~HttpCrowdTest() override { server.stop(milliseconds(50)); }

  static HttpResponse refuse(int status, std::string_view reason) {
    auto response = text(std::string(reason));
    response.status = status;
    return response;
  }
  static HttpLimits at_most(size_t connections) {
    HttpLimits limits;
    limits.connections = connections;
    return limits;
  }
  std::uint16_t serve(size_t connections) {
    const auto handler = [](HttpRequest&& request, const Responder& respond) { respond(text(request.target)); };
    return server.serve(std::move(*listen_tcp("127.0.0.1", 0)), handler, refuse, at_most(connections))->port;
  }
  // Clients that have sent a part of a request.
  static std::vector<std::unique_ptr<Client>> slow_clients(std::uint16_t port, size_t count, const char* from = nullptr) {
    std::vector<std::unique_ptr<Client>> clients;
    for (size_t i = 0; i < count; ++i) clients.emplace_back(std::make_unique<Client>(port, 0, from))->send("G");
    return clients;
  }
  static bool is_served(Client& client, std::string_view request) {
    client.send(request);
    return client.answer().starts_with("HTTP/1.1 200 ");
  }

  HttpServer server{1};
};

TEST_F(HttpCrowdTest, HalfRequestsGiveWayTheOldestFirst) {
  const auto port = serve(4);
  auto slow = slow_clients(port, 6);
  Client other(port);
  EXPECT_TRUE(is_served(other, ping));
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(slow[i]->closed()) << i;
  for (size_t i = 3; i < 6; ++i) EXPECT_TRUE(is_served(*slow[i], std::string_view(ping).substr(1))) << i;
}

TEST_F(HttpCrowdTest, WhoOpensManyConnectionsClosesTheirOwn) {
  const auto port = serve(8);
  auto first = slow_clients(port, 1, "127.0.0.2");
  auto many = slow_clients(port, 40);
  auto last = slow_clients(port, 1, "127.0.0.3");
  EXPECT_TRUE(is_served(*first.front(), std::string_view(ping).substr(1)));
  EXPECT_TRUE(is_served(*last.front(), std::string_view(ping).substr(1)));
  for (size_t i = 0; i < 34; ++i) EXPECT_TRUE(many[i]->closed()) << i;
  EXPECT_TRUE(is_served(*many.back(), std::string_view(ping).substr(1)));
}

TEST_F(HttpCrowdTest, HandshakesThatNeverComeGiveWay) {
  std::string folder = "/tmp/brume-http-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const TlsFiles files{folder + "/certificate.pem", folder + "/key.pem"};
  ASSERT_TRUE(make_certificate(files, {"localhost"}, SystemClock().now()));
  const auto handler = [](HttpRequest&&, const Responder& respond) { respond(text("served")); };
  const auto listener = server.serve_encrypted(std::move(*listen_tcp("127.0.0.1", 0)), files, handler, refuse, at_most(2));
  ASSERT_TRUE(listener);
  Client first(listener->port);
  const Client second(listener->port);
  const Client third(listener->port);
  EXPECT_TRUE(first.closed());
  std::filesystem::remove_all(folder);
}

TEST_F(HttpCrowdTest, AnswersThatNobodyReadsGiveWay) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Responder> held;
  const auto handler = [&](HttpRequest&& request, Responder respond) {
    if (request.method == "GET") return respond(text("small"));
    const std::lock_guard lock(mutex);
    held.push_back(std::move(respond));
    changed.notify_all();
  };
  const auto port = server.serve(std::move(*listen_tcp("127.0.0.1", 0)), handler, refuse, at_most(2))->port;
  Client first(port, 4096);
  Client second(port, 4096);
  first.send("POST /large HTTP/1.1\r\nHost: x\r\n\r\n");
  second.send("POST /large HTTP/1.1\r\nHost: x\r\n\r\n");
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, milliseconds(patience), [&] { return held.size() == 2; }));
  }
  {
    // Both at work: there is nobody to be given up.
    Client third(port);
    third.send(ping);
    EXPECT_TRUE(third.answer().starts_with("HTTP/1.1 503 "));
  }
  for (const auto& respond : held) respond(text(std::string(8 << 20, 'z')));
  Client third(port);
  EXPECT_TRUE(is_served(third, ping));
}

// What bounds unread answers counts by this.
TEST_F(HttpCrowdTest, WhatAnAnswerHoldsIsLetGoWhenItIsTakenOrItsPeerIsGone) {
  for (const bool is_taken : {true, false}) {
    const auto gone = std::make_shared<std::promise<void>>();
    auto is_gone = gone->get_future();
    const auto handler = [gone](HttpRequest&&, const Responder& respond) {
      auto response = text(std::string(8 << 20, 'z'));
      response.until_taken = std::shared_ptr<void>(gone.get(), [gone](void*) { gone->set_value(); });
      respond(std::move(response));
    };
    const auto port = server.serve(std::move(*listen_tcp("127.0.0.1", 0)), handler, refuse)->port;
    Client client(port, is_taken ? 0 : 4096);
    client.send(ping);
    EXPECT_EQ(is_gone.wait_for(milliseconds(100)), std::future_status::timeout) << "nothing of it is read";
    if (is_taken)
      EXPECT_NE(client.answer(), "");
    else
      client.close();
    EXPECT_EQ(is_gone.wait_for(milliseconds(patience)), std::future_status::ready) << is_taken;
  }
}

}  // namespace
}  // namespace brume::wire
