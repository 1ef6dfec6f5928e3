#include "wire/http/parser.hpp"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/status.hpp>
#include <optional>

#include "base/text.hpp"

namespace brume::wire {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastText = boost::beast::string_view;

std::string_view view(BeastText text) { return {text.data(), text.size()}; }

// Beast finds the parts, this stores them. A violated limit or a rule that Beast does not know goes into `status` and `reason`, with any
// error code so that Beast stops.
class Collector final : public http::basic_parser<true> {
 public:
  Collector(size_t header_bytes, size_t body_bytes, const HttpIsStreamed* is_streamed, HttpRequest& request)
      : request_(request), header_bytes_(header_bytes), body_bytes_(body_bytes), is_streamed_(is_streamed) {
    header_limit(static_cast<std::uint32_t>(std::min<size_t>(header_bytes, 1U << 30)));
    // The limit applies to bodies that are not streamed, which is known only after the head.
    is_streamed_ == nullptr ? body_limit(body_bytes) : body_limit(boost::none);
    eager(true);
  }

  int status = 0;
  const char* reason = "";
  bool version_1_0 = false;
  bool expects_continue = false;
  bool streamed = false;

 private:
  void refuse(int with_status, const char* with_reason, error_code& code) {
    status = with_status;
    reason = with_reason;
    code = http::error::bad_field;
  }

  void on_request_impl(http::verb, BeastText method, BeastText target, int version, error_code& code) override {
    version_1_0 = version == 10;
    head_bytes_ = method.size() + target.size() + 12;
    if (head_bytes_ > header_bytes_) return refuse(431, "request line too long", code);
    request_.method.assign(method.data(), method.size());
    request_.target.assign(target.data(), target.size());
    request_.headers.reserve(12);
  }

  void on_field_impl(http::field field, BeastText name, BeastText value, error_code& code) override {
    // Beast limits what it has not taken yet, not the sum: a peer that sends line after line would never reach its limit.
    head_bytes_ += name.size() + value.size() + 4;
    if (head_bytes_ > header_bytes_) return refuse(431, "headers too large", code);
    // Trailers after a chunked body did not exist when the head was judged, so they are ignored.
    if (head_done_) return;
    if (field == http::field::host) ++hosts_;
    if (field == http::field::transfer_encoding) {
      // Beast accepts a list that ends in "chunked"; nothing here decodes the other encodings.
      if (transfer_encoding_ || !equals_ignoring_case(view(value), "chunked")) return refuse(400, "unsupported transfer encoding", code);
      transfer_encoding_ = true;
    }
    if (field == http::field::expect) expects_continue = equals_ignoring_case(view(value), "100-continue");
    request_.headers.emplace_back(to_lower(view(name)), std::string(value.data(), value.size()));
  }

  void on_header_impl(error_code& code) override {
    head_done_ = true;
    // Requests are smuggled past a proxy by messages that can be read in two ways: only the plain cases are accepted.
    if (transfer_encoding_ && (!chunked() || version_1_0)) return refuse(400, "unsupported transfer encoding", code);
    if (hosts_ > 1 || (hosts_ == 0 && !version_1_0)) return refuse(400, "exactly one Host header is required", code);
    expects_continue = expects_continue && !version_1_0;
    if (is_streamed_ != nullptr) choose(code);
  }

  void choose(error_code& code) {
    const auto length = chunked() ? boost::none : content_length();
    streamed = (chunked() || length.value_or(0) > 0) && (*is_streamed_)(request_);
    eager(!streamed);  // what follows the head is left unread
    if (streamed) return;
    if (length.value_or(0) > body_bytes_) return refuse(413, "body too large", code);
    body_limit(body_bytes_);
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
    // The announced length is only a claim: memory is allocated as bytes arrive.
    request_.body.reserve(static_cast<size_t>(std::min<std::uint64_t>(length.value_or(0), 64 << 10)));
  }
  size_t on_body_impl(BeastText bytes, error_code&) override {
    request_.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  size_t on_chunk_body_impl(std::uint64_t, BeastText bytes, error_code& code) override { return on_body_impl(bytes, code); }
  void on_chunk_header_impl(std::uint64_t, BeastText, error_code&) override {}
  void on_finish_impl(error_code&) override {}
  void on_response_impl(int, BeastText, int, error_code&) override {}

  HttpRequest& request_;
  size_t header_bytes_;
  size_t body_bytes_;
  const HttpIsStreamed* is_streamed_;
  size_t head_bytes_ = 0;
  int hosts_ = 0;
  bool transfer_encoding_ = false;
  bool head_done_ = false;
};

}  // namespace

namespace {

// Whether one of the header's lines is folded, that is, continues in the next line, which begins with white space. Nobody sends that any
// more, and a proxy may read it differently (RFC 9112, 5.2). Examines only existing lines, up to the end of the header.
bool has_folded_line(std::string_view head) {
  for (size_t at = head.find('\n'); at != std::string_view::npos && at + 1 < head.size(); at = head.find('\n', at + 1)) {
    const char next = head[at + 1];
    if (next == ' ' || next == '\t') return true;
    if (next == '\n' || next == '\r') return false;
  }
  return false;
}

}  // namespace

class HttpParser::Implementation {
  static constexpr size_t shortest_chunked_end = std::string_view("0\r\n\r\n").size();

 public:
  Implementation(size_t header_bytes, size_t body_bytes, const HttpIsStreamed* is_streamed)
      : header_bytes_(header_bytes), body_bytes_(body_bytes), is_streamed_(is_streamed != nullptr && *is_streamed ? is_streamed : nullptr) {
    reset();
  }

  void reset() {
    request_ = HttpRequest{};
    collector_.emplace(header_bytes_, body_bytes_, is_streamed_, request_);
    state_ = State::head;
    started_ = false;
  }

  size_t put(std::string_view bytes) {
    size_t taken = 0;
    // Empty lines before a request come from faulty clients (RFC 9112, 2.2).
    if (!started_)
      while (taken < bytes.size() && (bytes[taken] == '\r' || bytes[taken] == '\n')) ++taken;
    while (taken < bytes.size() && (state_ == State::head || state_ == State::body)) {
      started_ = true;
      // Beast 1.81 asserts that it never sees less than this once "0\r\n" has come (found by fuzzing). Nothing waits forever: any place in
      // a chunked body is at least this far from its end.
      if (state_ == State::body && collector_->chunked() && bytes.size() - taken < shortest_chunked_end) break;
      if (state_ == State::head && has_folded_line(bytes.substr(taken))) {
        fail(http::error::bad_field);
        reason_ = "a header line is folded";
        break;
      }
      error_code code;
      const size_t step = collector_->put({bytes.data() + taken, bytes.size() - taken}, code);
      taken += step;
      if (code && code != http::error::need_more) {
        fail(code);
      } else if (collector_->is_done()) {
        state_ = State::complete;
      } else {
        if (collector_->is_header_done()) state_ = collector_->streamed ? State::streamed : State::body;
        if (step == 0 || code) break;
      }
    }
    // Lines of a chunked body are kept until they end; they end somewhere.
    if (state_ == State::body && bytes.size() - taken > header_bytes_) fail(http::error::bad_chunk);
    return taken;
  }

  State state_ = State::head;
  bool started_ = false;
  int status_ = 0;
  std::string reason_;
  HttpRequest request_;
  std::optional<Collector> collector_;

 private:
  void fail(const error_code& code) {
    state_ = State::failed;
    if (collector_->status != 0) {
      status_ = collector_->status;
      reason_ = collector_->reason;
    } else if (code == http::error::header_limit || code == http::error::buffer_overflow) {
      status_ = 431;
      reason_ = "headers too large";
    } else if (code == http::error::body_limit) {
      status_ = 413;
      reason_ = "body too large";
    } else {
      status_ = 400;
      reason_ = code.message();
    }
  }

  size_t header_bytes_;
  size_t body_bytes_;
  const HttpIsStreamed* is_streamed_;
};

std::string_view reason_phrase(int status) { return view(http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)))); }

HttpParser::HttpParser(size_t header_bytes, size_t body_bytes, const HttpIsStreamed* is_streamed)
    : implementation_(std::make_unique<Implementation>(header_bytes, body_bytes, is_streamed)) {}
HttpParser::~HttpParser() = default;

size_t HttpParser::put(std::string_view bytes) { return implementation_->put(bytes); }
HttpParser::State HttpParser::state() const { return implementation_->state_; }
bool HttpParser::started() const { return implementation_->started_; }
int HttpParser::status() const { return implementation_->status_; }
std::string_view HttpParser::reason() const { return implementation_->reason_; }
bool HttpParser::keep_alive() const { return implementation_->collector_->keep_alive(); }
bool HttpParser::version_1_0() const { return implementation_->collector_->version_1_0; }
bool HttpParser::expects_continue() const { return implementation_->collector_->expects_continue; }
std::optional<std::uint64_t> HttpParser::body_length() const {
  const auto length = implementation_->collector_->chunked() ? boost::none : implementation_->collector_->content_length();
  return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
}
HttpRequest& HttpParser::request() { return implementation_->request_; }
void HttpParser::reset() { implementation_->reset(); }

}  // namespace brume::wire
