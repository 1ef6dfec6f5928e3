#include "domain/flow_log_fields.hpp"

namespace brume::domain {
namespace {

struct FlowLogField {
  std::string_view name;
  int version;
};
constexpr FlowLogField known_fields[] = {
    {"version", 2},     {"account-id", 2},  {"interface-id", 2}, {"srcaddr", 2},        {"dstaddr", 2},     {"srcport", 2},
    {"dstport", 2},     {"protocol", 2},    {"packets", 2},      {"bytes", 2},          {"start", 2},       {"end", 2},
    {"action", 2},      {"log-status", 2},  {"vpc-id", 3},       {"subnet-id", 3},      {"instance-id", 3}, {"type", 3},
    {"pkt-srcaddr", 3}, {"pkt-dstaddr", 3}, {"region", 4},       {"flow-direction", 5},
};

}  // namespace

std::optional<std::vector<std::string>> flow_log_fields(std::string_view format) {
  std::vector<std::string> fields;
  while (true) {
    const auto end = format.find('}');
    if (!format.starts_with("${") || end == std::string_view::npos || end == 2) return std::nullopt;
    fields.emplace_back(format.substr(2, end - 2));
    format.remove_prefix(end + 1);
    if (format.empty()) return fields;
    const auto next = format.find_first_not_of(' ');
    if (next == 0 || next == std::string_view::npos) return std::nullopt;
    format.remove_prefix(next);
  }
}

int flow_log_field_version(std::string_view name) {
  for (const auto& field : known_fields)
    if (field.name == name) return field.version;
  return 0;
}

}  // namespace brume::domain
