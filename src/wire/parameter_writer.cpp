#include "wire/parameter_writer.hpp"

#include <array>

#include "base/text.hpp"
#include "wire/scalars.hpp"

namespace brume::wire {

void ParameterWriter::blob(std::string_view name, const std::optional<std::string>& bytes) {
  if (bytes) under(name, [&] { put(to_base64(*bytes)); });
}

void ParameterWriter::put(double value) {
  std::array<char, scalar_bytes> text;
  put(std::string(text.data(), print_double(text.data(), value)));
}

void ParameterWriter::put(Time value) {
  std::array<char, scalar_bytes> text;
  put(std::string(text.data(), print_time(text.data(), value, TimeFormat::iso8601, true)));
}

}  // namespace brume::wire
