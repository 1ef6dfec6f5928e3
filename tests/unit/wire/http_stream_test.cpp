// Bodies that stream: pieces in order, no more of them in memory than one, and an end of every peer that stalls.
#include "wire/http/streams.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "base/files.hpp"
#include "body_pieces.hpp"
#include "http_client.hpp"
#include "tls_client.hpp"

namespace brume::wire {
namespace {

using std::string;
using Kind = BodyError::Kind;

HttpResponse streamed(std::shared_ptr<BodySource> source, std::optional<std::uint64_t> length = std::nullopt) {
  auto response = text("");
  response.streamed = std::make_shared<StreamedAnswer>();
  response.streamed->source = std::move(source);
  response.streamed->length = length;
  return response;
}

class HttpStreamTest : public testing::Test {
 protected:
  HttpStreamTest() { EXPECT_NE(::mkdtemp(folder.data()), nullptr); }
  ~HttpStreamTest() override {
    server.stop(milliseconds(50));
    std::filesystem::remove_all(folder);
  }
  static HttpResponse refuse(int status, std::string_view reason) {
    auto response = text("refused: " + string(reason));
    response.status = status;
    return response;
  }
  static bool is_put(const HttpRequest& head) { return head.method == "PUT"; }
  std::uint16_t serve(HttpHandler handler, HttpLimits limits = {}) {
    return server.serve(std::move(*listen_tcp("127.0.0.1", 0)), std::move(handler), refuse, limits, is_put)->port;
  }
  // Answers with the body and how many pieces... or what was wrong with it.
  static void echo(HttpRequest&& request, Responder respond) {
    if (!request.source) return respond(text("whole " + request.body));
    collect(request.source, [respond = std::move(respond)](const string& body, const std::optional<BodyError>& error) {
      respond(text(error ? "error " + std::to_string(static_cast<int>(error->kind)) + " " + error->message : "streamed " + body));
    });
  }

  string folder = "/tmp/brume-stream-XXXXXX";
  HttpServer server{2};
};

string body_of(const string& answer) { return answer.substr(std::min(answer.size(), answer.find("\r\n\r\n") + 4)); }

TEST_F(HttpStreamTest, TheHandlerChoosesAfterTheHead) {
  HttpLimits limits;
  limits.body_bytes = 10;
  const auto port = serve(echo, limits);
  Client client(port);
  for (int i = 0; i < 2; ++i) {
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_EQ(body_of(client.answer()), "whole hello");
    client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\nhello hello");
    client.send(" hello he");
    EXPECT_EQ(body_of(client.answer()), "streamed hello hello hello he") << "no limit for a streamed body";
    client.send("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\nF\r\n0123456789abcde\r\n0\r\nX: y\r\n\r\n");
    EXPECT_EQ(body_of(client.answer()), "streamed abc0123456789abcde");
    client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(body_of(client.answer()), "whole ");
  }
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n");
  EXPECT_TRUE(client.answer().starts_with("HTTP/1.1 413 "));
  Client chunked(port);
  chunked.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n");
  EXPECT_TRUE(chunked.answer().starts_with("HTTP/1.1 413 "));
}

TEST_F(HttpStreamTest, PipelinedRequestsOfBothKinds) {
  Client client(serve(echo));
  string many;
  for (int i = 0; i < 300; ++i) {
    const auto number = std::to_string(1000 + i);
    many += "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n" + number;
    many += "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n" + number.substr(0, 2) + "\r\n2\r\n" + number.substr(2) +
            "\r\n0\r\n\r\n";
    many += "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n" + number;
  }
  std::thread sender([&] { client.send(many); });
  for (int i = 0; i < 300; ++i) {
    const auto number = std::to_string(1000 + i);
    ASSERT_EQ(body_of(client.answer()), "streamed " + number);
    ASSERT_EQ(body_of(client.answer()), "streamed " + number);
    ASSERT_EQ(body_of(client.answer()), "whole " + number);
  }
  sender.join();
}

TEST_F(HttpStreamTest, ContinueIsSentWithTheFirstRead) {
  std::promise<std::pair<HttpRequest, Responder>> came;
  const auto port = serve([&](HttpRequest&& request, Responder respond) {
    if (request.path() == "/no") {
      auto response = text("no");
      response.status = 403;
      return respond(std::move(response));
    }
    came.set_value({std::move(request), std::move(respond)});
  });
  Client client(port);
  client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  auto [request, respond] = came.get_future().get();
  pollfd event{client.descriptor(), POLLIN, 0};
  EXPECT_EQ(::poll(&event, 1, 50), 0) << "nobody has asked for the body";
  collect(request.source, [respond = respond](const string& body, const std::optional<BodyError>&) { respond(text(body)); });
  EXPECT_EQ(client.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi");
  EXPECT_EQ(body_of(client.answer()), "hi");
  // A refusal by the head comes instead of it, and the body is not waited for.
  Client refused(port);
  refused.send("PUT /no HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n");
  const auto answer = refused.answer();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 403 ")) << answer;
  EXPECT_NE(answer.find("Connection: close"), string::npos);
}

// The peer's kernel and ours hold some; what matters is that the rest stays with the peer.
TEST_F(HttpStreamTest, ASlowHandlerMakesTheSocketStopBeingRead) {
  std::promise<std::pair<HttpRequest, Responder>> came;
  const auto port = serve([&](HttpRequest&& request, Responder respond) { came.set_value({std::move(request), std::move(respond)}); });
  Client client(port);
  constexpr size_t length = 64 << 20;
  client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n");
  // Sends until nothing goes any more.
  const string bytes(1 << 20, 'x');
  size_t sent = 0;
  const auto send_until_stuck = [&] {
    pollfd event{client.descriptor(), POLLOUT, 0};
    while (sent < length && ::poll(&event, 1, 200) == 1) {
      const auto count = ::send(client.descriptor(), bytes.data(), std::min(bytes.size(), length - sent), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count > 0) sent += static_cast<size_t>(count);
    }
    return sent;
  };
  EXPECT_LT(send_until_stuck(), 32U << 20);
  auto [request, respond] = came.get_future().get();
  std::promise<size_t> first;
  request.source->read([&](BodyPiece piece) { first.set_value(piece->size()); });
  const size_t got = first.get_future().get();
  EXPECT_LE(got, 64U << 10);
  EXPECT_LT(send_until_stuck(), 32U << 20) << "one piece was asked for";
  std::promise<size_t> all;
  collect(request.source, [&](const string& body, const std::optional<BodyError>& error) { all.set_value(error ? 0 : body.size()); });
  while (sent < length) client.send(bytes.substr(0, length - sent)), sent += std::min(bytes.size(), length - sent);
  EXPECT_EQ(all.get_future().get(), length - got);
  respond(text("done"));
  EXPECT_EQ(body_of(client.answer()), "done");
}

TEST_F(HttpStreamTest, BodiesThatAreNotWhole) {
  HttpLimits limits;
  limits.request_time = milliseconds(100);
  const auto port = serve(echo, limits);
  const auto answer_to = [&](std::string_view bytes, bool is_ended) {
    Client client(port);
    client.send(bytes);
    if (is_ended) ::shutdown(client.descriptor(), SHUT_WR);
    return body_of(client.answer());
  };
  const auto error = [](Kind kind) { return "error " + std::to_string(static_cast<int>(kind)); };
  const string head = "PUT / HTTP/1.1\r\nHost: x\r\n";
  EXPECT_TRUE(answer_to(head + "Content-Length: 5\r\n\r\nhe", false).starts_with(error(Kind::timed_out)));
  EXPECT_TRUE(answer_to(head + "Content-Length: 5\r\n\r\nhe", true).starts_with(error(Kind::lost)));
  for (const string chunks : {"8000000000000000\r\n", "ffffffffffffffff1\r\n", "10000000000000000\r\n", "-1\r\n", "0x5\r\n", "\r\n",
                              "5\nhello", "5 5\r\n", "2\r\nabc\r\n0\r\n\r\n", "0\r\nno colon\r\n\r\n", "0\r\na b: c\r\n\r\n"})
    EXPECT_TRUE(answer_to(head + "Transfer-Encoding: chunked\r\n\r\n" + chunks, true).starts_with(error(Kind::malformed))) << chunks;
  EXPECT_TRUE(answer_to(head + "Transfer-Encoding: chunked\r\n\r\n5;" + string(5000, 'x'), true).starts_with(error(Kind::malformed)));
  EXPECT_TRUE(answer_to(head + "Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\nx", true).starts_with(error(Kind::lost)));
  string trailers = "0\r\n";
  for (int i = 0; i < 1000; ++i) trailers += "a: 0123456789\r\n";
  EXPECT_TRUE(answer_to(head + "Transfer-Encoding: chunked\r\n\r\n" + trailers, true).starts_with(error(Kind::malformed)));
}

// A byte now and then keeps no connection for ever.
TEST_F(HttpStreamTest, APeerThatSendsNextToNothingIsCut) {
  HttpLimits limits;
  limits.request_time = milliseconds(200);
  Client client(serve(echo, limits));
  client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
  const auto begun = std::chrono::steady_clock::now();
  pollfd event{client.descriptor(), POLLIN, 0};
  while (::poll(&event, 1, 20) == 0) client.send("x");
  EXPECT_NE(client.answer().find("error " + std::to_string(static_cast<int>(Kind::timed_out))), string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(5));
}

TEST_F(HttpStreamTest, AnAnswerBeforeTheEndOfTheBodyClosesTheConnection) {
  const auto port = serve([](HttpRequest&& request, Responder respond) {
    const auto source = request.source;
    source->read([source, respond](const BodyPiece& piece) {
      auto response = text(string(*piece).substr(0, 1));
      response.status = 403;
      respond(std::move(response));
      source->read([](const BodyPiece& late) { EXPECT_EQ(late.error().kind, Kind::lost); });
    });
  });
  Client client(port);
  client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n" + string(10'000'000, 'y'));
  const auto answer = client.answer();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 403 "));
  EXPECT_NE(answer.find("Connection: close"), string::npos);
  EXPECT_EQ(body_of(answer), "y");
  // What has come as a whole is skipped.
  Client kept(port);
  for (int i = 0; i < 2; ++i) {
    kept.send("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
    EXPECT_EQ(body_of(kept.answer()), "a");
  }
}

TEST_F(HttpStreamTest, AnAnswerWhileTheBodyIsBeingWaitedFor) {
  std::promise<Responder> came;
  std::promise<Kind> told;
  const auto port = serve([&](HttpRequest&& request, Responder respond) {
    request.source->read([&](const BodyPiece& piece) { told.set_value(piece.error().kind); });
    came.set_value(std::move(respond));
  });
  Client client(port);
  client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
  came.get_future().get()(text("enough"));
  EXPECT_EQ(body_of(client.answer()), "enough");
  EXPECT_EQ(told.get_future().get(), Kind::lost);
}

TEST_F(HttpStreamTest, APeerThatGoesAndAServerThatStops) {
  for (const bool stops : {false, true}) {
    HttpServer own(1);
    std::promise<void> came;
    std::promise<Kind> told;
    const auto handler = [&](HttpRequest&& request, const Responder& respond) {
      request.source->read([&, respond](const BodyPiece& piece) { told.set_value(piece.error().kind); });
      came.set_value();
    };
    const auto port = own.serve(std::move(*listen_tcp("127.0.0.1", 0)), handler, refuse, {}, is_put)->port;
    Client client(port);
    client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
    came.get_future().get();
    stops ? own.stop(milliseconds(1)) : client.close();
    EXPECT_EQ(told.get_future().get(), Kind::lost);
  }
}

TEST_F(HttpStreamTest, StreamedAnswers) {
  const auto port = serve([](HttpRequest&& request, const Responder& respond) {
    std::vector<string> pieces{"ab", "cde", string(100'000, 'f')};
    if (request.path() == "/many") pieces.assign(100'000, "x");
    const auto length = request.path() == "/short" ? 100'010 : request.path() == "/long" ? 10 : 100'005;
    const bool in_chunks = request.path() == "/chunks" || request.path() == "/many";
    respond(streamed(std::make_shared<Pieces>(pieces), in_chunks ? std::nullopt : std::optional<std::uint64_t>(length)));
  });
  Client client(port);
  for (int i = 0; i < 2; ++i) {
    client.send("GET /known HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(body_of(client.answer()), "abcde" + string(100'000, 'f'));
    client.send("HEAD /known HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_NE(client.answer(false).find("Content-Length: 100005\r\n"), string::npos);
  }
  client.send("GET /chunks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client.closed());
  EXPECT_NE(client.held_.find("\r\nTransfer-Encoding: chunked\r\n"), string::npos);
  EXPECT_EQ(body_of(client.held_), "2\r\nab\r\n3\r\ncde\r\n186a0\r\n" + string(100'000, 'f') + "\r\n0\r\n\r\n");
  Client old(port);
  old.send("GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(old.closed());
  EXPECT_EQ(body_of(old.held_), "abcde" + string(100'000, 'f'));
  Client many(port);
  many.send("GET /many HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(many.closed());
  EXPECT_EQ(body_of(many.held_), string(100'000, 'x'));
  // A body that is not as long as was said is seen to be cut.
  for (const string path : {"/short", "/long"}) {
    Client cut(port);
    cut.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(cut.closed());
    EXPECT_LT(body_of(cut.held_).size(), path == "/short" ? 100'010U : 10U);
  }
}

// Reads of a source that is slow, from another thread, and from one that forgets its taker.
TEST_F(HttpStreamTest, SourcesOfOtherThreads) {
  class Slow final : public BodySource {
   public:
    ~Slow() override {
      if (thread_.joinable()) thread_.detach();
    }
    void read(Taker take) override {
      if (thread_.joinable()) thread_.join();
      if (++count_ > 3) return;  // forgets it
      thread_ = std::thread([take = std::move(take)] { take(std::string_view("piece")); });
    }

   private:
    std::thread thread_;
    int count_ = 0;
  };
  Client client(serve([](HttpRequest&&, const Responder& respond) { respond(streamed(std::make_shared<Slow>(), 100)); }));
  client.send(ping);
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(body_of(client.held_), "piecepiecepiece");
}

TEST_F(HttpStreamTest, AReaderThatStopsIsCutAndTheSourceIsNotAskedForMore) {
  class Endless final : public BodySource {
   public:
    explicit Endless(std::shared_ptr<std::promise<size_t>> end) : end_(std::move(end)) {}
    ~Endless() override { end_->set_value(given_); }
    void read(Taker take) override {
      given_ += piece_.size();
      take(std::string_view(piece_));
    }

   private:
    std::shared_ptr<std::promise<size_t>> end_;
    string piece_ = string(64 << 10, 'e');
    size_t given_ = 0;
  };
  HttpLimits limits;
  limits.write_time = milliseconds(200);
  const auto end = std::make_shared<std::promise<size_t>>();
  const auto handler = [end](HttpRequest&&, const Responder& respond) { respond(streamed(std::make_shared<Endless>(end))); };
  Client client(serve(handler, limits), 4096);
  client.send(ping);
  auto future = end->get_future();
  ASSERT_EQ(future.wait_for(milliseconds(patience)), std::future_status::ready);
  EXPECT_LT(future.get(), 16U << 20);
}

// --- An echo store: what is PUT under a name is what a GET of it gives.

// Writes what comes to a file, on its own thread, as a store does.
class Storing : public std::enable_shared_from_this<Storing> {
 public:
  Storing(std::shared_ptr<BodySource> source, const string& path, Responder respond)
      : source_(std::move(source)),
        file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)),
        respond_(std::move(respond)) {}
  void run() {
    for (;;) {
      std::promise<BodyPiece> promise;
      source_->read([&](BodyPiece piece) { promise.set_value(std::move(piece)); });
      const auto piece = promise.get_future().get();
      if (!piece || piece->empty()) return respond_(text(piece ? "stored" : piece.error().message));
      if (::write(file_.get(), piece->data(), piece->size()) != static_cast<ssize_t>(piece->size())) return;
    }
  }

 private:
  std::shared_ptr<BodySource> source_;
  Descriptor file_;
  Responder respond_;
};

class EchoStore {
 public:
  explicit EchoStore(string folder) : folder_(std::move(folder)) {}
  ~EchoStore() {
    for (auto& thread : threads_) thread.join();
  }
  void handle(HttpRequest&& request, Responder respond) {
    const auto path = folder_ + string(request.path());
    if (request.source) {
      auto storing = std::make_shared<Storing>(request.source, path, std::move(respond));
      threads_.emplace_back([storing] { storing->run(); });
      return;
    }
    auto response = text("");
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) {
      response.status = 404;
      return respond(std::move(response));
    }
    response.streamed = std::make_shared<StreamedAnswer>();
    response.streamed->file = {std::move(file), 0, static_cast<std::uint64_t>(status.st_size)};
    respond(std::move(response));
  }

 private:
  string folder_;
  std::vector<std::thread> threads_;
};

TEST_F(HttpStreamTest, AnEchoStoreOverTls) {
  const TlsFiles files{folder + "/certificate.pem", folder + "/key.pem"};
  ASSERT_TRUE(make_certificate(files, {"localhost"}, SystemClock().now()));
  EchoStore store(folder);
  const auto handler = [&](HttpRequest&& request, Responder respond) { store.handle(std::move(request), std::move(respond)); };
  const auto port = server.serve_encrypted(std::move(*listen_tcp("127.0.0.1", 0)), files, handler, refuse, {}, is_put)->port;
  TlsClient client(port, files.certificate);
  ASSERT_TRUE(client.connected());
  const string body(3'000'000, 's');
  for (int i = 0; i < 2; ++i) {
    client.send("PUT /secret HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3000000\r\n\r\n");
    EXPECT_EQ(client.receive_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(body);
    EXPECT_NE(client.receive_until("stored").find("Content-Length: 6\r\n"), string::npos);
    client.send("GET /secret HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_NE(client.receive_until("\r\n\r\n").find("Content-Length: 3000000\r\n"), string::npos);
    EXPECT_EQ(client.receive_exactly(body.size()), body);
  }
}

size_t peak_kib() {
  std::ifstream status("/proc/self/status");
  for (string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6));
  return 0;
}

// The client is in this process, too: all of it together stays small.
TEST_F(HttpStreamTest, AnEchoStoreOfOneGibibyteInTwentyMegabytes) {
  EchoStore store(folder);
  const auto port = serve([&](HttpRequest&& request, Responder respond) { store.handle(std::move(request), std::move(respond)); });
  constexpr std::uint64_t length = 1ULL << 30;
  string piece(256 << 10, '\0');
  for (size_t i = 0; i < piece.size(); ++i) piece[i] = static_cast<char>(i * 7 + i / 251);
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins anew
  const size_t before = peak_kib();
  Client client(port);
  client.send("PUT /one HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n");
  for (std::uint64_t sent = 0; sent < length; sent += piece.size()) client.send(piece);
  ASSERT_EQ(body_of(client.answer()), "stored");
  client.send("GET /one HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto head = client.answer(false);
  ASSERT_NE(head.find("Content-Length: 1073741824\r\n"), string::npos);
  string buffer(piece.size(), '\0');
  std::uint64_t got = client.held_.size();
  ASSERT_EQ(client.held_, piece.substr(0, got % piece.size()));
  while (got < length) {
    const auto count = ::recv(client.descriptor(), buffer.data(), piece.size() - got % piece.size(), 0);
    ASSERT_GT(count, 0);
    ASSERT_EQ(std::string_view(buffer.data(), static_cast<size_t>(count)),
              std::string_view(piece).substr(got % piece.size(), static_cast<size_t>(count)));
    got += static_cast<size_t>(count);
  }
  EXPECT_LE(peak_kib() - before, 20U << 10);
  client.held_.clear();
  client.send("GET /none HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.answer().starts_with("HTTP/1.1 404 ")) << "the connection is as good as new";
}

}  // namespace
}  // namespace brume::wire
