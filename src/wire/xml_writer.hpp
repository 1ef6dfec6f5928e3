// Writes XML by appending: no tree, no validation of nesting, escapes on the way. Tags must be literals or names of a model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "wire/query_tree.hpp"

namespace brume::wire {

class XmlWriter {
 public:
  // `version`: of the API that the client asked for, as a number (20111201): generated code leaves out what came later.
  explicit XmlWriter(int version = newest_version, size_t reserve = 1024);

  static constexpr int newest_version = 99991231;
  int version() const { return version_; }
  // Only for services other than EC2, whose times have no fraction of a second unless there is one.
  void set_whole_seconds(bool on) { whole_seconds_ = on; }

  void open(std::string_view tag);
  void close(std::string_view tag);
  // <tag name="value">; `name` may be xmlns or xmlns:prefix.
  void open(std::string_view tag, std::string_view attribute, std::string_view value);

  void text(std::string_view value);
  // Markup as it is.
  void raw(std::string_view markup);

  // <tag>value</tag>
  void element(std::string_view tag, std::string_view value);
  void element(std::string_view tag, const std::string& value) { element(tag, std::string_view(value)); }
  void element(std::string_view tag, const char* value) { element(tag, std::string_view(value)); }
  void element(std::string_view tag, bool value) { element_verbatim(tag, value ? "true" : "false"); }
  void element(std::string_view tag, std::int64_t value);
  void element(std::string_view tag, double value);
  void element(std::string_view tag, Time value, TimeFormat format = TimeFormat::usual);
  void element_blob(std::string_view tag, std::string_view bytes);

  // Nothing when there is no value.
  template <class T>
  void member(std::string_view tag, const std::optional<T>& value) {
    if (value) element(tag, *value);
  }

  // Just the value, for elements with attributes.
  void value(std::string_view value) { text(value); }
  void value(bool value) { raw(value ? "true" : "false"); }
  void value(std::int64_t value);
  void value(double value);
  void value(Time value, TimeFormat format = TimeFormat::usual);
  void value_blob(std::string_view bytes);

  size_t size() const { return size_; }
  // The document; the writer is empty afterwards.
  std::string take();

 private:
  char* room(size_t bytes);
  void element_verbatim(std::string_view tag, std::string_view value);
  void escape_from(std::string_view value, size_t position);

  int version_;
  bool whole_seconds_ = false;
  std::string buffer_;  // longer than what is written; size_ counts
  size_t size_ = 0;
};

}  // namespace brume::wire
