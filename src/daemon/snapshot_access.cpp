#include "daemon/snapshot_access.hpp"

#include <utility>

namespace brume::daemon {

service::SnapshotBlocks snapshot_blocks(control::DirectSnapshots& direct) {
  service::SnapshotBlocks blocks;
  blocks.blocks = [&](const std::string& id) { return direct.blocks(id); };
  blocks.changed = [&](const std::string& id, const std::string& since) {
    return direct.changed(id, since).map([](control::DirectSnapshots::Changes&& changes) {
      return service::SnapshotBlocks::Changes{changes.related, std::move(changes.runs)};
    });
  };
  blocks.read = [&](const std::string& id, std::int64_t block) { return direct.read(id, block); };
  blocks.write = [&](const std::string& id, std::int64_t block, std::string_view data) { return direct.write(id, block, data); };
  blocks.written = [&](const std::string& id, bool with_digest) {
    return direct.written(id, with_digest).map([](control::DirectSnapshots::Written&& written) {
      return service::SnapshotBlocks::Written{written.blocks, std::move(written.digest)};
    });
  };
  blocks.complete = [&](const std::string& id) { return direct.complete(id); };
  return blocks;
}

}  // namespace brume::daemon
