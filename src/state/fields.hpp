// What the codec knows of a record's type: a table of its fields, made once by visiting fields() of a fresh record. One reader and one
// writer serve all types, so a new kind of record costs no machine code of its own beyond its table. JSON itself is in json_fields.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/time.hpp"
#include "state/records/states.hpp"

namespace brume::state {

enum class FieldType : std::uint8_t { text, bytes, flag, number, time, choice, texts, objects };

struct Form;

// How a std::vector of some struct is read and filled without knowing the struct.
struct ListAccess {
  struct Items {
    const void* first;
    size_t count;
  };
  size_t item_size;
  Items (*items)(const void* list);
  void* (*renew)(void* list, size_t count);  // makes it `count` fresh items; the first of them
  const Form& (*form)();                     // of one item
};

struct Field {
  std::string name;
  std::string label;  // the name as JSON has it, with the colon
  FieldType type;
  size_t offset;                            // of the member in its struct
  const ListAccess* list = nullptr;         // of `objects` only
  std::span<const std::string_view> names;  // of `choice` only: an enumeration of one byte, stored by name
  std::string default_text;                 // label and value of a fresh record: what is left out when it is written
};

// One type of record, or of a struct within records.
struct Form {
  std::vector<Field> fields;  // in the order of fields(), which is the order of the JSON
};

template <class T>
const Form& form_of();

template <class T>
const ListAccess& list_access() {
  static constexpr ListAccess access{sizeof(T),
                                     [](const void* list) -> ListAccess::Items {
                                       const auto& values = *static_cast<const std::vector<T>*>(list);
                                       return {values.data(), values.size()};
                                     },
                                     [](void* list, size_t count) -> void* {
                                       auto& values = *static_cast<std::vector<T>*>(list);
                                       values = std::vector<T>(count);
                                       return values.data();
                                     },
                                     []() -> const Form& { return form_of<T>(); }};
  return access;
}

// The visitor that a fresh record's fields() is called with.
class FormBuilder {
 public:
  explicit FormBuilder(const void* record) : record_(static_cast<const std::byte*>(record)) {}

  void operator()(std::string_view name, const std::string& value);
  void operator()(std::string_view name, const bool& value);
  void operator()(std::string_view name, const std::int64_t& value);
  void operator()(std::string_view name, const Time& value);
  void operator()(std::string_view name, const std::vector<std::string>& values);
  // An enumeration with EC2's codes is stored as a number, a one-byte enumeration by its names.
  template <class E>
  requires std::is_enum_v<E>
  void operator()(std::string_view name, const E& value) {
    if constexpr (sizeof(E) == sizeof(std::int64_t))
      add(name, FieldType::number, &value);
    else
      add(name, FieldType::choice, &value).names = names_of<E>();
  }
  template <class T>
  void operator()(std::string_view name, const std::vector<T>& values) {
    add(name, FieldType::objects, &values, &list_access<T>());
  }
  void bytes(std::string_view name, const std::string& value);

  Form take();  // with the default texts

 private:
  Field& add(std::string_view name, FieldType type, const void* member, const ListAccess* list = nullptr);

  const std::byte* record_;
  Form form_;
};

// The one place where a T is made and destroyed: special members of large structs are most of what such code compiles to.
template <class T>
[[gnu::noinline]] std::shared_ptr<void> make_fresh() {
  return std::make_shared<T>();
}

Form make_form(std::shared_ptr<void> (*make)(), void (*visit)(void* record, FormBuilder& builder));

template <class T>
const Form& form_of() {
  static const Form form = make_form(make_fresh<T>, [](void* record, FormBuilder& builder) { static_cast<T*>(record)->fields(builder); });
  return form;
}

// Appends `record`, which is of this form, as a JSON object.
void write_object(std::string& out, const Form& form, const void* record);

// Fills `record`, a fresh one of this form, from a JSON object. The result: what failed, empty when nothing did; then the record is
// half filled.
std::string read_object(std::string_view json, const Form& form, void* record);

}  // namespace brume::state
