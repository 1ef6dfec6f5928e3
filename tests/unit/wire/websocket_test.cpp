// WebSocket: frames, and an echo over a connection that changed its protocol.
#include "wire/websocket/websocket.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <future>

#include "http_client.hpp"
#include "tls_client.hpp"

namespace brume::wire {
namespace {

using std::string;
using Event = WebSocketReader::Event;

// A client's frame: with this first byte, masked.
string frame(int first, std::string_view data) {
  string bytes(1, static_cast<char>(first));
  const size_t wide = data.size() < 126 ? 0 : data.size() < 65536 ? 2 : 8;
  bytes += static_cast<char>(0x80 | (wide == 0 ? data.size() : wide == 2 ? 126 : 127));
  for (size_t i = wide; i-- > 0;) bytes += static_cast<char>(data.size() >> (8 * i) & 0xff);
  const string mask = "\x37\xfa\x21\x3d";
  bytes += mask;
  for (size_t i = 0; i < data.size(); ++i) bytes += static_cast<char>(data[i] ^ mask[i % 4]);
  return bytes;
}
constexpr int text_first = 0x81;
constexpr int binary_first = 0x82;
constexpr int close_first = 0x88;
constexpr int ping_first = 0x89;

string code_text(int code) { return {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)}; }

// What a reader makes of these bytes, in pieces of so many: "t:Hello p:x c1000 f1002".
string events(std::string_view raw, size_t piece, size_t limit = 1000) {
  WebSocketReader reader(limit);
  string seen;
  for (size_t i = 0; i < raw.size(); i += piece) {
    auto bytes = raw.substr(i, piece);
    for (auto event = reader.next(bytes); event != Event::more; event = reader.next(bytes)) {
      if (event == Event::message) seen += (reader.is_text() ? "t:" : "b:") + reader.data() + " ";
      if (event == Event::ping) seen += "p:" + reader.data() + " ";
      if (event == Event::pong) seen += "P:" + reader.data() + " ";
      if (event == Event::close) return seen + "c" + std::to_string(reader.code());
      if (event == Event::failed) return seen + "f" + std::to_string(reader.code());
      if (bytes.empty()) break;
    }
  }
  return seen;
}

TEST(WebSocketReader, Messages) {
  // The masked "Hello" of RFC 6455, 5.7.
  const string hello("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
  const string fragments = frame(0x01, "Hel") + frame(ping_first, "in between") + frame(0x00, "l") + frame(0x80, "o");
  const string all = hello + fragments + frame(binary_first, "") + frame(binary_first, string(300, 'x')) + frame(0x8a, "") +
                     frame(close_first, code_text(1000) + "bye");
  const string expected = "t:Hello p:in between t:Hello b: b:" + string(300, 'x') + " P: c1000";
  for (const size_t piece : {1, 2, 3, 7, 1000}) EXPECT_EQ(events(all, piece), expected) << piece;
  EXPECT_EQ(events(frame(close_first, ""), 100), "c1005");
}

TEST(WebSocketReader, WhatEndsAConnection) {
  const auto check = [](const string& raw, const char* expected) {
    EXPECT_EQ(events(raw, raw.size()), expected);
    EXPECT_EQ(events(raw, 1), expected);
  };
  check(string("\x81\x05Hello", 7), "f1002");                                      // not masked
  check(string("\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 14), "f1002");                // 2^63
  check(string("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14), "f1009");  // too long, told by the head
  check(string("\x82\xfe\0\x7d\0\0\0\0", 8), "f1002");                             // 125 in two bytes
  check(string("\x82\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", 14), "f1002");              // 65,535 in eight
  check(frame(0xc1, "x"), "f1002");                                                // compressed, which nobody agreed to
  check(frame(0x83, "x"), "f1002");                                                // a kind that is not there
  check(frame(0x8b, "x"), "f1002");
  check(frame(0x80, "x"), "f1002");                           // continues nothing
  check(frame(0x01, "x") + frame(text_first, "y"), "f1002");  // begins within another
  check(frame(0x09, "x"), "f1002");                           // a fragmented ping
  check(frame(ping_first, string(126, 'x')), "f1002");        // a long one
  check(frame(text_first, "\xff"), "f1007");
  check(frame(0x01, "\xe2\x82") + frame(0x80, "x"), "f1007");
  check(frame(0x01, string(600, 'x')) + frame(0x80, string(401, 'x')), "f1009");  // together too long
  check(frame(close_first, "x"), "f1002");
  check(frame(close_first, code_text(1005)), "f1002");
  check(frame(close_first, code_text(999)), "f1002");
  check(frame(close_first, code_text(1000) + "\xff"), "f1007");
  EXPECT_EQ(events(frame(0x01, "\xe2\x82") + frame(0x80, "\xac"), 1), "t:\xe2\x82\xac ") << "a character in two frames";
}

class WebSocketTest : public testing::Test {
 protected:
  ~WebSocketTest() override { server.stop(milliseconds(50)); }

  // Gives each message back.
  static void echo(const std::shared_ptr<WebSocket>& socket) {
    socket->receive([socket](std::optional<WebSocket::Message> message) {
      if (!message) return;
      if (message->data == "end") return socket->close(WebSocketCode::going_away, "as you wish");
      socket->send(*message, [socket](bool is_sent) {
        if (is_sent) echo(socket);
      });
    });
  }
  HttpHandler handler() const {
    return [this](HttpRequest&& request, const Responder& respond) { respond(accept_web_socket(request, limits, echo)); };
  }
  std::uint16_t serve(HttpLimits http = {}) { return server.serve(std::move(*listen_tcp("127.0.0.1", 0)), handler(), nullptr, http)->port; }
  static string request() {
    return "GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  }
  // Exactly so many bytes.
  static string take(Client& client, size_t count) {
    while (client.held_.size() < count) {
      pollfd event{client.descriptor(), POLLIN, 0};
      char buffer[65536];
      const auto got = ::poll(&event, 1, patience) == 1 ? ::recv(client.descriptor(), buffer, sizeof buffer, 0) : -1;
      if (got <= 0) break;
      client.held_.append(buffer, static_cast<size_t>(got));
    }
    const auto bytes = client.held_.substr(0, count);
    client.held_.erase(0, bytes.size());
    return bytes;
  }

  WebSocketLimits limits;
  HttpServer server{2};
};

TEST_F(WebSocketTest, EchoAndGoodbye) {
  Client client(serve());
  client.send(request() + frame(text_first, "early"));
  const auto answer = client.answer(false);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 ")) << answer;
  EXPECT_NE(answer.find("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), string::npos);
  EXPECT_EQ(answer.find("Content-"), string::npos);
  EXPECT_EQ(take(client, 7),
            "\x81\x05"
            "early");
  client.send(frame(binary_first, string(60'000, 'b')));
  EXPECT_EQ(take(client, 60'004), "\x82\x7e\xea\x60" + string(60'000, 'b'));
  client.send(frame(ping_first, "there?"));
  EXPECT_EQ(take(client, 8),
            "\x8a\x06"
            "there?");
  client.send(frame(close_first, code_text(1000)));
  EXPECT_EQ(take(client, 4), "\x88\x02" + code_text(1000));
  EXPECT_TRUE(client.closed());
}

TEST_F(WebSocketTest, TheServerSaysGoodbyeFirst) {
  limits.goodbye = milliseconds(100);
  const auto port = serve();
  for (const bool is_answered : {true, false}) {
    Client client(port);
    client.send(request() + frame(text_first, "end"));
    client.answer(false);
    EXPECT_EQ(take(client, 15), "\x88\x0d" + code_text(1001) + "as you wish");
    client.send(frame(text_first, "dropped"));
    if (is_answered) client.send(frame(close_first, code_text(1001)));
    EXPECT_TRUE(client.closed()) << is_answered;
    EXPECT_EQ(client.held_, "");
  }
}

TEST_F(WebSocketTest, BadFramesAreToldAndCut) {
  const auto port = serve();
  for (const auto& [bytes, code] : std::vector<std::pair<string, int>>{{string("\x81\x05Hello", 7), 1002},
                                                                       {string("\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 14), 1002},
                                                                       {frame(binary_first, string(70'000, 'x')), 1009},
                                                                       {frame(text_first, "\xff"), 1007}}) {
    Client client(port);
    client.send(request() + bytes);
    client.answer(false);
    const auto goodbye = take(client, 4);
    EXPECT_EQ(goodbye.substr(0, 1) + goodbye.substr(2), "\x88" + code_text(code));
    ::shutdown(client.descriptor(), SHUT_WR);
    EXPECT_TRUE(client.closed());
  }
}

TEST_F(WebSocketTest, AQuietPeerIsPingedAndThenCut) {
  limits.quiet = milliseconds(50);
  Client client(serve());
  client.send(request());
  client.answer(false);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(take(client, 2), string("\x89\0", 2));
    client.send(frame(0x8a, ""));
  }
  EXPECT_EQ(take(client, 2), string("\x89\0", 2));
  EXPECT_TRUE(client.closed()) << "no pong";
}

TEST_F(WebSocketTest, APeerThatDoesNotReadIsCutAndStopsBeingRead) {
  HttpLimits http;
  http.write_time = milliseconds(200);
  Client client(serve(http), 4096);
  client.send(request());
  client.answer(false);
  const auto message = frame(binary_first, string(60'000, 'x'));
  size_t sent = 0;
  pollfd event{client.descriptor(), POLLOUT, 0};
  while (sent < (64U << 20) && ::poll(&event, 1, 1000) == 1) {
    const auto count = ::send(client.descriptor(), message.data() + sent % message.size(), message.size() - sent % message.size(),
                              MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count <= 0) break;
    sent += static_cast<size_t>(count);
  }
  EXPECT_LT(sent, 32U << 20);
  EXPECT_TRUE(client.closed());
}

TEST_F(WebSocketTest, OnlyProperRequests) {
  const auto port = serve();
  const auto status = [&](const string& from, const string& to) {
    auto changed = request();
    changed.replace(changed.find(from), from.size(), to);
    Client client(port);
    client.send(changed);
    return client.answer(false).substr(9, 3);
  };
  EXPECT_EQ(status("13", "13"), "101");
  EXPECT_EQ(status("13", "8"), "426");
  EXPECT_EQ(status("websocket", "h2c"), "400");
  EXPECT_EQ(status("keep-alive, Upgrade", "keep-alive"), "400");
  EXPECT_EQ(status("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ=="), "400");
  EXPECT_EQ(status("GET", "POST"), "400");
}

TEST_F(WebSocketTest, SocketsOfAServerThatStopsAndOwnersThatLetGo) {
  std::promise<void> opened;
  std::promise<bool> told;
  HttpServer own(1);
  const auto keep = [&](HttpRequest&& request, const Responder& respond) {
    respond(accept_web_socket(request, limits, [&](const std::shared_ptr<WebSocket>& socket) {
      socket->receive([&](std::optional<WebSocket::Message> message) { told.set_value(message.has_value()); });
      opened.set_value();
    }));
  };
  const auto port = own.serve(std::move(*listen_tcp("127.0.0.1", 0)), keep, nullptr)->port;
  Client client(port);
  client.send(request());
  EXPECT_NE(client.answer(false), "");
  opened.get_future().get();
  own.stop(milliseconds(1));
  EXPECT_FALSE(told.get_future().get());
  EXPECT_TRUE(client.closed());
  const auto drop = [&](HttpRequest&& request, const Responder& respond) {
    respond(accept_web_socket(request, limits, [](const std::shared_ptr<WebSocket>&) {}));
  };
  Client dropped(server.serve(std::move(*listen_tcp("127.0.0.1", 0)), drop, nullptr)->port);
  dropped.send(request());
  EXPECT_NE(dropped.answer(false), "");
  EXPECT_TRUE(dropped.closed());
}

TEST_F(WebSocketTest, OverTls) {
  string folder = "/tmp/brume-websocket-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const TlsFiles files{folder + "/certificate.pem", folder + "/key.pem"};
  ASSERT_TRUE(make_certificate(files, {"localhost"}, SystemClock().now()));
  const auto port = server.serve_encrypted(std::move(*listen_tcp("127.0.0.1", 0)), files, handler(), nullptr)->port;
  {
    TlsClient client(port, files.certificate);
    ASSERT_TRUE(client.connected());
    client.send(request());
    EXPECT_TRUE(client.receive_until("\r\n\r\n").starts_with("HTTP/1.1 101 "));
    for (int i = 0; i < 100; ++i) {
      client.send(frame(text_first, "message"));
      ASSERT_EQ(client.receive_exactly(9),
                "\x81\x07"
                "message");
    }
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace brume::wire
