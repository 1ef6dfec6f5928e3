#include "engines/block/image_damage.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <string_view>

#include "base/descriptor.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

namespace brume::block {
namespace {

constexpr std::uint64_t sector = 512;
constexpr auto longest_check = std::chrono::minutes(10);
// No table of an image in an accepted format is larger.
constexpr std::uint64_t largest_table = 64 << 20;

// A file of numbers, big or little endian.
class Reader {
 public:
  explicit Reader(const std::string& file) : name_(file), file_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat status {};
    if (!file_ || ::fstat(file_.get(), &status) != 0)
      failure_ = errno;
    else
      size_ = static_cast<std::uint64_t>(status.st_size);
  }
  Result<void> opened() const {
    if (failure_ != 0) return fail_system("cannot read " + name_, failure_);
    return {};
  }
  std::uint64_t size() const { return size_; }
  const std::string& name() const { return name_; }

  // `invalid`: the file ends too early.
  Result<std::string> read(std::uint64_t offset, std::uint64_t bytes) const {
    if (bytes > largest_table) return damaged("has a table that is too large");
    if (offset > size_ || bytes > size_ - offset) return cut_off(offset + bytes);
    std::string data(bytes, '\0');
    size_t done = 0;
    while (done < data.size()) {
      const auto got = ::pread(file_.get(), data.data() + done, data.size() - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_system("cannot read " + name_, errno);
      if (got == 0) return cut_off(offset + bytes);
      done += static_cast<size_t>(got);
    }
    return data;
  }
  tl::unexpected<Error> cut_off(std::uint64_t needed) const {
    return fail(ErrorKind::invalid, name_ + " is damaged: its end is missing. It has " + std::to_string(size_) +
                                        " bytes, and by its own tables at least " + std::to_string(needed) + "; copy it again");
  }
  tl::unexpected<Error> damaged(const std::string& how) const { return fail(ErrorKind::invalid, name_ + " is damaged: it " + how); }
  // Checks that the file has so many bytes at this place.
  Result<void> need(std::uint64_t offset, std::uint64_t bytes) const {
    if (offset > size_ || bytes > size_ - offset) return cut_off(offset + bytes);
    return {};
  }

 private:
  std::string name_;
  Descriptor file_;
  std::uint64_t size_ = 0;
  int failure_ = 0;
};

std::uint64_t big(std::string_view bytes, size_t offset, size_t size) {
  std::uint64_t number = 0;
  for (size_t i = 0; i < size && offset + i < bytes.size(); ++i) number = number << 8 | static_cast<unsigned char>(bytes[offset + i]);
  return number;
}

std::uint64_t little(std::string_view bytes, size_t offset, size_t size) {
  std::uint64_t number = 0;
  for (size_t i = size; i-- > 0;) number = number << 8 | (offset + i < bytes.size() ? static_cast<unsigned char>(bytes[offset + i]) : 0U);
  return number;
}

// qcow2: docs/interop/qcow2.txt of QEMU's source.
class Qcow2Walk {
 public:
  explicit Qcow2Walk(const Reader& file) : file_(file) {}

  Result<void> run() {
    const auto head = file_.read(0, 72);
    if (!head) return fail(head.error());
    cluster_bits_ = big(*head, 20, 4);
    virtual_bytes_ = big(*head, 24, 8);
    if (cluster_bits_ < 9 || cluster_bits_ > 21) return file_.damaged("has clusters of no size that there is");
    if (big(*head, 4, 4) >= 3) {
      const auto more = file_.read(72, 8);
      if (!more) return fail(more.error());
      entry_bytes_ = (big(*more, 0, 8) & 16U) != 0 ? 16 : 8;  // "extended L2 entries"
    }
    const auto first = file_.read(big(*head, 40, 8), big(*head, 36, 4) * 8);
    if (!first) return fail(first.error());
    for (std::uint64_t i = 0; i * 8 < first->size(); ++i) {
      const auto table = big(*first, i * 8, 8) & offset_bits;
      if (table == 0) continue;
      if (auto done = walk_second(table, i * (cluster() / entry_bytes_) * cluster()); !done) return done;
    }
    return {};
  }

 private:
  static constexpr std::uint64_t offset_bits = 0x00fffffffffffe00ULL;
  static constexpr std::uint64_t all_parts = UINT64_MAX;
  std::uint64_t cluster() const { return std::uint64_t{1} << cluster_bits_; }

  // A table that says where the disk's clusters are, beginning at `place` of the disk.
  Result<void> walk_second(std::uint64_t table, std::uint64_t place) const {
    const auto entries = file_.read(table, cluster());
    if (!entries) return fail(entries.error());
    for (std::uint64_t at = 0; at < entries->size() && place < virtual_bytes_; at += entry_bytes_, place += cluster())
      if (auto there = check_entry(big(*entries, at, 8), entry_bytes_ == 8 ? all_parts : big(*entries, at + 8, 8), place); !there)
        return there;
    return {};
  }
  // `parts`: which of a cluster's 32 parts are there, in the lower half.
  Result<void> check_entry(std::uint64_t entry, std::uint64_t parts, std::uint64_t place) const {
    constexpr std::uint64_t compressed = std::uint64_t{1} << 62;
    constexpr std::uint64_t zeroes = 1;
    if ((entry & compressed) != 0) {
      const auto bits = 62 - (cluster_bits_ - 8);
      const auto offset = entry & ((std::uint64_t{1} << bits) - 1);
      const auto sectors = (entry & (compressed - 1)) >> bits;
      return file_.need(offset, (sectors + 1) * sector - offset % sector);
    }
    const auto offset = entry & offset_bits;
    if (offset == 0 || (entry_bytes_ == 8 && (entry & zeroes) != 0)) return {};
    std::uint64_t needed = cluster();
    if (parts != all_parts) needed = needed / 32 * static_cast<std::uint64_t>(std::bit_width(parts & 0xffffffffU));
    // Beyond the end of the disk nothing has to be there.
    return file_.need(offset, std::min(needed, virtual_bytes_ - place));
  }

  const Reader& file_;
  std::uint64_t cluster_bits_ = 0;
  std::uint64_t virtual_bytes_ = 0;
  std::uint64_t entry_bytes_ = 8;
};

// VHDX: [MS-VHDX]. Two regions that the file names lead to its tables; their meaning is given by numbers of 16 bytes.
class VhdxWalk {
 public:
  explicit VhdxWalk(const Reader& file) : file_(file) {}

  Result<void> run() {
    auto regions = file_.read(192 << 10, 64 << 10);
    if (regions && !regions->starts_with("regi")) regions = file_.read(256 << 10, 64 << 10);
    if (!regions) return fail(regions.error());
    const auto blocks = find_region(*regions, "\x66\x77\xc2\x2d\x23\xf6\x00\x42\x9d\x64\x11\x5e\x9b\xfd\x4a\x08");
    const auto facts = find_region(*regions, "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e");
    if (!blocks || !facts) return fail((blocks ? facts : blocks).error());
    const auto block_bytes = find_fact(*facts, "\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b", 4);
    const auto sector_bytes = find_fact(*facts, "\x1d\xbf\x41\x81\x6f\xa9\x09\x47\xba\x47\xf2\x33\xa8\xfa\xab\x5f", 4);
    if (block_bytes < (1 << 20) || block_bytes > (256 << 20) || (sector_bytes != 512 && sector_bytes != 4096))
      return file_.damaged("has blocks or sectors of no size that there is");
    // After every run of blocks that one bitmap covers comes the bitmap's own entry.
    const auto chunk = (std::uint64_t{1} << 23) * sector_bytes / block_bytes;
    for (std::uint64_t i = 0; i * 8 < blocks->size(); ++i) {
      const auto entry = little(*blocks, i * 8, 8);
      const auto state = entry & 7U;
      if (state != fully_present && state != partially_present) continue;
      const bool is_bitmap = i % (chunk + 1) == chunk;
      if (auto there = file_.need(entry >> 20 << 20, is_bitmap ? 1 << 20 : block_bytes); !there) return there;
    }
    return {};
  }

 private:
  static constexpr std::uint64_t fully_present = 6;
  static constexpr std::uint64_t partially_present = 7;

  Result<std::string> find_region(std::string_view table, const char* id) const {
    const auto count = std::min<std::uint64_t>(little(table, 8, 4), 2047);
    for (std::uint64_t i = 0; i < count; ++i)
      if (const auto at = 16 + i * 32; table.substr(at, 16) == std::string_view(id, 16))
        return file_.read(little(table, at + 16, 8), little(table, at + 24, 4));
    return file_.damaged("lacks one of its tables");
  }
  static std::uint64_t find_fact(std::string_view region, const char* id, size_t size) {
    const auto count = std::min<std::uint64_t>(little(region, 10, 2), 2047);
    for (std::uint64_t i = 0; i < count; ++i)
      if (const auto at = 32 + i * 32; at + 32 <= region.size() && region.substr(at, 16) == std::string_view(id, 16))
        return little(region, little(region, at + 16, 4), size);
    return 0;
  }

  const Reader& file_;
};

// VMDK in one file: VMware's "Virtual Disk Format 5.0". A directory of tables of grains; compressed grains have their length in front.
class VmdkWalk {
 public:
  explicit VmdkWalk(const Reader& file) : file_(file) {}

  Result<void> run() {
    auto head = file_.read(0, sector);
    if (!head) return fail(head.error());
    if (!head->starts_with("KDMV")) return {};  // a form that only qemu-img knows
    // Written as a stream: the place of the directory was known only at the end.
    if (little(*head, 56, 8) == UINT64_MAX) head = file_.read(file_.size() < 2 * sector ? 0 : file_.size() - 2 * sector, sector);
    if (!head) return fail(head.error());
    if (!head->starts_with("KDMV")) return file_.damaged("lacks the mark at its end; copy it again");
    constexpr std::uint64_t compressed = 1 << 16;
    compressed_ = (little(*head, 8, 4) & compressed) != 0;
    capacity_ = little(*head, 12, 8);
    grain_ = little(*head, 20, 8);
    const auto entries = little(*head, 44, 4);
    if (grain_ == 0 || grain_ > 1 << 16 || entries == 0 || entries > 1 << 16) return file_.damaged("has grains of no size that there is");
    const auto tables = (capacity_ + grain_ * entries - 1) / (grain_ * entries);
    const auto directory = file_.read(little(*head, 56, 8) * sector, tables * 4);
    if (!directory) return fail(directory.error());
    for (std::uint64_t i = 0; i < tables; ++i)
      if (const auto table = little(*directory, i * 4, 4); table != 0)
        if (auto done = walk_table(table * sector, entries, i * entries * grain_); !done) return done;
    return {};
  }

 private:
  // `place`: the sector of the disk that the table begins with.
  Result<void> walk_table(std::uint64_t offset, std::uint64_t entries, std::uint64_t place) const {
    constexpr std::uint64_t zeroes = 1;
    const auto table = file_.read(offset, entries * 4);
    if (!table) return fail(table.error());
    for (std::uint64_t i = 0; i < entries && place < capacity_; ++i, place += grain_) {
      const auto at = little(*table, i * 4, 4);
      if (at <= zeroes) continue;
      auto bytes = std::min(grain_, capacity_ - place) * sector;
      if (compressed_) {
        const auto marker = file_.read(at * sector, 12);
        if (!marker) return fail(marker.error());
        bytes = 12 + little(*marker, 8, 4);
      }
      if (auto there = file_.need(at * sector, bytes); !there) return there;
    }
    return {};
  }

  const Reader& file_;
  bool compressed_ = false;
  std::uint64_t capacity_ = 0;  // in sectors, like the grain
  std::uint64_t grain_ = 0;
};

// A VHD has its footer at its end (of 511 bytes in old ones), and one of variable size has a copy of it at its start.
Result<void> check_vhd(const Reader& file) {
  constexpr std::string_view mark = "conectix";
  constexpr std::uint64_t fixed = 2;
  const auto footer = file.read(file.size() < sector ? 0 : file.size() - sector, std::min(file.size(), sector));
  if (!footer) return fail(footer.error());
  if (!footer->starts_with(mark) && footer->substr(1, mark.size()) != mark) return file.damaged("lacks the mark at its end; copy it again");
  const auto at = footer->starts_with(mark) ? size_t{0} : size_t{1};
  if (big(*footer, at + 60, 4) == fixed) return file.need(0, big(*footer, at + 48, 8));
  const auto header = file.read(big(*footer, at + 16, 8), 1024);
  if (!header) return fail(header.error());
  if (!header->starts_with("cxsparse")) return file.damaged("lacks its table of blocks");
  const auto block_bytes = big(*header, 32, 4);
  if (block_bytes < sector) return file.damaged("has blocks of no size that there is");
  const auto table = file.read(big(*header, 16, 8), big(*header, 28, 4) * 4);
  if (!table) return fail(table.error());
  const auto bitmap = (block_bytes / sector / 8 + sector - 1) / sector * sector;
  for (std::uint64_t i = 0; i * 4 < table->size(); ++i)
    if (const auto first = big(*table, i * 4, 4); first != 0xffffffffU)
      if (auto there = file.need(first * sector, bitmap + block_bytes); !there) return there;
  return {};
}

// A raw image does not say its length; its partitions do.
Result<void> check_partitions(const Reader& file, std::uint64_t disk_bytes) {
  constexpr std::uint64_t protective = 0xee;
  if (disk_bytes < 3 * sector) return {};
  const auto head = file.read(0, 2 * sector);
  if (!head) return fail(head.error());
  if (big(*head, 510, 2) != 0x55aa) return {};
  const auto gpt = std::string_view(*head).substr(sector);
  if (gpt.starts_with("EFI PART")) {
    const auto last = little(gpt, 32, 8);  // place of the other copy of this table
    if (last >= disk_bytes / sector && last < UINT64_MAX / sector) return file.cut_off((last + 1) * sector);
    return {};
  }
  std::uint64_t end = 0;
  for (size_t at = 446; at < 510; at += 16) {
    // Not a partition table, but the program of a boot sector.
    if (((*head)[at] & 0x7f) != 0) return {};
    const auto type = big(*head, at + 4, 1);
    if (type != 0 && type != protective) end = std::max(end, little(*head, at + 8, 4) + little(*head, at + 12, 4));
  }
  if (end * sector > disk_bytes) return file.cut_off(end * sector);
  return {};
}

// What QEMU itself finds in the tables: clusters that two places claim, wrong counts. `invalid`: too much to continue.
Result<void> check_tables(const std::string& file, const ImageFacts& facts) {
  constexpr int repairable = 2;
  constexpr int leaks = 3;  // room that is lost, but nothing of the disk
  Command command;
  command.program = "prlimit";
  command.arguments = {"--as=4294967296", "--cpu=300", "qemu-img", "check", "-q", "--force-share", "-f", facts.format, file};
  auto checked = run(command, longest_check);
  if (!checked) return fail(checked.error().within("cannot check " + file));
  if (checked->status == 0 || checked->status == leaks) return {};
  const auto& said = trim(checked->errors).empty() ? checked->output : checked->errors;
  return fail(ErrorKind::invalid, file + " is damaged: " + std::string(trim(said).substr(0, 300)) +
                                      (checked->status == repairable ? " (qemu-img check -r all may repair it, or copy it again)" : ""));
}

}  // namespace

Result<void> check_image_is_whole(const std::string& file, const ImageFacts& facts) {
  const Reader reader(file);
  auto whole = reader.opened();
  if (!whole) return whole;
  if (facts.format == "qcow2") whole = Qcow2Walk(reader).run();
  if (facts.format == "vhdx") whole = VhdxWalk(reader).run();
  if (facts.format == "vpc") whole = check_vhd(reader);
  if (facts.format == "vmdk") whole = VmdkWalk(reader).run();
  if (facts.format == "raw") whole = check_partitions(reader, reader.size());
  const bool has_tables = facts.format == "qcow2" || facts.format == "vhdx" || facts.format == "vmdk";
  if (whole && has_tables) whole = check_tables(file, facts);
  return whole;
}

}  // namespace brume::block
