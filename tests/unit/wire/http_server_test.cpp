#include "wire/http/server.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <string>
#include <thread>

#include "base/files.hpp"
#include "http_client.hpp"

namespace brume::wire {
namespace {

using std::string;

class HttpServerTest : public testing::Test {
 protected:
  ~HttpServerTest() override { server.stop(milliseconds(50)); }

  // Answers "<method> <target> <body>".
  static void echo(HttpRequest&& request, const Responder& respond) {
    respond(text(request.method + " " + request.target + " " + request.body));
  }
  static HttpResponse refuse(int status, std::string_view reason) {
    auto response = text("refused: " + string(reason));
    response.status = status;
    return response;
  }
  std::uint16_t serve(HttpHandler handler, HttpLimits limits = {}) {
    auto listener = server.serve(std::move(*listen_tcp("127.0.0.1", 0)), std::move(handler), refuse, limits);
    EXPECT_TRUE(listener);
    last_listener = listener->id;
    return listener->port;
  }

  HttpServer server{2};
  std::uint64_t last_listener = 0;
};

// Keeps responders for the test to use when it likes.
class Held {
 public:
  HttpHandler handler() {
    return [this](HttpRequest&&, Responder respond) {
      const std::lock_guard lock(mutex_);
      held_.push_back(std::move(respond));
      changed_.notify_all();
    };
  }
  Responder take() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, milliseconds(patience), [this] { return !held_.empty(); })) throw std::runtime_error("no request came");
    auto one = std::move(held_.front());
    held_.erase(held_.begin());
    return one;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Responder> held_;
};

TEST_F(HttpServerTest, AnswersAndKeepsAlive) {
  const auto port = serve([](HttpRequest&& request, const Responder& respond) {
    EXPECT_EQ(request.peer_address, "127.0.0.1");
    EXPECT_NE(request.peer_port, 0);
    EXPECT_EQ(request.header("x-thing"), "y");
    EXPECT_FALSE(request.encrypted);
    auto response = text(std::to_string(request.local_port));
    response.headers.emplace_back("X-Amzn-RequestId", "a\r\nEvil: b");
    respond(std::move(response));
  });
  Client client(port);
  for (int i = 0; i < 3; ++i) {
    client.send("GET / HTTP/1.1\r\nHost: x\r\nX-THING: y\r\n\r\n");
    const auto answer = client.answer();
    EXPECT_EQ(answer.rfind("HTTP/1.1 200 OK\r\nDate: ", 0), 0U) << answer;
    EXPECT_NE(answer.find("\r\nContent-Type: text/plain\r\n"), string::npos);
    EXPECT_NE(answer.find("\r\nX-Amzn-RequestId: aEvil: b\r\n"), string::npos) << "no header inside a header";
    EXPECT_EQ(answer.substr(answer.find("\r\n\r\n") + 4), std::to_string(port));
  }
}

TEST_F(HttpServerTest, MethodsAndBodies) {
  Client client(serve(echo));
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe");
  client.send("llo");
  EXPECT_NE(client.answer().find("POST / hello"), string::npos);
  client.send("PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  client.send("2\r\nde\r\n0\r\n\r\n");
  EXPECT_NE(client.answer().find("PUT /c abcde"), string::npos);
  client.send("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto head = client.answer(false);
  EXPECT_NE(head.find("Content-Length: 8"), string::npos) << head;
  client.send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(client.answer().find("OPTIONS * "), string::npos);
  client.send("DELETE http://x/d HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(client.answer().find("DELETE http://x/d "), string::npos);
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  Held held;
  Client direct(serve(echo));
  Client client(serve(held.handler()));
  string many;
  for (int i = 0; i < 2000; ++i) many += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  std::thread sender([&] { direct.send(many); });
  for (int i = 0; i < 2000; ++i) ASSERT_NE(direct.answer().find("GET /" + std::to_string(i) + " "), string::npos);
  sender.join();
  client.send(ping + ping + ping);
  for (int i = 0; i < 3; ++i) {
    held.take()(text(std::to_string(i)));
    EXPECT_EQ(client.answer().back(), '0' + i);
  }
}

TEST_F(HttpServerTest, OldClientsAndClosing) {
  const auto port = serve(echo);
  Client old(port);
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_NE(old.answer().find("Connection: close"), string::npos);
  EXPECT_TRUE(old.closed());
  Client kept(port);
  for (int i = 0; i < 2; ++i) {
    kept.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_NE(kept.answer().find("Connection: keep-alive"), string::npos);
  }
  Client closing(port);
  closing.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(closing.answer().find("Connection: close"), string::npos);
  EXPECT_TRUE(closing.closed());
}

TEST_F(HttpServerTest, ExpectContinue) {
  Client client(serve(echo));
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi");
  EXPECT_NE(client.answer().find("POST / hi"), string::npos);
}

TEST_F(HttpServerTest, TooLarge) {
  HttpLimits limits;
  limits.body_bytes = 1000;
  limits.header_bytes = 1000;
  const auto port = serve(echo, limits);
  Client announced(port);
  announced.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(announced.answer().rfind("HTTP/1.1 413 ", 0), 0U);
  EXPECT_TRUE((::shutdown(announced.descriptor(), SHUT_WR), announced.closed()));
  Client chunked(port);
  chunked.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n300\r\n" + string(0x300, 'x') + "\r\n300\r\n");
  EXPECT_EQ(chunked.answer().rfind("HTTP/1.1 413 ", 0), 0U);
  // A client that sends all of its 10 MB before it reads sees the answer all the same.
  Client deaf(port);
  deaf.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n" + string(10'000'000, 'x'));
  EXPECT_EQ(deaf.answer().rfind("HTTP/1.1 413 ", 0), 0U);
  Client headers(port);
  headers.send("GET / HTTP/1.1\r\nHost: x\r\nX: " + string(2000, 'x'));
  EXPECT_EQ(headers.answer().rfind("HTTP/1.1 431 ", 0), 0U);
  Client malformed(port);
  malformed.send("what is this\r\n\r\n");
  const auto answer = malformed.answer();
  EXPECT_EQ(answer.rfind("HTTP/1.1 400 ", 0), 0U);
  EXPECT_NE(answer.find("refused: "), string::npos);
  EXPECT_NE(answer.find("Connection: close"), string::npos);
}

TEST_F(HttpServerTest, SilenceInsideARequest) {
  HttpLimits limits;
  limits.request_time = milliseconds(100);
  const auto port = serve(echo, limits);
  for (const string half : {"GET / HT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe"}) {
    Client client(port);
    client.send(half);
    EXPECT_EQ(client.answer().rfind("HTTP/1.1 408 ", 0), 0U);
    ::shutdown(client.descriptor(), SHUT_WR);
    EXPECT_TRUE(client.closed());
  }
}

TEST_F(HttpServerTest, IdleConnectionsAreClosed) {
  HttpLimits limits;
  limits.idle = milliseconds(50);
  const auto port = serve(echo, limits);
  Client silent(port);
  EXPECT_TRUE(silent.closed());
  EXPECT_EQ(silent.held_, "");
  Client used(port);
  used.send(ping);
  EXPECT_NE(used.answer(), "");
  EXPECT_TRUE(used.closed());
}

TEST_F(HttpServerTest, LargeAnswersAndSlowReaders) {
  HttpLimits limits;
  limits.write_time = milliseconds(200);
  const string large(8 << 20, 'z');
  const auto handler = [&](HttpRequest&&, const Responder& respond) { respond(text(large)); };
  Client reader(serve(handler));
  for (int i = 0; i < 2; ++i) {
    reader.send(ping);
    EXPECT_GT(reader.answer().size(), large.size());
  }
  Client slow(serve(handler, limits), 4096);
  slow.send(ping);
  // Waits for the server's reset without taking a byte.
  pollfd event{slow.descriptor(), POLLRDHUP, 0};
  EXPECT_EQ(::poll(&event, 1, patience), 1);
  EXPECT_TRUE(slow.closed());
  EXPECT_LT(slow.held_.size(), large.size());
}

TEST_F(HttpServerTest, ConnectionLimit) {
  Held held;
  HttpLimits limits;
  limits.connections = 2;
  // A server of one thread: what the clients see in an order has happened to the connections in that order.
  HttpServer alone(1);
  const auto listener = alone.serve(std::move(*listen_tcp("127.0.0.1", 0)), held.handler(), refuse, limits);
  ASSERT_TRUE(listener);
  const auto port = listener->port;
  Client first(port);
  Client second(port);
  first.send(ping);
  held.take()(text("1"));
  EXPECT_NE(first.answer(), "");
  second.send(ping);
  held.take()(text("2"));
  EXPECT_NE(second.answer(), "");
  // The third takes the place of the first, which has been idle longest.
  Client third(port);
  third.send(ping);
  auto third_responder = held.take();
  EXPECT_TRUE(first.closed());
  second.send(ping);
  auto second_responder = held.take();
  // Both at work: nobody is given up for the fourth.
  Client fourth(port);
  fourth.send(ping);
  EXPECT_EQ(fourth.answer().rfind("HTTP/1.1 503 ", 0), 0U);
  ::shutdown(fourth.descriptor(), SHUT_WR);
  EXPECT_TRUE(fourth.closed());
  third_responder(text("3"));
  second_responder(text("2"));
  EXPECT_NE(third.answer(), "");
  EXPECT_NE(second.answer(), "");
}

TEST_F(HttpServerTest, AnswersFromOtherThreadsAndOnlyOnce) {
  std::vector<std::thread> threads;
  std::mutex mutex;
  const auto port = serve([&](HttpRequest&& request, const Responder& respond) {
    const std::lock_guard lock(mutex);
    threads.emplace_back([respond, target = request.target] {
      respond(text(target));
      respond(text("again"));
    });
  });
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(std::make_unique<Client>(port));
  for (size_t i = 0; i < clients.size(); ++i) clients[i]->send("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n");
  for (size_t i = 0; i < clients.size(); ++i) {
    const auto answer = clients[i]->answer();
    EXPECT_EQ(answer.substr(answer.find("\r\n\r\n") + 4), "/" + std::to_string(i));
  }
  const std::lock_guard lock(mutex);
  for (auto& thread : threads) thread.join();
}

TEST_F(HttpServerTest, HandlersThatFailOrForget) {
  Client throws(serve([](HttpRequest&&, const Responder&) { throw std::runtime_error("oops"); }));
  throws.send(ping);
  EXPECT_EQ(throws.answer().rfind("HTTP/1.1 500 ", 0), 0U);
  Client forgets(serve([](HttpRequest&&, const Responder&) {}));
  forgets.send(ping);
  EXPECT_EQ(forgets.answer().rfind("HTTP/1.1 500 ", 0), 0U);
}

TEST_F(HttpServerTest, LateAnswers) {
  Held held;
  const auto port = serve(held.handler());
  {
    Client gone(port);
    gone.send(ping);
    const auto respond = held.take();
    gone.close();
    respond(text("nobody"));
  }
  Client client(port);
  client.send(ping);
  held.take()(text("still here"));
  EXPECT_NE(client.answer().find("still here"), string::npos);
}

TEST_F(HttpServerTest, CloseListener) {
  Held held;
  const auto port = serve(held.handler());
  Client idle(port);
  idle.send(ping);
  held.take()(text("a"));
  EXPECT_NE(idle.answer(), "");
  Client busy(port);
  busy.send(ping);
  const auto respond = held.take();
  server.close(last_listener);
  EXPECT_TRUE(idle.closed());
  respond(text("done"));
  const auto answer = busy.answer();
  EXPECT_NE(answer.find("done"), string::npos);
  EXPECT_NE(answer.find("Connection: close"), string::npos);
  EXPECT_TRUE(busy.closed());
  EXPECT_FALSE(Client(port).connected());
}

TEST(HttpServer, StopWaitsForRunningRequestsAndNoLonger) {
  Held held;
  auto server = std::make_unique<HttpServer>(2);
  const auto port = server->serve(std::move(*listen_tcp("127.0.0.1", 0)), held.handler(), nullptr)->port;
  Client idle(port);
  Client quick(port);
  Client never(port);
  quick.send(ping);
  const auto respond = held.take();
  never.send(ping);
  const auto late = held.take();
  auto stopped = std::async(std::launch::async, [&] { server->stop(milliseconds(300)); });
  EXPECT_TRUE(idle.closed());
  respond(text("in time"));
  EXPECT_NE(quick.answer().find("in time"), string::npos);
  EXPECT_TRUE(never.closed());
  stopped.get();
  server->stop();
  EXPECT_FALSE(server->serve(std::move(*listen_tcp("127.0.0.1", 0)), held.handler(), nullptr));
  server.reset();
  late(text("the server is gone"));
}

TEST(HttpServer, Timers) {
  HttpServer server(2);
  std::promise<void> ran;
  server.after(milliseconds(1), [] { throw std::runtime_error("oops"); });
  server.after(milliseconds(5), [&] { ran.set_value(); });
  server.after(std::chrono::hours(1), [] { ADD_FAILURE(); });
  EXPECT_EQ(ran.get_future().wait_for(milliseconds(patience)), std::future_status::ready);
}

TEST(HttpSockets, PortsAndAddresses) {
  const auto first = listen_tcp("127.0.0.1", 0);
  ASSERT_TRUE(first);
  sockaddr_in address{};
  socklen_t length = sizeof address;
  ::getsockname(first->get(), reinterpret_cast<sockaddr*>(&address), &length);
  const auto second = listen_tcp("127.0.0.1", ntohs(address.sin_port));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::exists);
  EXPECT_EQ(listen_tcp("localhost.invalid", 0).error().kind, ErrorKind::invalid);
}

class Folder : public testing::Test {
 protected:
  Folder() {
    char name[] = "/tmp/brume-http-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() override {
    for (const auto* file : {"/s", "/c.pem", "/k.pem"}) ::unlink((path + file).c_str());
    ::rmdir(path.c_str());
  }
  string path;
};

TEST_F(Folder, UnixSocket) {
  const string file = path + "/s";
  {
    HttpServer server(1);
    auto listening = listen_unix(file);
    ASSERT_TRUE(listening);
    struct stat status {};
    ::stat(file.c_str(), &status);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    EXPECT_EQ(listen_unix(file).error().kind, ErrorKind::exists);
    const auto handler = [](HttpRequest&& request, const Responder& respond) {
      respond(text("[" + request.peer_address + "]" + std::to_string(request.local_port)));
    };
    const auto listener = server.serve(std::move(*listening), handler, nullptr);
    ASSERT_TRUE(listener);
    EXPECT_EQ(listener->port, 0);
    Client client(file);
    client.send(ping);
    EXPECT_NE(client.answer().find("[]0"), string::npos);
  }
  EXPECT_TRUE(listen_unix(file)) << "a stale socket is replaced";
  ::unlink(file.c_str());
  EXPECT_TRUE(write_file(file, "mine"));
  EXPECT_EQ(listen_unix(file).error().kind, ErrorKind::exists) << "a file is not";
  EXPECT_EQ(listen_unix(string(200, 'x')).error().kind, ErrorKind::invalid);
}

TEST_F(Folder, Encrypted) {
  const TlsFiles files{path + "/c.pem", path + "/k.pem"};
  ASSERT_TRUE(make_certificate(files, {"localhost", "127.0.0.1", "::1"}, SystemClock().now()));
  EXPECT_FALSE(make_certificate(files, {"a,IP:8.8.8.8"}, SystemClock().now()));
  struct stat status {};
  ::stat(files.key.c_str(), &status);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  HttpServer server(1);
  EXPECT_EQ(server.serve_encrypted(std::move(*listen_tcp("127.0.0.1", 0)), {files.key, files.certificate}, nullptr, nullptr).error().kind,
            ErrorKind::broken);
  const string large(1 << 20, 'q');
  const auto handler = [&](HttpRequest&& request, const Responder& respond) {
    respond(text(request.encrypted ? request.body + large : "plain"));
  };
  const auto listener = server.serve_encrypted(std::move(*listen_tcp("127.0.0.1", 0)), files, handler, nullptr);
  ASSERT_TRUE(listener);
  Client plain(listener->port);
  plain.send(ping);
  EXPECT_TRUE(plain.closed()) << "no HTTP on the TLS port";

  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  ASSERT_EQ(SSL_CTX_load_verify_locations(context.get(), files.certificate.c_str(), nullptr), 1);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context.get()), X509_V_FLAG_X509_STRICT);
  const std::unique_ptr<SSL, void (*)(SSL*)> session(SSL_new(context.get()), SSL_free);
  X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session.get()), "127.0.0.1");
  const Client client(listener->port);
  SSL_set_fd(session.get(), client.descriptor());
  ASSERT_EQ(SSL_connect(session.get()), 1) << ERR_reason_error_string(ERR_get_error());
  for (int i = 0; i < 2; ++i) {
    const string request =
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" + string(i == 1 ? "Connection: close\r\n" : "") + "\r\nhello";
    ASSERT_EQ(SSL_write(session.get(), request.data(), static_cast<int>(request.size())), static_cast<int>(request.size()));
    string answer;
    char buffer[16384];
    while (answer.find("\r\n\r\n") == string::npos || answer.size() < answer.find("\r\n\r\n") + 4 + 5 + large.size()) {
      const int got = SSL_read(session.get(), buffer, sizeof buffer);
      ASSERT_GT(got, 0);
      answer.append(buffer, static_cast<size_t>(got));
    }
    EXPECT_NE(answer.find("\r\n\r\nhelloqqq"), string::npos);
  }
  char byte = 0;
  EXPECT_EQ(SSL_read(session.get(), &byte, 1), 0);
  EXPECT_EQ(SSL_get_shutdown(session.get()) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN) << "an end, not a cut";
}

}  // namespace
}  // namespace brume::wire
