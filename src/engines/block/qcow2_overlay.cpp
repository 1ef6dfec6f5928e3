#include "engines/block/qcow2_overlay.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/descriptor.hpp"

namespace brume::block {
namespace {

// The format: docs/interop/qcow2.txt of QEMU's source.
constexpr std::uint64_t magic = 0x514649fb;
constexpr std::uint64_t luks = 2;
constexpr std::uint64_t extension_of_encryption = 0x0537be77;
constexpr std::uint64_t extension_of_backing_format = 0xe2792aca;
constexpr std::uint64_t cluster = 64 << 10;
constexpr std::uint64_t cluster_bits = 16;
constexpr std::uint64_t header_bytes = 104;
constexpr std::uint64_t largest_luks_header = 16 << 20;
constexpr size_t longest_below_name = 1023;

std::uint64_t rounded(std::uint64_t bytes) { return (bytes + cluster - 1) / cluster * cluster; }

// Big endian.
std::uint64_t big_endian_at(const std::string& bytes, size_t offset, size_t size) {
  std::uint64_t number = 0;
  for (size_t i = 0; i < size && offset + i < bytes.size(); ++i) number = number << 8 | static_cast<unsigned char>(bytes[offset + i]);
  return number;
}

void put(std::string& bytes, size_t offset, std::uint64_t number, size_t size) {
  for (size_t i = 0; i < size; ++i) bytes[offset + i] = static_cast<char>(number >> 8 * (size - 1 - i) & 0xffU);
}

Result<std::string> read_bytes_at(const Descriptor& file, std::uint64_t offset, std::uint64_t bytes) {
  std::string data(bytes, '\0');
  const auto got = ::pread(file.get(), data.data(), data.size(), static_cast<off_t>(offset));
  if (got != static_cast<ssize_t>(bytes)) return fail(ErrorKind::broken, "a qcow2 file ends too early");
  return data;
}

Result<std::string> read_luks_header(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_system("cannot open " + path, errno);
  const auto head = read_bytes_at(file, 0, cluster);
  if (!head) return fail(head.error());
  if (big_endian_at(*head, 0, 4) != magic || big_endian_at(*head, 4, 4) != 3 || big_endian_at(*head, 20, 4) != cluster_bits ||
      big_endian_at(*head, 32, 4) != luks)
    return fail(ErrorKind::broken, path + " is not an encrypted qcow2 file of ours");
  for (auto at = big_endian_at(*head, 100, 4); at + 8 <= cluster;) {
    const auto type = big_endian_at(*head, at, 4);
    const auto size = big_endian_at(*head, at + 4, 4);
    if (type == 0) break;
    if (type == extension_of_encryption && size == 16) {
      const auto bytes = big_endian_at(*head, at + 16, 8);
      if (bytes == 0 || bytes > largest_luks_header) break;
      return read_bytes_at(file, big_endian_at(*head, at + 8, 8), bytes);
    }
    at += 8 + (size + 7) / 8 * 8;
  }
  return fail(ErrorKind::broken, path + " has no LUKS header");
}

// In this order: header, table of reference counts, reference counts, first table of the disk's clusters, LUKS header.
struct Layout {
  std::uint64_t entries;  // entries of the first table: one covers 512 MiB
  std::uint64_t table;    // where it is
  std::uint64_t luks;
  std::uint64_t end;
};

Layout lay_out(std::uint64_t virtual_bytes, std::uint64_t luks_bytes) {
  constexpr std::uint64_t bytes_of_entry = cluster / 8 * cluster;
  Layout layout{};
  layout.entries = (virtual_bytes + bytes_of_entry - 1) / bytes_of_entry;
  layout.table = 3 * cluster;
  layout.luks = layout.table + rounded(layout.entries * 8);
  layout.end = layout.luks + rounded(luks_bytes);
  return layout;
}

std::string make_header(const Qcow2Overlay& overlay, const Layout& layout, std::uint64_t luks_bytes) {
  std::string head(cluster, '\0');
  put(head, 0, magic, 4);
  put(head, 4, 3, 4);
  put(head, 20, cluster_bits, 4);
  put(head, 24, overlay.virtual_bytes, 8);
  put(head, 32, luks, 4);
  put(head, 36, layout.entries, 4);
  put(head, 40, layout.table, 8);
  put(head, 48, cluster, 8);
  put(head, 56, 1, 4);
  put(head, 96, 4, 4);  // counts have 16 bits
  put(head, 100, header_bytes, 4);
  size_t at = header_bytes;
  put(head, at, extension_of_backing_format, 4);
  put(head, at + 4, 5, 4);
  head.replace(at + 8, 5, "qcow2");
  at += 16;
  put(head, at, extension_of_encryption, 4);
  put(head, at + 4, 16, 4);
  put(head, at + 8, layout.luks, 8);
  put(head, at + 16, luks_bytes, 8);
  at += 24 + 8;  // and the end of the extensions, which is zeroes
  put(head, 8, at, 8);
  put(head, 16, overlay.below_name.size(), 4);
  head.replace(at, overlay.below_name.size(), overlay.below_name);
  return head;
}

Result<void> write_at(const Descriptor& file, std::uint64_t offset, std::string_view data, const std::string& path) {
  while (!data.empty()) {
    const auto written = ::pwrite(file.get(), data.data(), data.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail_system("cannot write " + path, errno);
    data.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

}  // namespace

Result<void> write_encrypted_overlay(const Qcow2Overlay& overlay) {
  const auto luks_header = read_luks_header(overlay.below);
  if (!luks_header) return fail(luks_header.error());
  if (overlay.below_name.empty() || overlay.below_name.size() > longest_below_name)
    return fail(ErrorKind::invalid, "the name of a backing file has 1 to 1023 characters");
  const auto layout = lay_out(overlay.virtual_bytes, luks_header->size());
  // One block of counts covers 2 GiB of the file.
  if (layout.end / cluster > cluster / 2) return fail(ErrorKind::invalid, "a disk of that size has too large a table");
  const Descriptor file(::open(overlay.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return fail_system("cannot make " + overlay.path, errno);
  std::string table(8, '\0');
  put(table, 0, 2 * cluster, 8);
  std::string counts(layout.end / cluster * 2, '\0');
  for (size_t i = 0; i < counts.size(); i += 2) put(counts, i, 1, 2);
  if (::ftruncate(file.get(), static_cast<off_t>(layout.end)) != 0) return fail_system("cannot write " + overlay.path, errno);
  if (auto done = write_at(file, 0, make_header(overlay, layout, luks_header->size()), overlay.path); !done) return done;
  if (auto done = write_at(file, cluster, table, overlay.path); !done) return done;
  if (auto done = write_at(file, 2 * cluster, counts, overlay.path); !done) return done;
  return write_at(file, layout.luks, *luks_header, overlay.path);
}

}  // namespace brume::block
