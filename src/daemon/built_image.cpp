#include "daemon/built_image.hpp"

#include <boost/json.hpp>

#include "base/files.hpp"
#include "ec2/images/images.hpp"
#include "wire/api_error.hpp"

namespace brume::daemon {
namespace {

namespace json = boost::json;

std::string text_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

Result<std::string> add_built_image(const service::Services& services, const std::string& folder) {
  const auto described = read_file(folder + "/image.json", 1 << 20);
  if (!described) return fail(described.error());
  boost::system::error_code failure;
  const auto value = json::parse(*described, failure);
  if (failure || !value.is_object()) return fail(ErrorKind::broken, folder + "/image.json is not a JSON object");
  const auto& image = value.get_object();
  const auto file = [&](std::string_view name) {
    return text_member(image, name).empty() ? std::string() : folder + "/" + text_member(image, name);
  };
  ec2::ImageImport import;
  import.name = text_member(image, "name");
  import.description = text_member(image, "description");
  import.disk_file = file("disk");
  import.kernel_file = file("kernel");
  import.ramdisk_file = file("ramdisk");
  import.kernel_arguments = text_member(image, "kernel_command_line");
  import.is_public = true;
  import.host = services.settings.host;
  if (auto device = text_member(image, "root_device_name"); !device.empty()) import.root_device_name = device;
  if (auto architecture = text_member(image, "architecture"); !architecture.empty()) import.architecture = architecture;
  if (const auto* size = image.if_contains("virtual_size_gib"); size != nullptr && size->is_int64())
    import.least_size_gib = size->get_int64();
  if (const auto* first = services.store.world()->find<state::Setting>("first-account")) import.account = first->value;
  for (const auto* path : {&import.disk_file, &import.kernel_file, &import.ramdisk_file})
    if (!path->empty() && !path_exists(*path))
      return fail(ErrorKind::broken, folder + "/image.json names " + *path + ", which is not there");
  if (import.disk_file.empty()) return fail(ErrorKind::broken, folder + "/image.json names no disk");
  try {
    std::string id;
    services.store.transact([&](state::Transaction& transaction) { id = ec2::import_image(transaction, import); });
    return id;
  } catch (const wire::ApiError& error) {
    return fail(ErrorKind::invalid, error.code + ": " + error.message);
  }
}

}  // namespace brume::daemon
