// Bytes to requests, one connection's worth: Boost.Beast's parser behind a header of std only.
// parser.cpp is the one file that includes Beast; sockets are elsewhere, so that tests and fuzzers need none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "wire/http/server.hpp"

namespace brume::wire {

// The words after a status number in an answer's first line, for people (RFC 9112, 4).
std::string_view reason_phrase(int status);

// Threads: one at a time.
class HttpParser {
 public:
  enum class State {
    head,      // the head is not complete
    body,      // the head is complete, the body is not
    streamed,  // the head is, and the body is to be read by somebody else: take the request, then reset
    complete,  // take the request, then reset
    failed,    // the connection is of no further use: answer status() and close
  };

  // `is_streamed`: asked for each request that has a body; null: never. Must outlive the parser.
  HttpParser(size_t header_bytes, size_t body_bytes, const HttpIsStreamed* is_streamed = nullptr);
  ~HttpParser();
  HttpParser(const HttpParser&) = delete;
  HttpParser& operator=(const HttpParser&) = delete;

  // Takes as many of `bytes` as it can and returns how many. The rest must be given again, followed by more bytes.
  size_t put(std::string_view bytes);

  State state() const;
  bool started() const;  // has taken or seen a byte of a request
  int status() const;    // when failed: 400, 413 or 431
  std::string_view reason() const;
  bool keep_alive() const;                           // once the head is complete
  bool version_1_0() const;                          // once the head is complete
  bool expects_continue() const;                     // in state body: the peer waits for "100 Continue" before it sends one
  std::optional<std::uint64_t> body_length() const;  // in state streamed; absent: it comes in chunks
  HttpRequest& request();                            // when complete or streamed
  void reset();                                      // ready for the next request

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace brume::wire
