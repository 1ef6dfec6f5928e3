#include "engines/block/image_import.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <future>
#include <string_view>

#include <boost/json.hpp>

#include "base/descriptor.hpp"
#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "engines/block/image_damage.hpp"
#include "engines/block/shared_blocks.hpp"

namespace brume::block {
namespace {

namespace json = boost::json;

constexpr std::uint64_t largest_image = 64ULL << 40;
constexpr auto longest_look = seconds(30);
constexpr auto longest_copy = seconds(6 * 3600);
constexpr auto progress_pause = milliseconds(200);

std::string text_member(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  const auto* text = value ? value->if_string() : nullptr;
  return text ? std::string(text->data(), text->size()) : std::string();
}

std::uint64_t number_member(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  if (!value) return 0;
  if (const auto* number = value->if_int64()) return *number > 0 ? static_cast<std::uint64_t>(*number) : 0;
  if (const auto* number = value->if_uint64()) return *number;
  return 0;
}

// Common mistakes that qemu-img would take for a raw disk.
const char* archive_name(std::string_view head) {
  struct Magic {
    std::string_view bytes;
    const char* name;
  };
  using namespace std::string_view_literals;
  constexpr std::array<Magic, 6> known = {{{"\x1f\x8b"sv, "gzip"},
                                           {"\xfd"
                                            "7zXZ"sv,
                                            "xz"},
                                           {"\x28\xb5\x2f\xfd"sv, "zstd"},
                                           {"BZh"sv, "bzip2"},
                                           {"PK\x03\x04"sv, "zip"},
                                           {"\x7f"
                                            "ELF"sv,
                                            "ELF"}}};
  for (const auto& magic : known)
    if (head.starts_with(magic.bytes)) return magic.name;
  return head.size() > 262 && head.substr(257, 5) == "ustar" ? "tar" : nullptr;
}

std::string read_at(const std::string& file, off_t offset, size_t size) {
  const Descriptor open(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  std::string bytes(size, '\0');
  const auto got = open ? ::pread(open.get(), bytes.data(), size, offset) : -1;
  bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return bytes;
}

// The image with its format named, and nothing below it, even if the file changes after it was examined.
std::string source_of(const std::string& file, const std::string& format) {
  json::object source = {{"driver", format}, {"file", {{"driver", "file"}, {"filename", file}, {"locking", "off"}}}};
  if (format == "qcow2") source["backing"] = nullptr;
  return "json:" + json::serialize(source);
}

Result<void> check_single_file(const std::string& file, const json::object& info) {
  if (!text_member(info, "backing-filename").empty() || !text_member(info, "full-backing-filename").empty())
    return fail(ErrorKind::invalid, file + " is an overlay on " + text_member(info, "backing-filename") +
                                        ", not a whole image: flatten it first (qemu-img convert)");
  if (const auto* encrypted = info.if_contains("encrypted"); encrypted && encrypted->is_bool() && encrypted->get_bool())
    return fail(ErrorKind::invalid, file + " is encrypted");
  const auto* specific = info.if_contains("format-specific");
  const auto* outer = specific ? specific->if_object() : nullptr;
  const auto* inner = outer ? outer->if_contains("data") : nullptr;
  const auto* data = inner ? inner->if_object() : nullptr;
  if (!data) return {};
  if (!text_member(*data, "data-file").empty()) return fail(ErrorKind::invalid, file + " keeps its data in another file");
  const auto* extents = data->if_contains("extents");
  if (!extents || !extents->is_array()) return {};
  for (const auto& extent : extents->get_array())
    if (!extent.is_object() || text_member(extent.get_object(), "filename") != file)
      return fail(ErrorKind::invalid, file + " keeps its data in other files: export it as one file (streamOptimized)");
  return {};
}

// The last of the texts "    (12.34/100%)\r".
int printed_percent(std::string_view text) {
  const auto end = text.rfind("/100%)");
  if (end == std::string_view::npos) return 0;
  const auto start = text.rfind('(', end);
  if (start == std::string_view::npos) return 0;
  const auto number = text.substr(start + 1, end - start - 1);
  return static_cast<int>(std::clamp<std::int64_t>(parse_integer(trim(number.substr(0, number.find('.')))).value_or(0), 0, 100));
}

// The output without its progress lines, which is the complaint.
std::string complaint(std::string_view text) {
  const auto end = text.rfind('\r');
  return std::string(trim(end == std::string_view::npos ? text : text.substr(end + 1)).substr(0, 600));
}

}  // namespace

Result<ImageFacts> judge_image(const std::string& file, const std::string& info) {
  json::error_code code;
  const auto value = json::parse({info.data(), info.size()}, code);
  const auto* object = code ? nullptr : value.if_object();
  if (!object) return fail(ErrorKind::broken, "qemu-img said nothing useful about " + file);
  ImageFacts facts{text_member(*object, "format"), number_member(*object, "virtual-size"), number_member(*object, "actual-size")};
  constexpr std::array<std::string_view, 5> taken = {"qcow2", "raw", "vmdk", "vpc", "vhdx"};
  if (std::find(taken.begin(), taken.end(), facts.format) == taken.end())
    return fail(ErrorKind::invalid, file + " has the format '" + facts.format + "'; qcow2, raw, VMDK and VHD(X) are taken");
  if (facts.virtual_bytes == 0) return fail(ErrorKind::invalid, file + " is empty");
  if (facts.virtual_bytes > largest_image) return fail(ErrorKind::invalid, file + " is a disk of more than 64 TiB");
  if (auto single = check_single_file(file, *object); !single) return fail(single.error());
  return facts;
}

namespace {

// Identifies a file's content: its size and time of last change in nanoseconds.
std::pair<std::int64_t, std::int64_t> stamp_of(const std::string& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return {};
  return {status.st_size, std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

// A file without any mark that qemu-img knows.
Result<void> judge_raw(const std::string& file, std::int64_t size, ImageFacts& facts) {
  if (const auto* archive = archive_name(read_at(file, 0, 512)))
    return fail(ErrorKind::invalid, file + " is no disk image but " + archive + " data; unpack it first");
  if (size % 512 != 0) return fail(ErrorKind::invalid, file + " is no disk image: its size is not a number of whole sectors");
  // The only mark of a VHD of fixed size is at its end.
  if (size > 512 && read_at(file, size - 512, 8) == "conectix") facts.format = "vpc";
  return {};
}

}  // namespace

Result<ImageFacts> examine_image(const std::string& file) {
  const auto stamp = stamp_of(file);
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return fail_system("cannot read " + file, errno);
  if (!S_ISREG(status.st_mode)) return fail(ErrorKind::invalid, file + " is not a file");
  if (file.empty() || file.front() != '/') return fail(ErrorKind::invalid, file + " is not an absolute path");
  Command command;
  // Bounded, because an image can be made so that reading its tables takes any amount of memory.
  command.program = "prlimit";
  command.arguments = {"--as=2147483648", "--cpu=30", "qemu-img", "info", "--output=json", "--force-share", file};
  auto output = run(command, longest_look);
  if (!output) return fail(output.error());
  if (output->status != 0)
    return fail(ErrorKind::invalid, "qemu-img cannot read " + file + ": " + std::string(trim(output->errors).substr(0, 400)));
  auto facts = judge_image(file, output->output);
  if (!facts) return facts;
  facts->stamp = stamp;
  if (facts->format == "raw")
    if (auto raw = judge_raw(file, status.st_size, *facts); !raw) return fail(raw.error());
  if (auto whole = check_image_is_whole(file, *facts); !whole) return fail(whole.error());
  return facts;
}

Result<void> convert_image(const std::string& file, const ImageFacts& facts, const std::string& to,
                           const std::function<void(int percent)>& progress) {
  Command command;
  command.program = "qemu-img";
  // With -C the kernel moves the bytes for QEMU, which shares blocks if possible. Otherwise it would only keep zeroes that are written out.
  const bool shares = (facts.format == "raw" || facts.format == "qcow2") && can_share_blocks(file, to.substr(0, to.rfind('/')));
  command.arguments = {
      "convert", "-p", "-O", "qcow2", "-o", "cluster_size=64k,lazy_refcounts=off,compat=1.1", source_of(file, facts.format), to};
  if (shares) command.arguments.insert(command.arguments.begin() + 1, "-C");
  auto converted = run_with_progress(std::move(command), to + ".progress", progress);
  if (!converted) return fail(converted.error().within("cannot convert " + file));
  if (const auto now = stamp_of(file); now != facts.stamp)
    return fail(ErrorKind::invalid, file + " changed while it was read; import it when it is complete");
  return {};
}

Result<void> run_with_progress(Command command, const std::string& progress_file, const std::function<void(int percent)>& progress) {
  command.output_file = progress_file;
  auto running = std::async(std::launch::async, [&command] { return run(command, longest_copy); });
  int last = -1;
  while (running.wait_for(progress_pause) != std::future_status::ready) {
    const auto percent = printed_percent(read_file_tail(command.output_file, 256).value_or(""));
    if (percent != last && progress) progress(percent);
    last = percent;
  }
  auto output = running.get();
  const auto said = complaint(read_file_tail(command.output_file, 4096).value_or(""));
  ::unlink(command.output_file.c_str());
  if (!output) return fail(output.error());
  if (output->status == 0) return {};
  const bool full = said.find("No space left") != std::string::npos;
  return fail(full ? ErrorKind::exhausted : ErrorKind::invalid, said);
}

}  // namespace brume::block
