// The codec's text: writing by hand, reading by Boost.JSON, which is included here and nowhere else in this layer.
#include <array>
#include <boost/json.hpp>
#include <charconv>

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

const json::value& as_value(const void* value) { return *static_cast<const json::value*>(value); }
const json::object& as_object(const void* object) { return *static_cast<const json::object*>(object); }

}  // namespace

void close_object(std::string& out) {
  if (out.back() == ',')
    out.back() = '}';
  else
    out += '}';
}

void FieldWriter::begin(std::string_view name) {
  start_ = out_.size();
  out_ += '"';
  out_ += name;
  out_ += "\":";
}

void FieldWriter::end() {
  const auto text = std::string_view(out_).substr(start_);
  if (texts_ != nullptr) texts_->emplace_back(text);
  const bool is_default = defaults_ != nullptr && text == (*defaults_)[place_];
  if (is_default)
    out_.resize(start_);
  else
    out_ += ',';
  ++place_;
}

void FieldWriter::begin_list() { out_ += '['; }
void FieldWriter::end_list() {
  if (out_.back() == ',')
    out_.back() = ']';
  else
    out_ += ']';
}

void FieldWriter::operator()(std::string_view name, const std::string& value) {
  begin(name);
  append_text(out_, value);
  end();
}
void FieldWriter::operator()(std::string_view name, const bool& value) {
  begin(name);
  out_ += value ? "true" : "false";
  end();
}
void FieldWriter::operator()(std::string_view name, const std::int64_t& value) {
  begin(name);
  append_number(out_, value);
  end();
}
void FieldWriter::operator()(std::string_view name, const Time& value) { (*this)(name, std::int64_t{value.time_since_epoch().count()}); }
void FieldWriter::operator()(std::string_view name, const std::vector<std::string>& values) {
  begin(name);
  begin_list();
  for (const auto& value : values) {
    append_text(out_, value);
    out_ += ',';
  }
  end_list();
  end();
}
void FieldWriter::bytes(std::string_view name, const std::string& value) { (*this)(name, to_base64(value)); }

void FieldReader::fail(std::string_view name, std::string_view reason) {
  if (failure_.empty()) failure_.append(name).append(": ").append(reason);
}

bool FieldReader::needs_names() const { return !by_name_ && place_ < as_object(object_).size(); }

const void* FieldReader::find(std::string_view name) {
  if (!failure_.empty()) return nullptr;
  const auto& object = as_object(object_);
  if (by_name_) return object.if_contains({name.data(), name.size()});
  if (place_ == object.size()) return nullptr;
  const auto& next = *(object.begin() + static_cast<std::ptrdiff_t>(place_));
  if (std::string_view(next.key().data(), next.key().size()) != name) return nullptr;
  ++place_;
  return &next.value();
}

void FieldReader::operator()(std::string_view name, std::string& value) {
  const void* found = find(name);
  if (found == nullptr) return;
  const auto* text = as_value(found).if_string();
  if (text == nullptr) return fail(name, "is not text");
  value.assign(text->data(), text->size());
}
void FieldReader::operator()(std::string_view name, bool& value) {
  const void* found = find(name);
  if (found == nullptr) return;
  const auto* flag = as_value(found).if_bool();
  if (flag == nullptr) return fail(name, "is not true or false");
  value = *flag;
}
void FieldReader::operator()(std::string_view name, std::int64_t& value) {
  const void* found = find(name);
  if (found == nullptr) return;
  const auto* number = as_value(found).if_int64();
  if (number == nullptr) return fail(name, "is not a whole number");
  value = *number;
}
void FieldReader::operator()(std::string_view name, Time& value) {
  std::int64_t count = value.time_since_epoch().count();
  (*this)(name, count);
  value = Time(milliseconds(count));
}
void FieldReader::operator()(std::string_view name, std::vector<std::string>& values) {
  size_t count = 0;
  const void* list = find_list(name, count);
  if (list == nullptr) return;
  values.clear();
  values.reserve(count);
  for (const auto& item : *static_cast<const json::array*>(list)) {
    const auto* text = item.if_string();
    if (text == nullptr) return fail(name, "holds something that is not text");
    values.emplace_back(text->data(), text->size());
  }
}
void FieldReader::bytes(std::string_view name, std::string& value) {
  const void* found = find(name);
  if (found == nullptr) return;
  const auto* text = as_value(found).if_string();
  auto decoded = text == nullptr ? std::nullopt : from_base64({text->data(), text->size()});
  if (!decoded) return fail(name, "is not base64");
  value = std::move(*decoded);
  value.shrink_to_fit();
}

const void* FieldReader::find_list(std::string_view name, size_t& count) {
  const void* found = find(name);
  if (found == nullptr) return nullptr;
  const auto* list = as_value(found).if_array();
  if (list == nullptr) {
    fail(name, "is not a list");
    return nullptr;
  }
  count = list->size();
  return list;
}

const void* FieldReader::object_at(std::string_view name, const void* list, size_t place) {
  const auto* object = (*static_cast<const json::array*>(list))[place].if_object();
  if (object == nullptr) fail(name, "holds something that is not an object");
  return object;
}

std::string with_json_object(std::string_view text, void (*read)(void* context, FieldReader& reader), void* context) {
  std::array<unsigned char, 16384> room;
  json::monotonic_resource memory(room.data(), room.size());
  json::parse_options options;
  options.max_depth = 8;
  // A name that a client sent in Latin-1 must not keep the daemon from starting.
  options.allow_invalid_utf8 = true;
  json::error_code error;
  const auto document = json::parse({text.data(), text.size()}, error, &memory, options);
  if (error) return "is not JSON: " + error.message();
  const auto* object = document.if_object();
  if (object == nullptr) return "is not a JSON object";
  FieldReader reader(object);
  read(context, reader);
  return reader.failure();
}

}  // namespace brume::state
