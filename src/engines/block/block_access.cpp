#include "engines/block/block_access.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include <boost/json.hpp>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/secret_file.hpp"
#include "engines/block/image_import.hpp"

namespace brume::block {
namespace {

namespace json = boost::json;

constexpr size_t largest_map = 256 << 20;
constexpr auto map_limit = std::chrono::minutes(2);
constexpr int secret_descriptor = 3;
constexpr int data_descriptor = 4;

json::value node_of(const ImageChain& chain, const std::map<size_t, std::string>& names = {}) {
  json::value below = nullptr;
  for (auto place = chain.size(); place-- > 0;) {
    json::object node = {{"driver", "qcow2"}, {"file", {{"driver", "file"}, {"filename", chain[place].path}}}};
    if (chain[place].encrypted) node["encrypt"] = {{"format", "luks"}, {"key-secret", "key"}};
    if (const auto name = names.find(place); name != names.end()) node["node-name"] = name->second;
    node["backing"] = std::move(below);
    below = std::move(node);
  }
  return below;
}

bool any_encrypted(const ImageChain& chain) {
  return std::any_of(chain.begin(), chain.end(), [](const auto& file) { return file.encrypted; });
}

// Runs one of QEMU's tools with the key, if one is needed, and a file in memory as /proc/self/fd/4.
class Tool {
 public:
  explicit Tool(const char* program) { command_.program = program; }

  Result<void> prepare(const ImageChain& chain, const std::string& key) {
    data_ = Descriptor(::memfd_create("blocks", MFD_CLOEXEC));
    if (!data_) return fail_system("cannot make a file in memory", errno);
    command_.descriptors = {{data_.get(), data_descriptor}};
    if (!any_encrypted(chain)) return {};
    auto secret = make_secret_file(key);
    if (!secret) return fail(secret.error());
    key_ = std::move(*secret);
    command_.descriptors.emplace_back(key_.get(), secret_descriptor);
    return {};
  }
  void add(std::initializer_list<std::string> arguments) {
    command_.arguments.insert(command_.arguments.end(), arguments.begin(), arguments.end());
  }
  void add_key() {
    if (key_) add({"--object", "secret,id=key,file=/proc/self/fd/" + std::to_string(secret_descriptor)});
  }
  static std::string data_path() { return "/proc/self/fd/" + std::to_string(data_descriptor); }
  // Its output goes into the file in memory.
  void collect() { command_.output_file = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(data_.get()); }
  Result<void> run(milliseconds limit) {
    auto done = run_checked(command_, limit);
    if (!done) return fail(done.error());
    return {};
  }
  Result<std::string> data(size_t limit) const { return read_file("/proc/self/fd/" + std::to_string(data_.get()), limit); }
  Result<void> put(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto written = ::write(data_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return fail_system("cannot fill a file in memory", errno);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return {};
  }

 private:
  Command command_;
  Descriptor key_;
  Descriptor data_;
};

Result<std::vector<Extent>> parse_map(const std::string& text) {
  json::error_code code;
  const auto value = json::parse(text, code);
  if (code || !value.is_array()) return fail(ErrorKind::broken, "what qemu-img says of an image cannot be understood");
  std::vector<Extent> extents;
  for (const auto& each : value.get_array()) {
    const auto* part = each.if_object();
    const auto* present = part == nullptr ? nullptr : part->if_contains("present");
    if (present == nullptr || !present->is_bool() || !part->contains("start") || !part->contains("length"))
      return fail(ErrorKind::broken, "what qemu-img says of an image cannot be understood");
    if (present->get_bool())
      extents.push_back({part->at("start").to_number<std::uint64_t>(), part->at("length").to_number<std::uint64_t>()});
  }
  return extents;
}

}  // namespace

std::string node_text(const ImageChain& chain, const std::map<size_t, std::string>& names) {
  return json::serialize(node_of(chain, names));
}

Result<std::vector<Extent>> mapped_extents(const ImageChain& chain, const std::string& key) {
  Tool tool("qemu-img");
  if (auto prepared = tool.prepare(chain, key); !prepared) return fail(prepared.error());
  tool.add({"map", "--output=json"});
  tool.add_key();
  tool.add({"json:" + json::serialize(node_of(chain))});
  tool.collect();
  if (auto done = tool.run(map_limit); !done) {
    // It wrote into the file.
    const auto said = tool.data(4096);
    return fail(said && !said->empty() ? Error{ErrorKind::broken, *said} : done.error());
  }
  return tool.data(largest_map).and_then(parse_map);
}

std::vector<Extent> merge_extents(std::vector<Extent> extents) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) { return a.offset < b.offset; });
  std::vector<Extent> merged;
  for (const auto& extent : extents) {
    if (!merged.empty() && extent.offset <= merged.back().offset + merged.back().bytes)
      merged.back().bytes = std::max(merged.back().bytes, extent.offset + extent.bytes - merged.back().offset);
    else
      merged.push_back(extent);
  }
  return merged;
}

Result<void> encrypt_image(const ImageChain& chain, const std::string& to, const std::string& key,
                           const std::function<void(int percent)>& progress) {
  auto secret = make_secret_file(key);
  if (!secret) return fail(secret.error());
  // JSON is used for the source only: in options a comma would end the path, and the name is one of ours in the file's folder.
  const auto slash = to.rfind('/');
  Command command;
  command.program = "qemu-img";
  command.folder = to.substr(0, slash);
  command.descriptors = {{secret->get(), secret_descriptor}};
  command.arguments = {"convert",
                       "-p",
                       "-n",
                       "--target-is-zero",
                       "--object",
                       "secret,id=key,file=/proc/self/fd/3",
                       "--target-image-opts",
                       "json:" + json::serialize(node_of(chain)),
                       "driver=qcow2,encrypt.format=luks,encrypt.key-secret=key,file.driver=file,file.filename=" + to.substr(slash + 1)};
  return run_with_progress(std::move(command), to + ".part.progress", progress);
}

Result<std::string> read_image(const ImageChain& chain, std::uint64_t offset, std::uint64_t bytes, const std::string& key) {
  Tool tool("qemu-img");
  if (auto prepared = tool.prepare(chain, key); !prepared) return fail(prepared.error());
  tool.add({"convert", "-O", "raw"});
  tool.add_key();
  tool.add({"json:" + json::serialize(json::object{{"driver", "raw"}, {"offset", offset}, {"size", bytes}, {"file", node_of(chain)}}),
            Tool::data_path()});
  if (auto done = tool.run(seconds(30)); !done) return fail(done.error());
  auto data = tool.data(bytes);
  if (data && data->size() != bytes) return fail(ErrorKind::broken, "qemu-img read less than it was asked for");
  return data;
}

Result<void> write_image(const ImageChain& chain, std::uint64_t offset, std::string_view data, const std::string& key) {
  Tool tool("qemu-io");
  if (auto prepared = tool.prepare(chain, key); !prepared) return prepared;
  if (auto put = tool.put(data); !put) return put;
  tool.add_key();
  tool.add({"-c", "write -q -s " + Tool::data_path() + " " + std::to_string(offset) + " " + std::to_string(data.size()), "-c", "flush",
            "json:" + json::serialize(node_of(chain))});
  return tool.run(seconds(30));
}

}  // namespace brume::block
