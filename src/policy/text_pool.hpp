// Where a compiled policy keeps its texts: close together, and at places that never move.
#pragma once

#include <algorithm>
#include <deque>
#include <string>
#include <string_view>

namespace brume::policy {

class TextPool {
 public:
  TextPool() = default;
  TextPool(const TextPool&) = delete;
  TextPool& operator=(const TextPool&) = delete;

  // The copy lives as long as the pool.
  std::string_view keep(std::string_view text) {
    if (chunks_.empty() || chunks_.back().capacity() - chunks_.back().size() < text.size()) {
      chunks_.emplace_back();
      chunks_.back().reserve(std::max<std::size_t>(1024, text.size()));
    }
    auto& chunk = chunks_.back();
    const auto at = chunk.size();
    chunk.append(text);
    return std::string_view(chunk).substr(at);
  }

 private:
  std::deque<std::string> chunks_;
};

}  // namespace brume::policy
