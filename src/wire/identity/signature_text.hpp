// The texts that signatures are computed over, from a request as it was sent.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "wire/http/server.hpp"

namespace brume::wire {

// The pairs of a raw query string, decoded: %XY and '+'. A '%' that begins nothing stands for itself.
std::vector<std::pair<std::string, std::string>> decode_query(std::string_view raw);

// The canonical request of version 4. `as_sent`: the path is encoded once (S3) instead of a second time (everything else).
void append_canonical_request(std::string& out, const HttpRequest& request, std::string_view signed_headers, bool as_sent,
                              std::string_view payload_hash);

// 20111205T130000Z of a Date header in that form or as "Mon, 05 Dec 2011 13:00:00 GMT"; empty when it is neither.
std::string basic_time_of_date_header(std::string_view value);
std::string format_basic_iso8601(Time time);

}  // namespace brume::wire
