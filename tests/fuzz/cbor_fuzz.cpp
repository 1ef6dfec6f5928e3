// Any bytes as a body in CBOR: parameters within a query's limits, or an ApiError; and what the project's own writer writes is read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/api_error.hpp"
#include "wire/codec/cbor_body.hpp"
#include "wire/codec/cbor_writer.hpp"
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

// The same values, flat, by the writer: they have to come back.
void check_round_trip(const BodyTree::Pairs& pairs) {
  CborWriter out;
  out.open_object();
  out.key("all");
  out.open_list();
  size_t texts = 0;
  for (const auto& pair : pairs) {
    if (++texts > 100) break;
    out.value(pair.second);
  }
  out.close_list();
  out.close_object();
  const auto again = read_cbor_body(out.take());
  if (again.size() != std::min<size_t>(pairs.size(), 100)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static const BodyPlace places[] = {{}, input_of("PutMetricData"), input_of("GetMetricData")};
  for (const auto& place : places) {
    try {
      const auto pairs = read_cbor_body(bytes, place);
      check_pairs(pairs);
      check_round_trip(pairs);
    } catch (const ApiError& error) {
      if (error.status != 400 || error.code != "SerializationException" || error.message.empty()) std::abort();
    }
  }
  return 0;
}
