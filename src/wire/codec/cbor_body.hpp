// The body of a request in CBOR (RFC 8949), as Smithy's RPC v2 has it, as parameters (body_tree.hpp).
//
// Taken: definite and indefinite lengths, halves, floats and doubles, null (as if it was not there), and tag 1 for a timestamp. Refused:
// other tags, other simple values, integers beyond 64 bits, keys that are no texts, texts that are not UTF-8, bytes behind the body.
// A length is believed only as far as there are bytes; depth and number of values are bounded.
#pragma once

#include <string_view>

#include "wire/codec/body_tree.hpp"

namespace brume::wire {

// An empty body has no parameters. Throws ApiError SerializationException.
BodyTree::Pairs read_cbor_body(std::string_view body, BodyPlace place = {});

}  // namespace brume::wire
