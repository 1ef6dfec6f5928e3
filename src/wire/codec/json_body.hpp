// The body of a request of a JSON protocol as parameters, so that typed requests are read from it as from any other (body_tree.hpp).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/codec/body_tree.hpp"

namespace brume::wire {

// `place`: the operation's input. Throws ApiError SerializationException: not a JSON object, nested too deeply, too large, or with values
// of another kind than the model has.
BodyTree::Pairs read_json_body(std::string_view body, BodyPlace place = {});

}  // namespace brume::wire
