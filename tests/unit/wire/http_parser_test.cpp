#include "wire/http/parser.hpp"

#include <gtest/gtest.h>

#include <string>

namespace brume::wire {
namespace {

using State = HttpParser::State;

// Feeds `raw` in steps of `step` bytes as a connection would, keeping what is not taken.
State feed(HttpParser& parser, std::string_view raw, size_t step) {
  std::string held;
  for (size_t i = 0; i < raw.size(); i += step) {
    held += raw.substr(i, step);
    held.erase(0, parser.put(held));
    if (parser.state() == State::failed || parser.state() == State::complete) break;
  }
  return parser.state();
}

TEST(HttpParser, TheSameInAnyPieces) {
  const std::string raw =
      "POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-Thing:   y z \r\nTransfer-Encoding: "
      "chunked\r\n\r\n3;ext=1\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nHost: "
      "evil\r\n\r\n";
  for (size_t step = 1; step <= raw.size(); ++step) {
    HttpParser parser(4096, 4096);
    ASSERT_EQ(feed(parser, raw, step), State::complete) << step << ": " << parser.reason();
    const auto& request = parser.request();
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path(), "/a");
    EXPECT_EQ(request.query(), "b=c");
    EXPECT_EQ(request.header("x-thing"), "y z");
    EXPECT_EQ(request.header("host"), "x") << "trailers do not count";
    EXPECT_EQ(request.body, "abc0123456789abcdef");
    EXPECT_TRUE(parser.keep_alive());
  }
}

TEST(HttpParser, Refusals) {
  const auto status = [](const std::string& raw) {
    HttpParser parser(256, 16);
    return feed(parser, raw, 1) == State::failed ? parser.status() : 0;
  };
  const std::string head = "GET / HTTP/1.1\r\nHost: x\r\n";
  EXPECT_EQ(status(head + "\r\n"), 0);
  EXPECT_EQ(status("\r\n\r\n" + head + "\r\n"), 0);
  EXPECT_EQ(status("GET /\r\n\r\n"), 400);
  EXPECT_EQ(status("\x16\x03\x01\x02"), 400) << "TLS on a plain port";
  EXPECT_EQ(status("GET / HTTP/2.0\r\n\r\n"), 400);
  EXPECT_EQ(status("GET / HTTP/1.1\r\n\r\n"), 400) << "no host";
  EXPECT_EQ(status(head + "Host: y\r\n\r\n"), 400);
  EXPECT_EQ(status("GET / HTTP/1.0\r\n\r\n"), 0);
  EXPECT_EQ(status(head + "a b: c\r\n\r\n"), 400);
  EXPECT_EQ(status(head + "Content-Length: x\r\n\r\n"), 400);
  EXPECT_EQ(status(head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), 400);
  EXPECT_EQ(status(head + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(status(head + "Transfer-Encoding: gzip\r\n\r\n"), 400);
  EXPECT_EQ(status(head + "Transfer-Encoding: chunked, gzip\r\n\r\n"), 400);
  for (const std::string odd : {": gzip, chunked", ": chunked;q=1", ": chunked, chunked", ": chunked\r\nTransfer-Encoding: chunked",
                                ":\r\n chunked", ": chunked\r\n\t", ": identity", ":"})
    EXPECT_EQ(status(head + "Transfer-Encoding" + odd + "\r\n\r\n0\r\n\r\n"), 400) << odd;
  EXPECT_EQ(status(head + "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n"), 0);
  EXPECT_EQ(status(head + "X: a\r\n b\r\n\r\n"), 400) << "a folded line";
  EXPECT_EQ(status("GET / HTTP/1.1\r\n X: a\r\nHost: x\r\n\r\n"), 400) << "a folded line";
  EXPECT_EQ(status(head + "Content-Length: 4\r\n\r\na\n b"), 0) << "a body may be anything";
  EXPECT_EQ(status("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(status(head + "Content-Length: 17\r\n\r\n"), 413) << "before a byte of it is read";
  EXPECT_EQ(status(head + "Content-Length: 99999999999999999999\r\n\r\n"), 400);
  EXPECT_EQ(status(head + "Transfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n9\r\nabc"), 413);
  EXPECT_EQ(status(head + "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc"), 400);
  EXPECT_EQ(status(head + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(400, 'x')), 400);
  EXPECT_EQ(status(head + "X: " + std::string(300, 'x')), 431);
  EXPECT_EQ(status("GET /" + std::string(300, 'x')), 431);
  std::string lines = head;
  for (int i = 0; i < 60; ++i) lines += "a: b\r\n";
  EXPECT_EQ(status(lines), 431) << "no line is long, but all of them are";
}

// An assertion of Beast 1.81 that a peer could reach; found by fuzzing.
TEST(HttpParser, TrailerRightBehindAnEmptyBody) {
  HttpParser parser(256, 16);
  EXPECT_EQ(feed(parser, "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\na: b\r\n\r\n", 1), State::complete);
  HttpParser broken(256, 16);
  EXPECT_EQ(feed(broken, "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nad\r\n\r\n", 1), State::failed);
}

TEST(HttpParser, KeepAliveAndContinue) {
  const auto parsed = [](const std::string& raw) {
    auto parser = std::make_unique<HttpParser>(4096, 4096);
    parser->put(raw);
    return parser;
  };
  EXPECT_FALSE(parsed("GET / HTTP/1.0\r\n\r\n")->keep_alive());
  EXPECT_TRUE(parsed("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")->keep_alive());
  EXPECT_FALSE(parsed("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")->keep_alive());
  const auto waiting = parsed("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n");
  EXPECT_EQ(waiting->state(), State::body);
  EXPECT_TRUE(waiting->expects_continue());
  EXPECT_FALSE(parsed("PUT / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")->expects_continue());
}

TEST(HttpParser, StopsAtTheEndOfOneRequest) {
  HttpParser parser(4096, 4096);
  const std::string one = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(parser.put(one + one), one.size());
  EXPECT_EQ(parser.state(), State::complete);
  parser.reset();
  EXPECT_EQ(parser.state(), State::head);
  EXPECT_EQ(parser.put(one), one.size());
  EXPECT_EQ(parser.request().target, "/1");
}

TEST(HttpMessage, Targets) {
  const auto request = [](std::string target) {
    HttpRequest made;
    made.target = std::move(target);
    return made;
  };
  EXPECT_EQ(request("/").path(), "/");
  EXPECT_EQ(request("/a?b?c").query(), "b?c");
  EXPECT_EQ(request("http://h:1/a?b").path(), "/a");
  EXPECT_EQ(request("http://h:1/a?b").query(), "b");
  EXPECT_EQ(request("http://h").path(), "/");
  EXPECT_EQ(request("http://h?b").path(), "/");
  EXPECT_EQ(request("http://h?b").query(), "b");
  EXPECT_EQ(request("*").path(), "*");
  EXPECT_EQ(request("/x?u=http://y/z").path(), "/x");
}

}  // namespace
}  // namespace brume::wire
