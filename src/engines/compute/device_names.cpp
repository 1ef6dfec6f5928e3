#include "engines/compute/device_names.hpp"

#include <algorithm>

namespace brume::compute {
namespace {

constexpr int first_number = 1;
constexpr int first_ide_number = 12001;
constexpr int digits_per_letter = 16;

bool is_letter_of_device(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit_of_device(char c) { return c >= '0' && c <= '9'; }

}  // namespace

int disk_number(std::string_view device) {
  if (device.starts_with("/dev/")) device.remove_prefix(5);
  const bool ide = device.starts_with("hd");
  if (device.starts_with("xvd"))
    device.remove_prefix(3);
  else if (ide || device.starts_with("sd"))
    device.remove_prefix(2);
  else
    return 0;
  const auto end = std::find_if_not(device.begin(), device.end(), is_letter_of_device);
  const auto letters = device.substr(0, static_cast<size_t>(end - device.begin()));
  const auto digits = device.substr(letters.size());
  if (letters.empty() || letters.size() > 2 || (ide && letters.size() != 1)) return 0;
  if (digits.size() > 2 || !std::all_of(digits.begin(), digits.end(), is_digit_of_device) || digits.starts_with('0')) return 0;
  int letter = letters.back() - 'a';
  if (letters.size() == 2) letter += 26 + 26 * (letters.front() - 'a');
  int digit = 0;
  for (const char c : digits) digit = digit * 10 + (c - '0');
  if (digit >= digits_per_letter) return 0;
  return (ide ? first_ide_number : first_number) + digits_per_letter * letter + digit;
}

}  // namespace brume::compute
