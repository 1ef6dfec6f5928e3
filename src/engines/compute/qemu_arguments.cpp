#include "engines/compute/qemu_arguments.hpp"

#include <algorithm>

#include <set>

#include <boost/json.hpp>

#include "engines/compute/device_names.hpp"

namespace brume::compute {
namespace {

namespace json = boost::json;

// Measured under TCG up to the guest's init: bare q35 takes 10 % less processor time than pc, but each root port for hot-plug costs: with
// eight of them it is level, with 24 it is 10 % slower. pc's one flat PCI bus takes 28 plugged devices as it is. microvm has no hot-plug.
// No "graphics=off": it makes the firmware use the serial port, slowly, and swallow what is typed there.
constexpr const char* board = "pc";

// The host's page cache is used: all volumes of one image share the same base file, so the second guest boots from memory. What a guest
// flushes is still on the disk (cache.no-flush is off).
constexpr bool bypass_page_cache = false;

constexpr int first_descriptor = 3;

// How many seconds a machine waits for a disk's server that is gone, which is restarted in less. After that it counts as a failing disk.
constexpr int server_patience = 30;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

bool is_mac(std::string_view text) {
  if (text.size() != 17) return false;
  for (size_t i = 0; i < text.size(); ++i)
    if (i % 3 == 2 ? text[i] != ':' : !is_hex(text[i])) return false;
  return true;
}

bool is_file(const std::string& path) { return !path.empty() && path.front() == '/' && path.find('\0') == std::string::npos; }

// QEMU takes a comma in an option as its end, and two commas as one.
std::string option_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == ',') out += ',';
  }
  return out;
}

void add(std::vector<std::string>& arguments, const char* option, std::string value) {
  arguments.emplace_back(option);
  arguments.push_back(std::move(value));
}

void add_identity(std::vector<std::string>& arguments, const MachineSpec& spec) {
  const auto product = spec.product.empty() ? std::string() : ",product=" + option_text(spec.product);
  add(arguments, "-name", spec.id + ",debug-threads=on");
  add(arguments, "-smbios", "type=0,vendor=Amazon EC2,version=1.0");
  add(arguments, "-smbios", "type=1,manufacturer=Amazon EC2" + product + ",uuid=" + spec.uuid + ",serial=" + spec.uuid);
}

void add_processors(std::vector<std::string>& arguments, const MachineSpec& spec, const QemuHost& host) {
  add(arguments, "-machine", std::string(board) + ",usb=off,vmport=off,dump-guest-core=off");
  if (host.accelerator == "kvm") {
    add(arguments, "-accel", "kvm");
    add(arguments, "-cpu", "host");
  } else {
    // Translated code: a quarter of the guest's memory, touched only as it fills.
    const auto translated = std::clamp<std::int64_t>(spec.memory_mib / 4, 64, 512);
    // Five-level page tables only make every walk longer if the walk is emulated.
    add(arguments, "-accel", "tcg,thread=multi,tb-size=" + std::to_string(translated));
    add(arguments, "-cpu", "max,la57=off");
  }
  const auto count = std::to_string(spec.processors);
  add(arguments, "-smp", "cpus=" + count + ",sockets=1,cores=" + count + ",threads=1");
  add(arguments, "-m", std::to_string(spec.memory_mib) + "M");
}

void add_channels(std::vector<std::string>& arguments, const QemuHost& host) {
  // Both sockets are ours and already listen: so no path of the machine's user, no limit of 108 bytes, no waiting for the file.
  add(arguments, "-chardev", "socket,id=qmp,server=on,wait=off,fd=" + std::to_string(host.qmp_socket));
  add(arguments, "-mon", "chardev=qmp,mode=control");
  add(arguments, "-chardev",
      "socket,id=console,server=on,wait=off,fd=" + std::to_string(host.console_socket) +
          ",logappend=on,logfile=" + option_text(console_file(host.folder)));
  add(arguments, "-serial", "chardev:console");
}

// Only GetConsoleScreenshot looks at it. It is in the last slot, so that plugged devices keep the slots they always had.
void add_screen(std::vector<std::string>& arguments) { add(arguments, "-device", "VGA,id=screen,addr=0x1f,vgamem_mb=8"); }

void add_boot(std::vector<std::string>& arguments, const MachineSpec& spec) {
  add(arguments, "-boot", "strict=on,menu=off");
  if (spec.kernel.empty()) return;
  add(arguments, "-kernel", spec.kernel);
  if (!spec.ramdisk.empty()) add(arguments, "-initrd", spec.ramdisk);
  if (!spec.kernel_arguments.empty()) add(arguments, "-append", spec.kernel_arguments);
}

void add_devices(Command& command, const MachineSpec& spec, const QemuHost& host, int next_descriptor) {
  auto& arguments = command.arguments;
  std::set<int> numbers;
  for (size_t i = 0; i < spec.disks.size(); ++i) {
    auto disk = spec.disks[i];
    // Two names that mean the same to the guest (sdf, xvdf): the second disk gets no number.
    if (const int number = disk_number(disk.device); number != 0 && !numbers.insert(number).second) disk.device.clear();
    if (const auto key = host.disk_keys.find(disk.volume_id); key != host.disk_keys.end()) {
      command.descriptors.emplace_back(key->second, next_descriptor);
      add(arguments, "-object", disk_key(disk, next_descriptor++));
    }
    add(arguments, "-blockdev", disk_node(disk));
    add(arguments, "-device", disk_device(disk, i == 0 && spec.kernel.empty(), host.pause_on_disk_trouble));
  }
  for (const auto& nic : spec.nics) {
    command.descriptors.emplace_back(nic.tap.get(), next_descriptor);
    add(arguments, "-netdev", nic_end(nic, std::to_string(next_descriptor)));
    add(arguments, "-device", nic_device(nic));
    ++next_descriptor;
  }
  add(arguments, "-object", "rng-builtin,id=random");
  add(arguments, "-device", "virtio-rng-pci,rng=random");
}

// QEMU drops its rights before it starts, so it could not open a /dev/kvm that is open to a group only: setpriv (util-linux, always there)
// gives it that group.
void add_kvm_group(Command& command, unsigned user, unsigned group) {
  const auto number = std::to_string(user);
  std::vector<std::string> arguments = {"--reuid=" + number, "--regid=" + number,   "--groups=" + std::to_string(group),
                                        "--no-new-privs",    "--bounding-set=-all", command.program};
  arguments.insert(arguments.end(), command.arguments.begin(), command.arguments.end());
  command.arguments = std::move(arguments);
  command.program = "setpriv";
  command.user.reset();
}

}  // namespace

std::string console_file(const std::string& folder) { return folder + "/console"; }
std::string log_file(const std::string& folder) { return folder + "/log"; }

bool is_plain_id(std::string_view id) {
  return !id.empty() && id.size() <= 26 && is_letter(id.front()) &&
         std::all_of(id.begin(), id.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '-'; });
}

Result<void> validate(const Disk& disk) {
  if (!is_plain_id(disk.volume_id)) return fail(ErrorKind::invalid, "'" + disk.volume_id + "' is not a volume id");
  if (!is_file(disk.file)) return fail(ErrorKind::invalid, disk.volume_id + " has no absolute path: '" + disk.file + "'");
  if (disk.format != "qcow2" && disk.format != "raw")
    return fail(ErrorKind::invalid, disk.volume_id + " has the unknown format '" + disk.format + "'");
  for (const auto& base : disk.bases)
    if (!is_file(base.file)) return fail(ErrorKind::invalid, disk.volume_id + " stands on what has no absolute path: '" + base.file + "'");
  return {};
}

Result<void> validate(const Nic& nic) {
  if (!is_plain_id(nic.interface_id)) return fail(ErrorKind::invalid, "'" + nic.interface_id + "' is not an interface id");
  if (!is_mac(nic.mac)) return fail(ErrorKind::invalid, nic.interface_id + " has the wrong hardware address '" + nic.mac + "'");
  if (!nic.tap) return fail(ErrorKind::invalid, nic.interface_id + " has no open tap");
  return {};
}

Result<void> validate(const MachineSpec& spec) {
  if (!is_plain_id(spec.id)) return fail(ErrorKind::invalid, "'" + spec.id + "' is not an instance id");
  if (!is_uuid(spec.uuid)) return fail(ErrorKind::invalid, spec.id + " has the wrong uuid '" + spec.uuid + "'");
  if (spec.memory_mib < 16)
    return fail(ErrorKind::invalid, spec.id + " asks for " + std::to_string(spec.memory_mib) + " MiB of memory; at least 16 are needed");
  if (spec.processors < 1 || spec.processors > 255)
    return fail(ErrorKind::invalid, spec.id + " asks for " + std::to_string(spec.processors) + " processors; 1 to 255 can be had");
  for (const auto* path : {&spec.kernel, &spec.ramdisk})
    if (!path->empty() && !is_file(*path))
      return fail(ErrorKind::invalid, spec.id + " has a kernel or ramdisk without absolute path: " + *path);
  for (const auto& disk : spec.disks)
    if (auto valid = validate(disk); !valid) return valid;
  for (const auto& nic : spec.nics)
    if (auto valid = validate(nic); !valid) return valid;
  return {};
}

Command qemu_command(const MachineSpec& spec, const QemuHost& host) {
  Command command;
  command.program = "qemu-system-x86_64";
  command.folder = host.folder;
  command.output_file = log_file(host.folder);
  if (host.user) command.user = *host.user;
  command.descriptors = {{host.qmp_socket, first_descriptor}, {host.console_socket, first_descriptor + 1}};
  auto placed = host;
  placed.qmp_socket = first_descriptor;
  placed.console_socket = first_descriptor + 1;

  auto& arguments = command.arguments;
  arguments = {"-nodefaults", "-no-user-config"};
  add(arguments, "-display", "none");
  add(arguments, "-vga", "none");
  add(arguments, "-msg", "timestamp=on");
  add(arguments, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
  // Halted until `cont`. A guest that turns itself off stays as a halted process that says so, until the daemon has recorded it: so a
  // shutdown can be told from a death even if the daemon was away.
  arguments.insert(arguments.end(), {"-S", "-no-shutdown"});
  add_identity(arguments, spec);
  add_processors(arguments, spec, host);
  add(arguments, "-rtc", "base=utc");
  add_channels(arguments, placed);
  add_screen(arguments);
  add_boot(arguments, spec);
  add_devices(command, spec, host, first_descriptor + 2);
  if (host.user && host.kvm_group) add_kvm_group(command, *host.user, *host.kvm_group);
  return command;
}

Command disk_server_command(const std::string& folder, int qmp_socket, int door, std::optional<unsigned> user) {
  Command command;
  command.program = "qemu-storage-daemon";
  command.folder = folder;
  command.output_file = log_file(folder);
  if (user) command.user = *user;
  command.descriptors = {{qmp_socket, first_descriptor}, {door, first_descriptor + 1}};
  add(command.arguments, "--chardev", "socket,id=qmp,server=on,wait=off,fd=" + std::to_string(first_descriptor));
  add(command.arguments, "--monitor", "chardev=qmp");
  add(command.arguments, "--nbd-server", "addr.type=fd,addr.str=" + std::to_string(first_descriptor + 1));
  return command;
}

std::string disk_name(const std::string& volume_id) {
  std::string name;
  std::copy_if(volume_id.begin(), volume_id.end(), std::back_inserter(name), [](char c) { return c != '-'; });
  return name;
}

std::string disk_node_name(const Disk& disk) {
  const auto name = disk_name(disk.volume_id);
  // The files of a served disk are opened by its server.
  return disk.generation == 0 || !disk.served_to.empty() ? name : name + "-" + std::to_string(disk.generation);
}

std::string disk_key(const Disk& disk, int descriptor) {
  return json::serialize(json::object{
      {"qom-type", "secret"}, {"id", disk_name(disk.volume_id) + "-key"}, {"file", "/proc/self/fd/" + std::to_string(descriptor)}});
}

std::string server_door(const std::string& volume_id) { return "disks/" + disk_name(volume_id); }

namespace {

// Without a cache of its own, so that it sees what another machine writes.
std::string client_node(const Disk& disk) {
  return json::serialize(json::object{{"driver", "nbd"},
                                      {"node-name", disk_node_name(disk)},
                                      {"server", {{"type", "unix"}, {"path", server_door(disk.volume_id)}}},
                                      {"export", disk.served_to},
                                      {"reconnect-delay", server_patience},
                                      {"cache", {{"direct", bypass_page_cache}, {"no-flush", false}}},
                                      {"discard", "unmap"},
                                      {"detect-zeroes", "unmap"}});
}

}  // namespace

std::string disk_node(const Disk& disk) {
  if (!disk.served_to.empty()) return client_node(disk);
  const auto key = disk_name(disk.volume_id) + "-key";
  const auto format_node = [&](const std::string& path, const std::string& format, bool encrypted) {
    json::object node = {{"driver", format}, {"file", {{"driver", "file"}, {"filename", path}, {"aio", "threads"}}}};
    if (encrypted) node["encrypt"] = {{"format", "luks"}, {"key-secret", key}};
    return node;
  };
  auto node = format_node(disk.file, disk.format, disk.encrypted);
  node["node-name"] = disk_node_name(disk);
  // Inherited by the file below and its base images.
  node["cache"] = {{"direct", bypass_page_cache}, {"no-flush", false}};
  node["discard"] = "unmap";
  node["detect-zeroes"] = "unmap";
  if (disk.format != "qcow2") return json::serialize(node);
  // All files below are named, so that none is opened because another file names it.
  json::value below = nullptr;
  for (auto place = disk.bases.size(); place-- > 0;) {
    const auto& base = disk.bases[place];
    auto shown = format_node(base.file, "qcow2", base.encrypted);
    shown["node-name"] = disk_name(disk.volume_id) + "-b" + std::to_string(place);
    shown["backing"] = std::move(below);
    below = std::move(shown);
  }
  node["backing"] = std::move(below);
  return json::serialize(node);
}

std::string disk_device(const Disk& disk, bool boots, bool pauses) {
  const auto name = disk_name(disk.volume_id);
  // By default a full or failing host disk halts the guest instead of giving it errors that would ruin its file system.
  const char* trouble = pauses ? "stop" : "report";
  json::object device = {{"driver", "virtio-blk-pci"}, {"id", name},       {"drive", disk_node_name(disk)}, {"serial", name},
                         {"werror", trouble},          {"rerror", trouble}};
  if (const int number = disk_number(disk.device); number != 0) device["acpi-index"] = number;
  if (boots) device["bootindex"] = 0;
  return json::serialize(device);
}

std::string disk_throttle(const std::string& device, const DiskLimits& limits) {
  json::object arguments = {{"id", device}, {"bps", limits.bytes}, {"bps_rd", 0}, {"bps_wr", 0}, {"iops", limits.requests},
                            {"iops_rd", 0}, {"iops_wr", 0}};
  // QEMU's bucket holds burst × seconds and leaks at the sustained rate, which is what EC2 calls I/O credits.
  const auto add_burst = [&](const char* most, const char* length, std::int64_t lasting, std::int64_t burst, std::int64_t for_seconds) {
    if (lasting <= 0 || burst <= lasting) return;
    arguments[most] = burst;
    arguments[length] = std::max<std::int64_t>(for_seconds, 1);
  };
  add_burst("bps_max", "bps_max_length", limits.bytes, limits.burst_bytes, limits.burst_bytes_seconds);
  add_burst("iops_max", "iops_max_length", limits.requests, limits.burst_requests, limits.burst_seconds);
  if (limits.requests > 0 && limits.request_bytes > 0) arguments["iops_size"] = limits.request_bytes;
  return json::serialize(arguments);
}

std::string server_limits(const DiskLimits& limits) {
  // All of them, each time, because one that is left out keeps its value.
  const auto burst = [](std::int64_t lasting, std::int64_t most) { return lasting > 0 && most > lasting; };
  const bool bytes_burst = burst(limits.bytes, limits.burst_bytes);
  const bool requests_burst = burst(limits.requests, limits.burst_requests);
  return json::serialize(json::object{
      {"bps-total", limits.bytes},
      {"bps-total-max", bytes_burst ? limits.burst_bytes : 0},
      {"bps-total-max-length", bytes_burst ? std::max<std::int64_t>(limits.burst_bytes_seconds, 1) : 1},
      {"iops-total", limits.requests},
      {"iops-total-max", requests_burst ? limits.burst_requests : 0},
      {"iops-total-max-length", requests_burst ? std::max<std::int64_t>(limits.burst_seconds, 1) : 1},
      {"iops-size", limits.requests > 0 ? limits.request_bytes : 0},
  });
}

std::string nic_device(const Nic& nic) {
  // An empty ROM file, so that no time is spent on network boot.
  return json::serialize(json::object{
      {"driver", "virtio-net-pci"}, {"id", nic.interface_id}, {"netdev", nic.interface_id + "-end"}, {"mac", nic.mac}, {"romfile", ""}});
}

std::string nic_end(const Nic& nic, const std::string& descriptor) {
  return json::serialize(json::object{{"type", "tap"}, {"id", nic.interface_id + "-end"}, {"fd", descriptor}, {"vhost", false}});
}

std::string json_object(const std::vector<std::pair<std::string, std::string>>& members) {
  json::object object;
  for (const auto& [key, value] : members) object[key] = value;
  return json::serialize(object);
}

}  // namespace brume::compute
