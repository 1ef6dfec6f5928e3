// The one form of a time in HTTP's headers (RFC 9110, 5.6.7).
#pragma once

#include <ctime>
#include <string>

namespace brume::wire {

// "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(std::time_t second);

}  // namespace brume::wire
