// Bodies of values (JSON, CBOR) as lines, read here by other code than the codecs'.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <boost/json.hpp>

#include "base/text.hpp"
#include "compare.hpp"
#include "wire/inflate.hpp"

namespace brume::wire {
namespace {

namespace json = boost::json;
using Lines = std::vector<std::string>;

std::string number_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  return fmt::format("{:.15g}", number);
}

void add_json(const json::value& value, const std::string& path, Lines& out) {
  const size_t before = out.size();
  if (const auto* object = value.if_object()) {
    for (const auto& [key, member] : *object) add_json(member, path + "/" + std::string(key), out);
  } else if (const auto* list = value.if_array()) {
    for (size_t i = 0; i < list->size(); ++i) add_json((*list)[i], path + "/" + std::to_string(i + 1), out);
  } else if (value.is_string()) {
    out.push_back(path + " = '" + std::string(value.get_string()) + "'");
  } else if (value.is_bool()) {
    out.push_back(path + (value.get_bool() ? " = true" : " = false"));
  } else {
    out.push_back(path + " = " + number_text(value.to_number<double>()));
  }
  if (out.size() == before) out.push_back(path + " is empty");
}

// Takes what the project's writer may make: definite strings, integers, doubles, tag 1, booleans, and objects and lists that end in a
// break.
class CborLines {
 public:
  explicit CborLines(const std::string& bytes) : bytes_(bytes) {}
  bool is_over() const { return at_ == bytes_.size(); }

  void add(const std::string& path, Lines& out) {
    const size_t before = out.size();
    const unsigned first = byte();
    if (first == 0xBF || first == 0x9F) {
      for (size_t i = 1; bytes_.at(at_) != '\xFF'; ++i) add(path + "/" + (first == 0xBF ? key() : std::to_string(i)), out);
      byte();
      if (out.size() == before) out.push_back(path + " is empty");
    } else {
      out.push_back(path + " = " + scalar(first));
    }
  }

 private:
  unsigned byte() { return static_cast<unsigned char>(bytes_.at(at_++)); }
  std::uint64_t number(unsigned low) {
    if (low < 24) return low;
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 1U << (low - 24U); ++i) value = value << 8U | byte();
    return value;
  }
  std::string take(std::uint64_t length) {
    at_ += length;
    return bytes_.substr(at_ - length, length);
  }
  std::string key() { return take(number(byte() & 31U)); }
  std::string scalar(unsigned first) {
    const unsigned low = first & 31U;
    switch (first >> 5U) {
      case 0: return number_text(static_cast<double>(number(low)));
      case 1: return number_text(-1.0 - static_cast<double>(number(low)));
      case 2: return "bytes " + to_base64(take(number(low)));
      case 3: return "'" + take(number(low)) + "'";
      case 6: EXPECT_EQ(number(low), 1U); return "time " + scalar(byte());
      default: break;
    }
    if (low == 27) return number_text(std::bit_cast<double>(number(low)));
    EXPECT_TRUE(low == 20 || low == 21);
    return low == 21 ? "true" : "false";
  }

  const std::string& bytes_;
  size_t at_ = 0;
};

Lines lines_of(schema::Protocol protocol, const std::string& body) {
  Lines lines;
  if (body.empty()) return lines;
  if (protocol == schema::Protocol::cbor) {
    CborLines cbor(body);
    cbor.add("", lines);
    EXPECT_TRUE(cbor.is_over());
  } else {
    add_json(json::parse(body), "", lines);
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace

std::string header_of(const HttpResponse& response, const std::string& name) {
  if (name == "content-type") return response.content_type;
  for (const auto& [key, value] : response.headers)
    if (equals_ignoring_case(key, name)) return value;
  return "";
}

namespace {

HttpRequest request_of(SentCase::Sent&& sent) {
  HttpRequest request;
  request.method = std::move(sent.method);
  request.target = std::move(sent.target);
  request.headers = std::move(sent.headers);
  request.body = std::move(sent.body);
  return request;
}

}  // namespace

SentCase::SentCase(const schema::Service& service, Sent sent)
    : services_{&service}, request_(request_of(std::move(sent))), call_(request_, services_, "requestid") {
  recognise(call_);
  // A compressed form says nothing before it is unpacked; then the credential scope tells the service, which the cases have none of.
  if (call_.service == nullptr && !request_.header("content-encoding").empty()) call_.service = &service;
  EXPECT_EQ(call_.service, &service);
  std::string unpacked;
  call_.codec->decode(call_, plain_body(call_, unpacked));
}

AnsweredCase::AnsweredCase(const schema::Service& service, schema::Protocol protocol, std::string action, std::string version,
                           std::string_view request_id)
    : call_(request_, {}, request_id) {
  call_.codec = &codec_of(protocol);
  call_.service = &service;
  call_.operation = schema::find_operation(service, action);
  call_.action = std::move(action);
  call_.version = std::move(version);
}

std::string AnsweredCase::lines_beside(const std::string& expected, const HttpResponse& response) const {
  std::string out;
  for (const auto& line : lines_of(call_.codec->protocol(), response.body)) {
    const bool is_of_all_errors = line.starts_with("/__type = ") || line.starts_with("/message = ");
    const bool is_left_out = line.ends_with(" is empty") && expected.find(line + "\n") == std::string::npos;
    if (!is_of_all_errors && !is_left_out) out += line + "\n";
  }
  return out;
}

std::string AnsweredCase::value_at(const HttpResponse& response, const std::string& key) const {
  const std::string start = "/" + key + " = '";
  for (const auto& line : lines_of(call_.codec->protocol(), response.body))
    if (line.starts_with(start)) return line.substr(start.size(), line.size() - start.size() - 1);
  return "";
}

}  // namespace brume::wire
