#include "daemon/snapshot_access.hpp"

#include <utility>

namespace brume::daemon {

service::SnapshotBlocks snapshot_blocks(control::HostServices& hosts) {
  service::SnapshotBlocks blocks;
  blocks.blocks = [&](const std::string& id) { return hosts.blocks(id); };
  blocks.changed = [&](const std::string& id, const std::string& since) {
    return hosts.changed(id, since).map([](control::DirectSnapshots::Changes&& changes) {
      return service::SnapshotBlocks::Changes{changes.related, std::move(changes.runs)};
    });
  };
  blocks.read = [&](const std::string& id, std::int64_t block) { return hosts.read(id, block); };
  blocks.write = [&](const std::string& id, std::int64_t block, std::string_view data) { return hosts.write(id, block, data); };
  blocks.written = [&](const std::string& id, bool with_digest) {
    return hosts.written(id, with_digest).map([](control::DirectSnapshots::Written&& written) {
      return service::SnapshotBlocks::Written{written.blocks, std::move(written.digest)};
    });
  };
  blocks.complete = [&](const std::string& id) { return hosts.complete(id); };
  return blocks;
}

}  // namespace brume::daemon
