// One line of QMP, QEMU's monitor protocol: one JSON object per line. Parsed with bounds, because the peer runs a stranger's guest.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace brume::compute {

// A longer line ends the connection. The longest answer is that to query-blockstats: 2 KiB for each file of each disk.
constexpr size_t qmp_line_limit = 8 << 20;

struct QmpMessage {
  enum class Kind { greeting, reply, error, event, other };
  Kind kind = Kind::other;
  std::uint64_t id = 0;                       // of the command that it answers; 0: none
  std::string name;                           // event: its name; error: its class
  std::string description;                    // error: QEMU's sentence
  std::string value;                          // reply: all of it as JSON, if it is more than an object
  std::map<std::string, std::string> fields;  // simple members of the reply or of the event's data, as text ("true", "12")

  // The field's text; empty if it is not there.
  const std::string& field(const std::string& key) const;
};

// `broken`: not a JSON object, or nested too deeply.
Result<QmpMessage> parse_qmp(std::string_view line);

// The line that runs a command; `arguments` is a JSON object or empty.
std::string qmp_command(std::string_view name, std::string_view arguments, std::uint64_t id);

}  // namespace brume::compute
