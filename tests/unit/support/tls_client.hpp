// A peer of the HTTP server over TLS, by hand, for its tests.
#pragma once

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "http_client.hpp"

namespace brume::wire {

// Trusts the certificate of this file and nobody else.
class TlsClient {
 public:
  TlsClient(std::uint16_t port, const std::string& certificate)
      : client_(port), context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), session_(nullptr, SSL_free) {
    SSL_CTX_load_verify_locations(context_.get(), certificate.c_str(), nullptr);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    session_.reset(SSL_new(context_.get()));
    SSL_set_fd(session_.get(), client_.descriptor());
    connected_ = SSL_connect(session_.get()) == 1;
  }
  bool connected() const { return connected_; }
  void send(std::string_view bytes) {
    ASSERT_EQ(SSL_write(session_.get(), bytes.data(), static_cast<int>(bytes.size())), static_cast<int>(bytes.size()));
  }
  // Up to `most` bytes; empty at the end.
  std::string receive(size_t most) {
    std::string bytes(most, '\0');
    const int got = SSL_read(session_.get(), bytes.data(), static_cast<int>(most));
    bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return bytes;
  }
  // Until all of these bytes are there, or the end.
  std::string receive_until(std::string_view end) {
    while (held_.find(end) == std::string::npos) {
      const auto more = receive(16 << 10);
      if (more.empty()) break;
      held_ += more;
    }
    const auto at = held_.find(end);
    const auto bytes = held_.substr(0, at == std::string::npos ? at : at + end.size());
    held_.erase(0, bytes.size());
    return bytes;
  }
  // Exactly so many bytes, or fewer at the end.
  std::string receive_exactly(size_t count) {
    while (held_.size() < count) {
      const auto more = receive(16 << 10);
      if (more.empty()) break;
      held_ += more;
    }
    const auto bytes = held_.substr(0, count);
    held_.erase(0, bytes.size());
    return bytes;
  }

 private:
  Client client_;
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
  std::unique_ptr<SSL, void (*)(SSL*)> session_;
  bool connected_ = false;
  std::string held_;
};

}  // namespace brume::wire
