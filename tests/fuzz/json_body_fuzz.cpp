// Any bytes as a body in JSON, led by the shapes of a model: parameters within a query's limits, or an ApiError.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/api_error.hpp"
#include "wire/codec/json_body.hpp"
#include "wire/query_tree.hpp"

using namespace brume::wire;

namespace {

BodyPlace input_of(std::string_view action) {
  const auto* service = schema::find_service("cloudwatch");
  return {service, service->shape(schema::find_operation(*service, action)->input)};
}

void check_pairs(const BodyTree::Pairs& pairs) {
  if (pairs.size() > QueryLimits{}.parameters) std::abort();
  for (const auto& [name, value] : pairs)
    if (name.empty() || name.size() > QueryLimits{}.name_bytes + 4) std::abort();
  QueryTree tree(pairs);
  try {
    tree.root();
  } catch (const ApiError&) {  // a member given twice
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static const BodyPlace places[] = {{}, input_of("PutMetricData"), input_of("GetMetricData")};
  for (const auto& place : places) {
    try {
      check_pairs(read_json_body(bytes, place));
    } catch (const ApiError& error) {
      if (error.status != 400 || error.code != "SerializationException" || error.message.empty()) std::abort();
    }
  }
  return 0;
}
