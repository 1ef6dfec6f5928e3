// Ranges, encodings and the files of a folder, over a connection.
#include "wire/files/static_files.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "http_client.hpp"
#include "wire/files/encodings.hpp"
#include "wire/files/ranges.hpp"

namespace brume::wire {
namespace {

using std::string;
using RangeKind = RangeChoice::Kind;

TEST(Ranges, Kinds) {
  const auto check = [](std::string_view range, std::uint64_t size, RangeKind kind, std::uint64_t first, std::uint64_t length) {
    const auto choice = choose_range(range, size);
    EXPECT_EQ(choice.kind, kind) << range;
    EXPECT_EQ(choice.first, first) << range;
    EXPECT_EQ(choice.length, length) << range;
  };
  check("bytes=0-499", 1000, RangeKind::part, 0, 500);
  check("bytes=500-", 1000, RangeKind::part, 500, 500);
  check("bytes=-300", 1000, RangeKind::part, 700, 300);
  check("bytes=-3000", 1000, RangeKind::part, 0, 1000);
  check("bytes=999-5000", 1000, RangeKind::part, 999, 1);
  check("BYTES= 0-0 ", 1000, RangeKind::part, 0, 1);
  check("bytes=0-99999999999999999999999999", 1000, RangeKind::part, 0, 1000);
  check("bytes=1000-", 1000, RangeKind::unsatisfiable, 0, 0);
  check("bytes=99999999999999999999999999-", 1000, RangeKind::unsatisfiable, 0, 0);
  check("bytes=-0", 1000, RangeKind::unsatisfiable, 0, 0);
  check("bytes=0-", 0, RangeKind::unsatisfiable, 0, 0);
  check("bytes=-5", 0, RangeKind::unsatisfiable, 0, 0);
  for (const auto* ignored :
       {"", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-5", "bytes=1-b", "bytes=0-1,3-4", "items=0-1", "bytes=+1-2"})
    check(ignored, 1000, RangeKind::whole, 0, 1000);
}

TEST(Encodings, WhatIsAccepted) {
  const auto accepted = [](std::string_view header) {
    string names;
    for (const auto name : accepted_encodings(header, {"br", "gzip"})) names += string(name) + " ";
    return names;
  };
  EXPECT_EQ(accepted(""), "");
  EXPECT_EQ(accepted("gzip, deflate, br"), "br gzip ");
  EXPECT_EQ(accepted("gzip;q=1.0, br;q=0.5"), "gzip br ");
  EXPECT_EQ(accepted("br;q=0, GZIP"), "gzip ");
  EXPECT_EQ(accepted("*"), "br gzip ");
  EXPECT_EQ(accepted("*;q=0, x-gzip;q=0.001"), "gzip ");
  EXPECT_EQ(accepted("identity, gzip;q=0.5"), "") << "prefers none";
  EXPECT_EQ(accepted("gzip;q=2, br;q=x"), "");
}

class StaticFilesTest : public testing::Test {
 protected:
  StaticFilesTest() {
    EXPECT_NE(::mkdtemp(root.data()), nullptr);
    put("index.html", "<p>home");
    put("assets/app.12ab.js", "plain script");
    put("assets/app.12ab.js.gz", "gzipped");
    put("assets/app.12ab.js.br", "brotli");
    put(".secret", "s");
    put("../outside", "o");
    std::filesystem::create_symlink("../../outside", root + "/site/assets/link");
    std::filesystem::create_directory_symlink("..", root + "/site/up");
    files.emplace(StaticFilesSettings{root + "/site"});
    const auto handler = [this](HttpRequest&& request, const Responder& respond) { respond(files->answer(request, request.path())); };
    port = server.serve(std::move(*listen_tcp("127.0.0.1", 0)), handler, nullptr)->port;
    connection.emplace(port);
  }
  ~StaticFilesTest() override {
    server.stop(milliseconds(50));
    std::filesystem::remove_all(root);
  }
  void put(const string& name, const string& bytes) const {
    const auto path = std::filesystem::path(root + "/site/" + name).lexically_normal();
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << bytes;
  }
  string get(const string& path, const string& headers = "", const string& method = "GET") {
    connection->send(method + " " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
    return connection->answer(method != "HEAD");
  }
  static string header(const string& answer, const string& name) {
    const auto at = answer.find("\r\n" + name + ": ");
    return at == string::npos ? "" : answer.substr(at + name.size() + 4, answer.find("\r\n", at + 2) - at - name.size() - 4);
  }
  static bool ends(const string& answer, const string& body) { return answer.ends_with("\r\n\r\n" + body); }

  string root = "/tmp/brume-files-XXXXXX";
  std::optional<StaticFiles> files;
  HttpServer server{1};
  std::uint16_t port = 0;
  std::optional<Client> connection;
};

TEST_F(StaticFilesTest, FilesAndFolders) {
  auto answer = get("/");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(ends(answer, "<p>home"));
  EXPECT_EQ(header(answer, "Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(header(answer, "Cache-Control"), "no-cache");
  answer = get("/assets/app%2e12ab.js?v=1");
  EXPECT_TRUE(ends(answer, "plain script"));
  EXPECT_EQ(header(answer, "Cache-Control"), "public, max-age=31536000, immutable");
  EXPECT_EQ(header(answer, "Vary"), "Accept-Encoding");
  answer = get("/index.html", "", "HEAD");
  EXPECT_EQ(header(answer, "Content-Length"), "7");
  EXPECT_TRUE(get("/index.html", "", "DELETE").starts_with("HTTP/1.1 405 "));
  EXPECT_EQ(header(get("/index.html", "", "OPTIONS"), "Allow"), "GET, HEAD");
}

TEST_F(StaticFilesTest, NothingOutsideTheFolder) {
  for (const string& path :
       std::vector<string>{"/none", "/assets", "/assets/", "/.secret", "/%2esecret", "/../outside", "/%2e%2e/outside", "/..%2foutside",
                           "/assets/link", "/up/outside", "/index.html%00", "/%", "/%4", "/index.html/x", "/" + string(2000, 'a')})
    EXPECT_TRUE(get(path).starts_with("HTTP/1.1 404 ")) << path;
}

TEST_F(StaticFilesTest, TagsAndVariants) {
  const string script = "/assets/app.12ab.js";
  const auto plain = get(script);
  const auto gzipped = get(script, "Accept-Encoding: gzip\r\n");
  const auto brotli = get(script, "Accept-Encoding: gzip, br\r\n");
  EXPECT_EQ(header(plain, "Content-Encoding"), "");
  EXPECT_EQ(header(gzipped, "Content-Encoding"), "gzip");
  EXPECT_EQ(header(brotli, "Content-Encoding"), "br");
  EXPECT_TRUE(ends(gzipped, "gzipped") && ends(brotli, "brotli"));
  EXPECT_EQ(header(gzipped, "Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_TRUE(ends(get("/", "Accept-Encoding: gzip\r\n"), "<p>home")) << "has no variant";
  const auto tag = header(gzipped, "ETag");
  EXPECT_NE(tag, header(plain, "ETag"));
  EXPECT_NE(tag, header(brotli, "ETag"));
  const auto again = get(script, "Accept-Encoding: gzip\r\nIf-None-Match: \"x\", W/" + tag + "\r\n");
  EXPECT_TRUE(again.starts_with("HTTP/1.1 304 "));
  EXPECT_EQ(header(again, "ETag"), tag);
  EXPECT_TRUE(get(script, "If-None-Match: " + tag + "\r\n").starts_with("HTTP/1.1 200 ")) << "of another variant";
  EXPECT_TRUE(get(script, "If-None-Match: *\r\n").starts_with("HTTP/1.1 304 "));
  EXPECT_TRUE(get(script, "If-Modified-Since: " + header(plain, "Last-Modified") + "\r\n").starts_with("HTTP/1.1 304 "));
  put("assets/app.12ab.js", "changed");
  EXPECT_TRUE(get(script, "If-None-Match: " + header(plain, "ETag") + "\r\n").starts_with("HTTP/1.1 200 "));
}

TEST_F(StaticFilesTest, Parts) {
  const string script = "/assets/app.12ab.js";
  const auto part = get(script, "Range: bytes=6-8\r\n");
  EXPECT_TRUE(part.starts_with("HTTP/1.1 206 "));
  EXPECT_EQ(header(part, "Content-Range"), "bytes 6-8/12");
  EXPECT_TRUE(ends(part, "scr"));
  const auto none = get(script, "Range: bytes=12-\r\n");
  EXPECT_TRUE(none.starts_with("HTTP/1.1 416 "));
  EXPECT_EQ(header(none, "Content-Range"), "bytes */12");
  const auto tag = header(part, "ETag");
  EXPECT_TRUE(get(script, "Range: bytes=0-1\r\nIf-Range: " + tag + "\r\n").starts_with("HTTP/1.1 206 "));
  EXPECT_TRUE(get(script, "Range: bytes=0-1\r\nIf-Range: \"other\"\r\n").starts_with("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace brume::wire
