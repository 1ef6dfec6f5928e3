// Writes a typed request as the parameters that a client would have sent: the way back of the generated `read`. The generated functions
// to_parameters(request, out) call it. Times are ISO 8601, lists are numbered from 1, and what is absent is left out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "wire/box.hpp"

namespace brume::wire {

class ParameterWriter {
 public:
  using Pairs = std::vector<std::pair<std::string, std::string>>;

  template <class T>
  void member(std::string_view name, const std::optional<T>& value) {
    if (value) under(name, [&] { put(*value); });
  }
  template <class T>
  void member(std::string_view name, const Box<T>& value) {
    if (value) under(name, [&] { put(*value); });
  }
  template <class T>
  void list(std::string_view name, const std::vector<T>& items) {
    under(name, [&] { put(items); });
  }
  template <class T>
  void list(std::string_view name, const std::optional<std::vector<T>>& items) {
    if (items) list(name, *items);
  }
  template <class T>
  void map(std::string_view name, std::string_view key, std::string_view value, const std::map<std::string, T>& entries) {
    size_t number = 0;
    for (const auto& entry : entries) {
      under(name, [&] {
        under(std::to_string(++number), [&] {
          under(key, [&] { put(entry.first); });
          under(value, [&] { put(entry.second); });
        });
      });
    }
  }
  void blob(std::string_view name, const std::optional<std::string>& bytes);

  Pairs take() { return std::move(pairs_); }

 private:
  void put(const std::string& value) { pairs_.emplace_back(path_, value); }
  void put(bool value) { put(std::string(value ? "true" : "false")); }
  void put(std::int64_t value) { put(std::to_string(value)); }
  void put(double value);
  void put(Time value);
  template <class T>
  void put(const std::vector<T>& items) {
    size_t number = 0;
    for (const auto& item : items) under(std::to_string(++number), [&] { put(static_cast<const T&>(item)); });
  }
  template <class Structure>
  void put(const Structure& structure) {
    to_parameters(structure, *this);
  }
  template <class Body>
  void under(std::string_view name, const Body& body) {
    const auto before = path_.size();
    if (before > 0) path_ += '.';
    path_ += name;
    body();
    path_.resize(before);
  }

  std::string path_;
  Pairs pairs_;
};

}  // namespace brume::wire
