#include "guest/identity_document.hpp"

#include <array>
#include <utility>

namespace brume::guest {
namespace {

// Fields that are empty are null; Brume has no billing or product codes, so those always are.
std::string json_text(std::string_view text) {
  if (text.empty()) return "null";
  constexpr std::string_view digits = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      quoted.append(1, '\\').append(1, c);
    else if (byte < 0x20)
      quoted.append("\\u00").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    else
      quoted += c;
  }
  return quoted += '"';
}

// 2011-12-05T13:00:00Z
std::string whole_seconds(Time time) {
  std::string text = format_iso8601(time);
  const auto point = text.find('.');
  return point == std::string::npos ? text : text.substr(0, point) + "Z";
}

}  // namespace

std::string identity_document(const state::Instance& instance, const state::NetworkInterface& primary, std::string_view region) {
  const std::array<std::pair<std::string_view, std::string>, 15> fields = {{
      {"accountId", instance.account},
      {"architecture", instance.architecture},
      {"availabilityZone", instance.zone},
      {"billingProducts", ""},
      {"devpayProductCodes", ""},
      {"marketplaceProductCodes", ""},
      {"imageId", instance.image_id},
      {"instanceId", instance.id},
      {"instanceType", instance.type},
      {"kernelId", instance.kernel_id},
      {"pendingTime", whole_seconds(instance.launched)},
      {"privateIp", primary.private_ip},
      {"ramdiskId", instance.ramdisk_id},
      {"region", std::string(region)},
      {"version", "2017-09-30"},
  }};
  std::string document = "{";
  for (const auto& [name, value] : fields) {
    if (document.size() > 1) document += ',';
    document.append("\n  \"").append(name).append("\" : ").append(json_text(value));
  }
  return document += "\n}";
}

}  // namespace brume::guest
