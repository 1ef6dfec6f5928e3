// The resources that a typed request names, as its client wrote them. Generated functions fill it: name_resources(request, out).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brume::wire {

// How the text leads to the resource: it is what stands in the ARN; another name of it, which the state knows; its address; or an id
// whose prefix says the type as well.
enum class NamedBy : std::uint8_t { id, name, address, prefix };

struct NamedResource {
  std::string_view type;  // of models/authorization.json: "instance"; empty for NamedBy::prefix
  NamedBy by;
  std::string_view text;  // lives as long as the request
};

class NamedResources {
 public:
  void add(std::string_view type, NamedBy by, const std::string& text) {
    if (!text.empty()) found_.push_back({type, by, text});
  }
  void add(std::string_view type, NamedBy by, const std::optional<std::string>& text) {
    if (text) add(type, by, *text);
  }
  void add(std::string_view type, NamedBy by, const std::vector<std::string>& texts) {
    for (const auto& text : texts) add(type, by, text);
  }
  void add(std::string_view type, NamedBy by, const std::optional<std::vector<std::string>>& texts) {
    if (texts) add(type, by, *texts);
  }
  const std::vector<NamedResource>& found() const { return found_; }

 private:
  std::vector<NamedResource> found_;
};

}  // namespace brume::wire
