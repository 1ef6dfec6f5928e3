#include "engines/compute/password_watch.hpp"

#include "base/text.hpp"

namespace brume::compute {
namespace {

constexpr std::string_view opening = "<password>";
constexpr std::string_view closing = "</password>";
// A key of 4096 bits seals into 684 characters; twice a key that nobody uses is enough, and bounds what is kept.
constexpr size_t longest = 4096;

bool is_base64(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=';
}
bool is_space(char c) { return c == ' ' || c == '\r' || c == '\n' || c == '\t'; }

// nullopt: something else is between the tags.
std::optional<std::string> sealed_password(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_base64(c))
      out += c;
    else if (!is_space(c))
      return std::nullopt;
  }
  if (out.empty() || !from_base64(out)) return std::nullopt;
  return out;
}

}  // namespace

std::optional<std::string> PasswordWatch::feed(std::string_view piece) {
  kept_.append(piece);
  const auto lower = to_lower(kept_);
  std::optional<std::string> found;
  size_t at = 0;
  // From each opening tag to its end; everything before the last open one is finished.
  for (size_t open = lower.find(opening, at); open != std::string::npos; open = lower.find(opening, at)) {
    const auto from = open + opening.size();
    const auto end = lower.find(closing, from);
    if (end == std::string::npos) {
      if (lower.size() - from <= longest) {
        kept_.erase(0, open);
        return found;
      }
      at = from;
      continue;
    }
    if (auto password = sealed_password(std::string_view(kept_).substr(from, end - from))) found = std::move(password);
    at = from;
  }
  // The opening tag itself may be split.
  const auto rest = std::min(kept_.size() - std::min(at, kept_.size()), opening.size() - 1);
  kept_.erase(0, kept_.size() - rest);
  return found;
}

}  // namespace brume::compute
