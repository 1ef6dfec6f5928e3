// Writes CBOR (RFC 8949) by appending, with the calls of JsonWriter: objects and lists are of indefinite length, so that nothing is counted
// beforehand, a timestamp has tag 1, a number with a fraction is a double.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "wire/query_tree.hpp"

namespace brume::wire {

class CborWriter {
 public:
  void open_object() { out_ += '\xBF'; }
  void close_object() { out_ += '\xFF'; }
  void open_list() { out_ += '\x9F'; }
  void close_list() { out_ += '\xFF'; }
  void key(std::string_view name) { value(name); }

  void value(std::string_view text);
  void value(const std::string& text) { value(std::string_view(text)); }
  void value(const char* text) { value(std::string_view(text)); }
  void value(bool flag) { out_ += flag ? '\xF5' : '\xF4'; }
  void value(std::int64_t number);
  void value(double number);
  // Seconds since 1970, whole or with milliseconds. There is one form of a timestamp: the second argument is for the other writers.
  void value(Time time, TimeFormat format = TimeFormat::usual);
  void value_blob(std::string_view bytes);

  // Nothing when there is no value.
  template <class T>
  void member(std::string_view name, const std::optional<T>& what) {
    if (!what) return;
    key(name);
    value(*what);
  }

  std::string take() { return std::move(out_); }

 private:
  // The first bytes of an item: its major type and a length or number.
  void head(unsigned major, std::uint64_t number);

  std::string out_;
};

}  // namespace brume::wire
