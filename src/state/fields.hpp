// The two visitors that a record's fields() is called with by the codec. JSON itself is in json_fields.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace brume::state {

// Appends fields to a JSON text. Values are not changed: they are taken by const reference.
class FieldWriter {
 public:
  // Field i is left out when its text is defaults[i].
  FieldWriter(std::string& out, const std::vector<std::string>& defaults) : out_(out), defaults_(&defaults) {}
  // Leaves nothing out, and notes the text of each field.
  FieldWriter(std::string& out, std::vector<std::string>* texts) : out_(out), texts_(texts) {}

  void operator()(std::string_view name, const std::string& value);
  void operator()(std::string_view name, const bool& value);
  void operator()(std::string_view name, const std::int64_t& value);
  void operator()(std::string_view name, const Time& value);
  void operator()(std::string_view name, const std::vector<std::string>& values);
  template <class T>
  void operator()(std::string_view name, const std::vector<T>& values);
  void bytes(std::string_view name, const std::string& value);

 private:
  void begin(std::string_view name);
  void end();
  void begin_list();
  void end_list();

  std::string& out_;
  const std::vector<std::string>* defaults_ = nullptr;
  std::vector<std::string>* texts_ = nullptr;
  size_t start_ = 0;
  size_t place_ = 0;
};

// fields() visits without changing under a writer; it is not const because a reader needs it too.
template <class T, class Visitor>
void visit_fields(const T& value, Visitor& visitor) {
  const_cast<T&>(value).fields(visitor);
}

// The text of each field of a fresh T.
template <class T>
const std::vector<std::string>& default_texts() {
  static const std::vector<std::string> texts = [] {
    std::vector<std::string> noted;
    std::string out;
    FieldWriter writer(out, &noted);
    visit_fields(T{}, writer);
    return noted;
  }();
  return texts;
}

void close_object(std::string& out);  // the comma behind the last field becomes the brace

template <class T>
void write_object(std::string& out, const T& value) {
  out += '{';
  FieldWriter writer(out, default_texts<T>());
  visit_fields(value, writer);
  close_object(out);
}

template <class T>
void FieldWriter::operator()(std::string_view name, const std::vector<T>& values) {
  begin(name);
  begin_list();
  for (const auto& value : values) {
    write_object(out_, value);
    out_ += ',';
  }
  end_list();
  end();
}

// Fills fields from a JSON object.
class FieldReader {
 public:
  // Goes through the object in the order of the fields, which is the order that the writer leaves them in: no look-up at all.
  explicit FieldReader(const void* object) : object_(object) {}

  void operator()(std::string_view name, std::string& value);
  void operator()(std::string_view name, bool& value);
  void operator()(std::string_view name, std::int64_t& value);
  void operator()(std::string_view name, Time& value);
  void operator()(std::string_view name, std::vector<std::string>& values);
  template <class T>
  void operator()(std::string_view name, std::vector<T>& values);
  void bytes(std::string_view name, std::string& value);

  // Something was not in that order: visit once more, looking every field up by its name.
  bool needs_names() const;
  void use_names() { by_name_ = true; }

  const std::string& failure() const { return failure_; }  // empty: none so far
  void fail(std::string_view name, std::string_view reason);

 private:
  const void* find(std::string_view name);  // the JSON value, or nullptr
  const void* find_list(std::string_view name, size_t& count);
  const void* object_at(std::string_view name, const void* list, size_t place);  // nullptr: not an object, failure is set

  const void* object_;
  size_t place_ = 0;
  bool by_name_ = false;
  std::string failure_;
};

// Reads all of `value` from the object behind `reader`.
template <class T>
void read_object(FieldReader& reader, T& value) {
  value.fields(reader);
  if (!reader.failure().empty() || !reader.needs_names()) return;
  reader.use_names();
  value.fields(reader);
}

template <class T>
void FieldReader::operator()(std::string_view name, std::vector<T>& values) {
  size_t count = 0;
  const void* list = find_list(name, count);
  if (list == nullptr) return;
  values.assign(count, T{});
  for (size_t i = 0; i < count && failure_.empty(); ++i) {
    const void* object = object_at(name, list, i);
    if (object == nullptr) return;
    FieldReader element(object);
    read_object(element, values[i]);
    if (!element.failure().empty()) fail(name, element.failure());
  }
}

// Parses `json` and calls `read` with its reader. The result: what failed, empty when nothing did.
std::string with_json_object(std::string_view json, void (*read)(void* context, FieldReader& reader), void* context);

}  // namespace brume::state
