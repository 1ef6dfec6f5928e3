#include "wire/schema.hpp"

#include <algorithm>

namespace brume::wire::schema {

const Service* find_service(std::string_view name) {
  for (const Service* service : services()) {
    if (service->name == name) return service;
  }
  return nullptr;
}

bool Service::speaks(Protocol protocol) const { return std::find(protocols.begin(), protocols.end(), protocol) != protocols.end(); }

const Service* find_signed_service(Services among, std::string_view signing_name, int version) {
  const Service* fitting = nullptr;
  const Service* newest = nullptr;
  for (const Service* service : among) {
    if (service->signing_name != signing_name) continue;
    if (newest == nullptr || service->version > newest->version) newest = service;
    if (service->version >= version && (fitting == nullptr || service->version < fitting->version)) fitting = service;
  }
  return fitting != nullptr && version != 0 ? fitting : newest;
}

const Operation* find_operation(const Service& service, std::string_view action) {
  const auto found = std::lower_bound(service.operations.begin(), service.operations.end(), action,
                                      [](const Operation& operation, std::string_view name) { return operation.name < name; });
  return found != service.operations.end() && found->name == action ? &*found : nullptr;
}

std::string_view error_shape(const Service& service, std::string_view code) {
  const auto found = std::lower_bound(service.errors.begin(), service.errors.end(), code,
                                      [](const ErrorName& error, std::string_view wanted) { return error.code < wanted; });
  return found != service.errors.end() && found->code == code ? found->shape : code;
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
