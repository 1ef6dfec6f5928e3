#include "engines/block/qcow2_header.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/descriptor.hpp"

namespace brume::block {
namespace {

constexpr size_t longest_name = 1023;  // of a backing file, by the format

// Big endian, at `offset`.
std::uint64_t number_at(const std::array<unsigned char, 104>& bytes, size_t offset, size_t size) {
  std::uint64_t number = 0;
  for (size_t i = 0; i < size; ++i) number = number << 8 | bytes[offset + i];
  return number;
}

}  // namespace

Result<Qcow2Header> read_qcow2_header(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_system("cannot open " + path, errno);
  std::array<unsigned char, 104> bytes{};
  const auto got = ::pread(file.get(), bytes.data(), bytes.size(), 0);
  if (got < 0) return fail_system("cannot read " + path, errno);
  if (got < 72 || number_at(bytes, 0, 4) != 0x514649fbU) return fail(ErrorKind::broken, path + " is no qcow2 file");
  Qcow2Header header;
  header.virtual_bytes = number_at(bytes, 24, 8);
  header.encrypted = number_at(bytes, 32, 4) != 0;
  const auto offset = number_at(bytes, 8, 8);
  const auto size = number_at(bytes, 16, 4);
  if (offset == 0 || size == 0) return header;
  if (size > longest_name) return fail(ErrorKind::broken, path + " names a backing file that is too long");
  header.backing_file.resize(size);
  const auto named = ::pread(file.get(), header.backing_file.data(), size, static_cast<off_t>(offset));
  if (named < 0) return fail_system("cannot read " + path, errno);
  if (named != static_cast<ssize_t>(size)) return fail(ErrorKind::broken, path + " ends inside its header");
  return header;
}

}  // namespace brume::block
