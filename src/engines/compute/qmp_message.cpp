#include "engines/compute/qmp_message.hpp"

#include <boost/json.hpp>

namespace brume::compute {
namespace {

namespace json = boost::json;

// query-blockstats nests one level for each file below a disk's own.
constexpr size_t deepest = 128;

std::string text_of(const json::value& value) {
  if (const auto* text = value.if_string()) return {text->data(), text->size()};
  if (value.is_structured() || value.is_null()) return {};
  return json::serialize(value);
}

void take_fields(const json::value& from, std::map<std::string, std::string>& fields) {
  const auto* object = from.if_object();
  if (!object) return;
  for (const auto& member : *object)
    if (!member.value().is_structured()) fields[std::string(member.key())] = text_of(member.value());
}

std::uint64_t take_id(const json::object& object) {
  const auto* id = object.if_contains("id");
  if (!id) return 0;
  if (const auto* number = id->if_int64()) return *number > 0 ? static_cast<std::uint64_t>(*number) : 0;
  if (const auto* number = id->if_uint64()) return *number;
  return 0;
}

}  // namespace

const std::string& QmpMessage::field(const std::string& key) const {
  static const std::string none;
  const auto found = fields.find(key);
  return found == fields.end() ? none : found->second;
}

Result<QmpMessage> parse_qmp(std::string_view line) {
  if (line.size() > qmp_line_limit) return fail(ErrorKind::broken, "QEMU's monitor sent a line that is too long");
  json::parse_options options;
  options.max_depth = deepest;
  json::error_code code;
  const auto value = json::parse({line.data(), line.size()}, code, {}, options);
  if (code) return fail(ErrorKind::broken, "QEMU's monitor sent no JSON: " + code.message());
  const auto* object = value.if_object();
  if (!object) return fail(ErrorKind::broken, "QEMU's monitor sent no JSON object");
  QmpMessage message;
  message.id = take_id(*object);
  if (const auto* event = object->if_contains("event")) {
    message.kind = QmpMessage::Kind::event;
    message.name = text_of(*event);
    if (const auto* data = object->if_contains("data")) take_fields(*data, message.fields);
  } else if (const auto* error = object->if_contains("error")) {
    message.kind = QmpMessage::Kind::error;
    std::map<std::string, std::string> parts;
    take_fields(*error, parts);
    message.name = parts["class"];
    message.description = parts["desc"];
  } else if (const auto* reply = object->if_contains("return")) {
    message.kind = QmpMessage::Kind::reply;
    take_fields(*reply, message.fields);
    // Most replies say nothing.
    if (const auto* members = reply->if_object(); members == nullptr || !members->empty()) message.value = json::serialize(*reply);
  } else if (object->contains("QMP")) {
    message.kind = QmpMessage::Kind::greeting;
  }
  return message;
}

std::string qmp_command(std::string_view name, std::string_view arguments, std::uint64_t id) {
  std::string line = R"({"execute":)" + json::serialize(json::string(name.data(), name.size()));
  if (!arguments.empty()) line.append(R"(,"arguments":)").append(arguments);
  return line + R"(,"id":)" + std::to_string(id) + "}\n";
}

}  // namespace brume::compute
