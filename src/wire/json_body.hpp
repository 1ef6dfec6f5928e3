// The body of a request of the JSON protocol as parameters, so that typed requests are read from it as from any other:
//   {"Names": ["a", "b"], "Filter": {"Key": "k"}}  →  Names.1=a, Names.2=b, Filter.Key=k
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace brume::wire {

// Throws ApiError SerializationException: not a JSON object, nested too deeply, or too large.
std::vector<std::pair<std::string, std::string>> read_json_body(std::string_view body);

}  // namespace brume::wire
