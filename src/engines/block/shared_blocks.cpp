#include "engines/block/shared_blocks.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/descriptor.hpp"

namespace brume::block {

int clone_file(int target, int source) { return ::ioctl(target, FICLONE, source) == 0 ? 0 : errno; }

bool can_share_blocks(const std::string& file, const std::string& folder, const CloneFile& clone) {
  const Descriptor source(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  const Descriptor nameless(::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  return source && nameless && clone(nameless.get(), source.get()) == 0;
}

Result<void> copy_file(const std::string& from, const std::string& to, const CloneFile& clone) {
  {
    const Descriptor source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
    if (!source) return fail_system("cannot read " + from, errno);
    const Descriptor target(::open(to.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
    if (!target) return fail_system("cannot make " + to, errno);
    if (clone(target.get(), source.get()) == 0) return {};
  }
  std::error_code code;
  std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing, code);
  if (code) return fail_system("cannot copy " + from, code.value());
  return {};
}

}  // namespace brume::block
