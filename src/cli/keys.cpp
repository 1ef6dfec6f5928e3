#include <cstdio>

#include "base/files.hpp"
#include "base/key_material.hpp"
#include "cli/commands.hpp"

namespace brume::cli {

int key_fingerprint(const std::string& file) {
  constexpr size_t limit = 16384;
  const auto content = read_file(file, limit);
  if (!content) return complain(content.error());
  const auto key = parse_local_key(*content);
  if (!key) return complain(key.error().within(file));
  if (!key->made_fingerprint.empty()) std::printf("made\t%s\n", key->made_fingerprint.c_str());
  std::printf("imported\t%s\n", key->public_key.fingerprint.c_str());
  return 0;
}

}  // namespace brume::cli
