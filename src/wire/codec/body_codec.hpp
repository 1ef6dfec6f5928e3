// What the codecs of bodies with values have in common: the place of an operation's input, and how an error is named.
#pragma once

#include <string>
#include <string_view>

#include "wire/codec/body_tree.hpp"
#include "wire/codec/codec.hpp"
#include "wire/json_writer.hpp"

namespace brume::wire {

// The shape of the parameters of the call's action; empty when there is no such action.
BodyPlace input_place(const Call& call);

// {"__type": "NotFound", "message": "…"}, the one error document in JSON. `message_key`: "message" or "Message".
std::string json_error(std::string_view type, std::string_view message_key, const ApiError& error, const Answer* details);

// The error's shape: of a query-compatible service its code may have another name.
std::string_view error_type(const Call& call, const ApiError& error);
// x-amzn-query-error: the code as the Query protocol has it, for clients of a query-compatible service.
void append_query_error(const Call& call, const ApiError& error, HttpResponse& response);

}  // namespace brume::wire
