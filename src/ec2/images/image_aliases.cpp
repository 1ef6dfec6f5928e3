#include "ec2/images/image_aliases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/text.hpp"

namespace brume::ec2 {
namespace {

constexpr std::string_view simulated_owner = "000000000001";  // of the images that a simulation begins with
constexpr std::string_view alias_prefix = "resolve:ssm:";

// What Amazon and the distributions call images that are the same as ours.
struct KnownPath {
  std::string_view path;
  std::string_view image;
};
constexpr std::array known_paths = {
    KnownPath{"/aws/service/debian/release/12/latest/amd64", "debian-12"},
    KnownPath{"/aws/service/debian/release/12/latest/amd64", "debian-12-amd64"},
    KnownPath{"/aws/service/debian/release/bookworm/latest/amd64", "debian-12"},
    KnownPath{"/aws/service/debian/release/bookworm/latest/amd64", "debian-12-amd64"},
    KnownPath{"/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id", "ubuntu-24.04-amd64"},
};

// In simulation nothing boots: there the other usual names lead to a starter image as well, whatever they promise, so that code which
// launches by them can be tested.
constexpr std::string_view linux_latest = "/aws/service/ami-amazon-linux-latest/";
constexpr std::array amazon_names = {"al2023-ami-kernel-default-x86_64",
                                     "al2023-ami-kernel-6.1-x86_64",
                                     "al2023-ami-kernel-6.12-x86_64",
                                     "al2023-ami-minimal-kernel-default-x86_64",
                                     "al2023-ami-minimal-kernel-6.1-x86_64",
                                     "al2023-ami-minimal-kernel-6.12-x86_64",
                                     "amzn2-ami-hvm-x86_64-gp2",
                                     "amzn2-ami-hvm-x86_64-ebs",
                                     "amzn2-ami-kernel-5.10-hvm-x86_64-gp2",
                                     "amzn2-ami-kernel-5.10-hvm-x86_64-ebs",
                                     "amzn2-ami-minimal-hvm-x86_64-ebs",
                                     "amzn-ami-hvm-x86_64-gp2",
                                     "amzn-ami-hvm-x86_64-ebs"};
constexpr std::array debian_releases = {"11", "bullseye", "12", "bookworm", "13", "trixie"};
constexpr std::array ubuntu_releases = {"20.04", "focal", "22.04", "jammy", "24.04", "noble", "26.04"};

std::vector<std::string> simulated_paths(std::string_view image) {
  std::vector<std::string> paths;
  if (image == "debian-12-amd64") {
    for (const auto* name : amazon_names) paths.push_back(fmt::format("{}{}", linux_latest, name));
    for (const auto* release : debian_releases) paths.push_back(fmt::format("/aws/service/debian/release/{}/latest/amd64", release));
    for (const auto* release : debian_releases) paths.push_back(fmt::format("/aws/service/debian/daily/{}/latest/amd64", release));
    for (const auto* number : {"2", "2023"})
      paths.push_back(fmt::format("/aws/service/ecs/optimized-ami/amazon-linux-{}/recommended/image_id", number));
  } else if (image == "ubuntu-24.04-amd64") {
    for (const auto* release : ubuntu_releases)
      for (const auto* kind : {"server", "server-minimal"})
        for (const auto* disk : {"ebs-gp2", "ebs-gp3"})
          paths.push_back(fmt::format("/aws/service/canonical/ubuntu/{}/{}/stable/current/amd64/hvm/{}/ami-id", kind, release, disk));
  }
  return paths;
}

// Of one name, the oldest first.
using ImagesByName = std::map<std::string, std::vector<const state::Image*>>;

ImagesByName operators_images(const state::World& world) {
  ImagesByName found;
  const auto add = [&](std::string_view owner) {
    world.each_of<state::Image>(owner, [&](const state::Image& image) {
      if (image.type == "machine" && image.is_public && image.state == state::ImageState::available) found[image.name].push_back(&image);
    });
  };
  add(simulated_owner);
  if (const auto* first = world.find<state::Setting>("first-account")) add(first->value);
  for (auto& [name, images] : found)
    std::stable_sort(images.begin(), images.end(), [](const auto* a, const auto* b) { return a->created < b->created; });
  return found;
}

// Parameters have letters, digits, and . - _ in their names; an image may have more in its own.
std::string path_of(std::string_view image_name) {
  std::string name(image_name);
  for (auto& c : name)
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_')) c = '-';
  return "/brume/images/" + name + "/latest";
}

std::map<std::string, std::vector<const state::Image*>> by_path(const state::World& world) {
  std::map<std::string, std::vector<const state::Image*>> paths;
  for (const auto& [name, images] : operators_images(world)) {
    const auto add = [&, &of = images](const std::string& path) { paths[path].insert(paths[path].end(), of.begin(), of.end()); };
    add(path_of(name));
    std::set<std::string> known;
    for (const auto& one : known_paths)
      if (one.image == name) known.emplace(one.path);
    if (images.front()->account == simulated_owner)
      for (auto& path : simulated_paths(name)) known.insert(std::move(path));
    for (const auto& path : known) add(path);
  }
  for (auto& [path, images] : paths)
    std::stable_sort(images.begin(), images.end(), [](const auto* a, const auto* b) { return a->created < b->created; });
  return paths;
}

}  // namespace

std::vector<PublicParameter> public_parameters(const state::World& world) {
  std::vector<PublicParameter> parameters;
  for (const auto& [path, images] : by_path(world)) parameters.push_back({path, images.back(), static_cast<std::int64_t>(images.size())});
  return parameters;
}

std::optional<PublicParameter> find_public_parameter(const state::World& world, std::string_view name) {
  const auto path = name.substr(0, name.find(':'));
  const auto paths = by_path(world);
  const auto found = paths.find(std::string(path));
  if (found == paths.end()) return std::nullopt;
  const auto& images = found->second;
  if (path.size() == name.size()) return PublicParameter{found->first, images.back(), static_cast<std::int64_t>(images.size())};
  const auto version = parse_integer(name.substr(path.size() + 1));
  if (!version || *version < 1 || *version > static_cast<std::int64_t>(images.size())) return std::nullopt;
  return PublicParameter{found->first, images[static_cast<size_t>(*version - 1)], *version};
}

std::string resolve_image_alias(const state::World& world, const service::Context&, const std::string& image_id) {
  if (!image_id.starts_with(alias_prefix)) return image_id;
  const auto parameter = find_public_parameter(world, std::string_view(image_id).substr(alias_prefix.size()));
  if (!parameter) throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for imageId: there is no such parameter.", image_id));
  return parameter->image->id;
}

}  // namespace brume::ec2
