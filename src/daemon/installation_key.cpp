#include "daemon/installation_key.hpp"

#include <cstdint>

#include "base/files.hpp"
#include "base/sealing.hpp"

namespace brume::daemon {

Result<std::string> load_key(const std::string& path, Random& random) {
  if (path_exists(path)) {
    auto key = read_file(path, 4096);
    if (key && key->size() != sealing_key_size)
      return fail(ErrorKind::broken, path + " has " + std::to_string(key->size()) + " bytes, and a key has " +
                                         std::to_string(sealing_key_size) + ": put it back from a copy of this home");
    return key;
  }
  std::string key(sealing_key_size, '\0');
  random.fill({reinterpret_cast<std::uint8_t*>(key.data()), key.size()});
  if (auto written = write_file(path, key, 0600); !written) return fail(written.error());
  return key;
}

}  // namespace brume::daemon
