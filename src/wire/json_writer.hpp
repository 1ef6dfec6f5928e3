// Writes JSON by appending: no tree, no validation of nesting, escapes and commas on the way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "wire/query_tree.hpp"

namespace brume::wire {

class JsonWriter {
 public:
  void open_object() { open('{'); }
  void close_object() { close('}'); }
  void open_list() { open('['); }
  void close_list() { close(']'); }
  void key(std::string_view name);

  void value(std::string_view text);
  void value(const std::string& text) { value(std::string_view(text)); }
  void value(const char* text) { value(std::string_view(text)); }
  void value(bool flag) { verbatim(flag ? "true" : "false"); }
  void value(std::int64_t number);
  void value(double number);
  // Usual: seconds since 1970, with milliseconds where there are some. The other forms are texts, without milliseconds unless there are
  // some.
  void value(Time time, TimeFormat format = TimeFormat::usual);
  void value_blob(std::string_view bytes);

  // Nothing when there is no value.
  template <class T>
  void member(std::string_view name, const std::optional<T>& what) {
    if (!what) return;
    key(name);
    value(*what);
  }

  // REST: what stands beside the object, or in its place.
  void header(std::string_view name, const std::optional<std::string>& text);
  void header(std::string_view name, const std::optional<std::int64_t>& number);
  void payload(const std::optional<std::string>& bytes) { payload_ = bytes.value_or(std::string()); }

  std::string take() { return std::move(out_); }
  std::vector<std::pair<std::string, std::string>> take_headers() { return std::move(headers_); }
  std::optional<std::string> take_payload() { return std::move(payload_); }

 private:
  void open(char bracket);
  void close(char bracket);
  void verbatim(std::string_view text);
  void separate();

  std::string out_;
  std::vector<std::pair<std::string, std::string>> headers_;
  std::optional<std::string> payload_;
  bool first_ = true;  // nothing stands in the innermost object or list yet
  bool after_key_ = false;
};

}  // namespace brume::wire
