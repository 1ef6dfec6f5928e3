#include "wire/schema.hpp"

#include <algorithm>

namespace brume::wire::schema {

const Service* find_service(std::string_view name) {
  for (const Service* service : services()) {
    if (service->name == name) return service;
  }
  return nullptr;
}

const Operation* find_operation(const Service& service, std::string_view action) {
  const auto found = std::lower_bound(service.operations.begin(), service.operations.end(), action,
                                      [](const Operation& operation, std::string_view name) { return operation.name < name; });
  return found != service.operations.end() && found->name == action ? &*found : nullptr;
}

int version_number(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return 0;
  int number = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i == 4 || i == 7) continue;
    if (text[i] < '0' || text[i] > '9') return 0;
    number = number * 10 + (text[i] - '0');
  }
  return number;
}

}  // namespace brume::wire::schema
