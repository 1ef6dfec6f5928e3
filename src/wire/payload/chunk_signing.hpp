// What signs the chunks of a body: taken from the head that has been verified.
#pragma once

#include <optional>
#include <string_view>

#include "wire/http/server.hpp"
#include "wire/payload/aws_chunked.hpp"

namespace brume::wire {

// Of a request that was signed with version 4 in its Authorization header, with this secret; nullopt: it was not, and its body cannot be
// in signed chunks. Verifies nothing: the head is to be verified before.
std::optional<ChunkSigning> chunk_signing_of(const HttpRequest& head, std::string_view secret);

}  // namespace brume::wire
