// What a QEMU that a guest has taken over may send: any line must be understood or refused, and what is understood must stay small.
#include <cstdlib>

#include "engines/compute/qmp_message.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const auto message = brume::compute::parse_qmp(line);
  if (!message) return 0;
  size_t kept = message->name.size() + message->description.size();
  for (const auto& [key, value] : message->fields) kept += key.size() + value.size();
  // Escapes and numbers grow a little when they are written out.
  if (kept > 32 * size + 64) std::abort();
  const auto command = brume::compute::qmp_command(line, {}, 1);
  if (command.empty() || command.back() != '\n' || command.find('\n') != command.size() - 1) std::abort();
  return 0;
}
