#include "engines/block/formatted_stores.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/descriptor.hpp"
#include "base/process.hpp"

namespace brume::block {
namespace {

constexpr std::string_view prefix = "formatted-";
constexpr auto longest_format = std::chrono::minutes(5);

// One inode per MiB and a small journal, because stores are large and what mkfs writes is kept. No room is reserved for root, because only
// the guest's own programs fill the disk.
Command format_command(StoreContent content, const std::string& file) {
  Command command;
  if (content == StoreContent::swap) {
    command.program = "mkswap";
    command.arguments = {file};
  } else {
    command.program = "mkfs.ext3";
    command.arguments = {"-q", "-F", "-m", "0", "-J", "size=32", "-i", "1048576", "-E", "nodiscard", file};
  }
  return command;
}

}  // namespace

std::string formatted_id(StoreContent content, std::uint64_t bytes, const std::string& name) {
  return std::string(prefix) + (content == StoreContent::swap ? "swap-" : "ext3-") + std::to_string(bytes >> 30) + "-" + name;
}

bool is_formatted_id(std::string_view id) { return id.starts_with(prefix); }

Result<void> format_store(StoreContent content, std::uint64_t bytes, const std::string& to) {
  const auto raw = to + ".raw.part";
  const Descriptor file(::open(raw.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
  const bool sized = file && ::ftruncate(file.get(), static_cast<off_t>(bytes)) == 0;
  auto made = sized ? Result<void>() : Result<void>(fail_system("cannot make " + raw, errno));
  if (made) {
    auto formatted = run_checked(format_command(content, raw), longest_format);
    // Small clusters, because mkfs writes many pieces of a few KiB, far apart.
    Command convert;
    convert.program = "qemu-img";
    convert.arguments = {"convert", "-O", "qcow2", "-f", "raw", "-o", "cluster_size=4k,lazy_refcounts=off,compat=1.1", raw, to};
    if (formatted) formatted = run_checked(convert, longest_format);
    if (!formatted) made = fail(formatted.error());
  }
  ::unlink(raw.c_str());
  return made;
}

}  // namespace brume::block
