#include "guest/identity_document.hpp"

#include <array>
#include <utility>

namespace brume::guest {
namespace {

// Empty fields are null. Billing products and marketplace codes do not exist here, so those two always are.
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

std::string json_list(const std::vector<std::string>& texts) {
  if (texts.empty()) return "null";
  std::string list = "[ ";
  for (const auto& text : texts) list.append(list.size() > 2 ? ", " : "").append(json_text(text));
  return list += " ]";
}

}  // namespace

std::string identity_document(const state::Instance& instance, const state::NetworkInterface& primary, std::string_view region,
                              const std::vector<std::string>& product_codes) {
  const std::array<std::pair<std::string_view, std::string>, 15> fields = {{
      {"accountId", json_text(instance.account)},
      {"architecture", json_text(instance.architecture)},
      {"availabilityZone", json_text(instance.zone)},
      {"billingProducts", json_text("")},
      {"devpayProductCodes", json_list(product_codes)},
      {"marketplaceProductCodes", json_text("")},
      {"imageId", json_text(instance.image_id)},
      {"instanceId", json_text(instance.id)},
      {"instanceType", json_text(instance.type)},
      {"kernelId", json_text(instance.kernel_id)},
      {"pendingTime", json_text(whole_seconds(instance.launched))},
      {"privateIp", json_text(primary.private_ip)},
      {"ramdiskId", json_text(instance.ramdisk_id)},
      {"region", json_text(region)},
      {"version", json_text("2017-09-30")},
  }};
  std::string document = "{";
  for (const auto& [name, value] : fields) {
    if (document.size() > 1) document += ',';
    document.append("\n  \"").append(name).append("\" : ").append(value);
  }
  return document += "\n}";
}

}  // namespace brume::guest
