// The packet path alone, for bench/run: two guests behind the engine's taps and two behind taps on a plain bridge. A guest is a network
// namespace whose card a thread connects with the tap, frame by frame, as a virtual machine does it, so that what is between two taps
// counts and no emulated processor. Says "ready", then takes "rules N" (the group has so many from now on) and answers "done"; at the end
// of the input it removes all. Inside the namespaces of bench/run only.
//
//   network_path FOLDER
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include <fmt/format.h>

#include "base/log.hpp"
#include "base/text.hpp"
#include "engines/network/network_engine.hpp"
#include "network_engine_over.hpp"
#include "network_world.hpp"

namespace brume::network {
namespace {

const std::string vpc_id = "vpc-0a000000000000001";
const std::string bridge = "plain1";

void need(const Result<void>& done) {
  if (done) return;
  std::fprintf(stderr, "network_path: %s\n", done.error().message.c_str());
  std::exit(1);
}

void need_run(const std::vector<std::string>& line) {
  if (!test::run_in("", line)) need(fail(ErrorKind::broken, line.front() + " failed"));
}

// Not the rules of any engine: a tap on the bridge is all there is.
class PlainTaps final : public NetworkEngineOver {
 public:
  PlainTaps() : NetworkEngineOver(nullptr) {}
  Result<Descriptor> open_tap(const std::string&, const std::string& interface_id) override {
    Descriptor tap(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    ifreq request{};
    std::strncpy(request.ifr_name, ("pt" + interface_id.substr(interface_id.size() - 4)).c_str(), IFNAMSIZ - 1);
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    if (::ioctl(tap.get(), TUNSETIFF, &request) != 0) return fail(ErrorKind::system, "cannot make a tap");
    need_run({"ip", "link", "set", request.ifr_name, "master", bridge, "up"});
    return tap;
  }
};

InterfaceSpec interface(unsigned number, const std::string& subnet) {
  InterfaceSpec spec;
  spec.id = fmt::format("eni-0{:016x}", number);
  spec.vpc_id = vpc_id;
  spec.subnet_cidr = subnet + ".0/24";
  spec.mac = fmt::format("02:00:00:00:00:{:02x}", number);
  spec.private_ip = fmt::format("{}.{}", subnet, number);
  spec.group_ids = {"sg-1"};
  return spec;
}

// The last one lets everything in; none before it does.
GroupSpec group(std::int64_t rules) {
  GroupSpec spec{"sg-1", vpc_id, {}, {{"-1", -1, -1, "0.0.0.0/0", ""}}};
  for (std::int64_t i = 1; i < rules; ++i)
    spec.ingress.push_back({"tcp", 20000 + i, 20000 + i, fmt::format("203.0.113.{}/32", i % 256), ""});
  spec.ingress.push_back({"-1", -1, -1, "0.0.0.0/0", ""});
  return spec;
}

int serve(const std::string& folder) {
  log::set_level(log::Level::error);
  HostNetworkConfiguration configuration{folder, "", ""};
  configuration.resolver = "none";
  auto engine = make_host_network_engine(configuration);
  if (!engine) need(fail(engine.error()));
  const std::vector<InterfaceSpec> ours = {interface(5, "10.9.0"), interface(6, "10.9.0")};
  need((*engine)->ensure_all({vpc_id, "10.9.0.0/16", {{"10.9.0.0/24"}}, "ec2.internal"}, {group(10)}, ours));
  need_run({"ip", "link", "add", bridge, "type", "bridge"});
  need_run({"ip", "link", "set", bridge, "up"});
  {
    PlainTaps plain;
    const test::Guest one(**engine, ours[0], "path-one");
    const test::Guest two(**engine, ours[1], "path-two");
    const test::Guest plain_one(plain, interface(5, "10.8.0"), "plain-one");
    const test::Guest plain_two(plain, interface(6, "10.8.0"), "plain-two");
    std::puts("ready");
    std::fflush(stdout);
    for (std::string line; std::getline(std::cin, line);) {
      const auto rules = line.starts_with("rules ") ? parse_integer(line.substr(6)) : std::nullopt;
      if (!rules || *rules < 1 || *rules > 10000) need(fail(ErrorKind::invalid, "not understood: " + line));
      need((*engine)->ensure_group(group(*rules)));
      std::puts("done");
      std::fflush(stdout);
    }
  }
  need_run({"ip", "link", "delete", bridge});
  need((*engine)->remove_everything());
  return 0;
}

}  // namespace
}  // namespace brume::network

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: network_path FOLDER\n", stderr);
    return 2;
  }
  return brume::network::serve(argv[1]);
}
