// The codec's text: writing by hand, reading by Boost.JSON, which is included here and nowhere else in this layer.
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cstring>

#include "base/text.hpp"
#include "state/fields.hpp"

namespace brume::state {
namespace json = boost::json;
namespace {

void append_number(std::string& out, std::int64_t value) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), static_cast<size_t>(end - digits.data()));
}

bool needs_escape(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

void append_text(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += '"';
  size_t done = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!needs_escape(text[i])) continue;
    out.append(text, done, i - done);
    done = i + 1;
    const char c = text[i];
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else {
      out += "\\u00";
      out += digits[static_cast<unsigned char>(c) >> 4];
      out += digits[static_cast<unsigned char>(c) & 15];
    }
  }
  out.append(text, done);
  out += '"';
}

// The comma after the last item becomes the bracket.
void close(std::string& out, char bracket) {
  if (out.back() == ',')
    out.back() = bracket;
  else
    out += bracket;
}

template <class T>
const T& member(const void* record, const Field& field) {
  return *reinterpret_cast<const T*>(static_cast<const std::byte*>(record) + field.offset);
}
template <class T>
T& member(void* record, const Field& field) {
  return *reinterpret_cast<T*>(static_cast<std::byte*>(record) + field.offset);
}

// A number, or an enumeration that is stored as a number.
std::int64_t number_of(const void* record, const Field& field) {
  std::int64_t value = 0;
  std::memcpy(&value, static_cast<const std::byte*>(record) + field.offset, sizeof value);
  return value;
}

std::string_view choice_of(const void* record, const Field& field) {
  const auto value = std::to_integer<size_t>(member<std::byte>(record, field));
  return value < field.names.size() ? field.names[value] : std::string_view();
}

void append_texts(std::string& out, const std::vector<std::string>& values) {
  out += '[';
  for (const auto& value : values) {
    append_text(out, value);
    out += ',';
  }
  close(out, ']');
}

void append_objects(std::string& out, const ListAccess& access, const void* list) {
  const auto items = access.items(list);
  const auto& form = access.form();
  out += '[';
  for (size_t i = 0; i < items.count; ++i) {
    write_object(out, form, static_cast<const std::byte*>(items.first) + i * access.item_size);
    out += ',';
  }
  close(out, ']');
}

void append_field(std::string& out, const Field& field, const void* record) {
  out += field.label;
  switch (field.type) {
    case FieldType::text: return append_text(out, member<std::string>(record, field));
    case FieldType::bytes: return append_text(out, to_base64(member<std::string>(record, field)));
    case FieldType::flag: out += member<bool>(record, field) ? "true" : "false"; return;
    case FieldType::number: return append_number(out, number_of(record, field));
    case FieldType::time: return append_number(out, member<Time>(record, field).time_since_epoch().count());
    case FieldType::choice: return append_text(out, choice_of(record, field));
    case FieldType::texts: return append_texts(out, member<std::vector<std::string>>(record, field));
    case FieldType::objects: return append_objects(out, *field.list, &member<std::byte>(record, field));
  }
}

// Fills the members of one struct from one JSON object.
class ObjectReader {
 public:
  ObjectReader(const json::object& object, const Form& form, void* record) : object_(object), form_(form), record_(record) {}

  // What failed; empty: nothing did.
  std::string read();

 private:
  void read_field(const Field& field, const json::value& value);
  void read_text(const Field& field, const json::value& value);
  void read_bytes(const Field& field, const json::value& value);
  void read_choice(const Field& field, const json::value& value);
  void read_texts(const Field& field, const json::value& value);
  void read_objects(const Field& field, const json::value& value);
  const json::array* list_of(const Field& field, const json::value& value);
  void fail(const Field& field, std::string_view reason) {
    if (failure_.empty()) failure_.append(field.name).append(": ").append(reason);
  }

  const json::object& object_;
  const Form& form_;
  void* record_;
  std::string failure_;
};

std::string ObjectReader::read() {
  // Walks the object in the order of the fields, in which the writer leaves them: no look-up at all.
  const auto* next = object_.begin();
  for (const auto& field : form_.fields) {
    if (next == object_.end()) break;
    if (std::string_view(next->key().data(), next->key().size()) != field.name) continue;
    read_field(field, next->value());
    if (!failure_.empty()) return failure_;
    ++next;
  }
  if (next == object_.end()) return {};
  // Something is in another order, or unknown: look every field up by its name.
  for (const auto& field : form_.fields) {
    const auto* value = object_.if_contains({field.name.data(), field.name.size()});
    if (value != nullptr) read_field(field, *value);
    if (!failure_.empty()) break;
  }
  return failure_;
}

void ObjectReader::read_field(const Field& field, const json::value& value) {
  switch (field.type) {
    case FieldType::text: return read_text(field, value);
    case FieldType::bytes: return read_bytes(field, value);
    case FieldType::flag:
      if (const auto* flag = value.if_bool())
        member<bool>(record_, field) = *flag;
      else
        fail(field, "is not true or false");
      return;
    case FieldType::number:
    case FieldType::time: {
      const auto* number = value.if_int64();
      if (number == nullptr) return fail(field, "is not a whole number");
      if (field.type == FieldType::time)
        member<Time>(record_, field) = Time(milliseconds(*number));
      else
        std::memcpy(static_cast<std::byte*>(record_) + field.offset, number, sizeof *number);
      return;
    }
    case FieldType::choice: return read_choice(field, value);
    case FieldType::texts: return read_texts(field, value);
    case FieldType::objects: return read_objects(field, value);
  }
}

void ObjectReader::read_text(const Field& field, const json::value& value) {
  const auto* text = value.if_string();
  if (text == nullptr) return fail(field, "is not text");
  member<std::string>(record_, field).assign(text->data(), text->size());
}

void ObjectReader::read_bytes(const Field& field, const json::value& value) {
  const auto* text = value.if_string();
  auto decoded = text == nullptr ? std::nullopt : from_base64({text->data(), text->size()});
  if (!decoded) return fail(field, "is not base64");
  auto& bytes = member<std::string>(record_, field);
  bytes = std::move(*decoded);
  bytes.shrink_to_fit();
}

void ObjectReader::read_choice(const Field& field, const json::value& value) {
  const auto* text = value.if_string();
  if (text == nullptr) return fail(field, "is not text");
  const auto at = std::find(field.names.begin(), field.names.end(), std::string_view(text->data(), text->size()));
  if (at == field.names.end()) return fail(field, "is '" + std::string(text->data(), text->size()) + "', which this version does not know");
  member<std::uint8_t>(record_, field) = static_cast<std::uint8_t>(at - field.names.begin());
}

const json::array* ObjectReader::list_of(const Field& field, const json::value& value) {
  const auto* list = value.if_array();
  if (list == nullptr) fail(field, "is not a list");
  return list;
}

void ObjectReader::read_texts(const Field& field, const json::value& value) {
  const auto* list = list_of(field, value);
  if (list == nullptr) return;
  auto& values = member<std::vector<std::string>>(record_, field);
  values.clear();
  values.reserve(list->size());
  for (const auto& item : *list) {
    const auto* text = item.if_string();
    if (text == nullptr) return fail(field, "holds something that is not text");
    values.emplace_back(text->data(), text->size());
  }
}

void ObjectReader::read_objects(const Field& field, const json::value& value) {
  const auto* list = list_of(field, value);
  if (list == nullptr) return;
  auto* item = static_cast<std::byte*>(field.list->renew(&member<std::byte>(record_, field), list->size()));
  for (const auto& element : *list) {
    const auto* object = element.if_object();
    if (object == nullptr) return fail(field, "holds something that is not an object");
    const auto failure = ObjectReader(*object, field.list->form(), item).read();
    if (!failure.empty()) return fail(field, failure);
    item += field.list->item_size;
  }
}

}  // namespace

void FormBuilder::operator()(std::string_view name, const std::string& value) { add(name, FieldType::text, &value); }
void FormBuilder::operator()(std::string_view name, const bool& value) { add(name, FieldType::flag, &value); }
void FormBuilder::operator()(std::string_view name, const std::int64_t& value) { add(name, FieldType::number, &value); }
void FormBuilder::operator()(std::string_view name, const Time& value) { add(name, FieldType::time, &value); }
void FormBuilder::operator()(std::string_view name, const std::vector<std::string>& values) { add(name, FieldType::texts, &values); }
void FormBuilder::bytes(std::string_view name, const std::string& value) { add(name, FieldType::bytes, &value); }

Field& FormBuilder::add(std::string_view name, FieldType type, const void* member, const ListAccess* list) {
  Field field;
  field.name = name;
  field.label.append(1, '"').append(name).append("\":");
  field.type = type;
  field.offset = static_cast<size_t>(static_cast<const std::byte*>(member) - record_);
  field.list = list;
  return form_.fields.emplace_back(std::move(field));
}

Form FormBuilder::take() {
  for (auto& field : form_.fields) append_field(field.default_text, field, record_);
  return std::move(form_);
}

Form make_form(std::shared_ptr<void> (*make)(), void (*visit)(void* record, FormBuilder& builder)) {
  const auto fresh = make();
  FormBuilder builder(fresh.get());
  visit(fresh.get(), builder);
  return builder.take();
}

void write_object(std::string& out, const Form& form, const void* record) {
  out += '{';
  for (const auto& field : form.fields) {
    const size_t start = out.size();
    append_field(out, field, record);
    if (std::string_view(out).substr(start) == field.default_text)
      out.resize(start);
    else
      out += ',';
  }
  close(out, '}');
}

std::string read_object(std::string_view text, const Form& form, void* record) {
  std::array<unsigned char, 16384> room;
  json::monotonic_resource memory(room.data(), room.size());
  json::parse_options options;
  options.max_depth = 8;
  // A name that a client sent in Latin-1 must not prevent the daemon from starting.
  options.allow_invalid_utf8 = true;
  json::error_code error;
  const auto document = json::parse({text.data(), text.size()}, error, &memory, options);
  if (error) return "is not JSON: " + error.message();
  const auto* object = document.if_object();
  if (object == nullptr) return "is not a JSON object";
  return ObjectReader(*object, form, record).read();
}

}  // namespace brume::state
