#include "engines/network/names/resolver.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/ipv4.hpp"

namespace brume::network {
namespace {

std::string reverse_name(std::uint32_t address) {
  return fmt::format("{}.{}.{}.{}.in-addr.arpa", address & 255, address >> 8 & 255, address >> 16 & 255, address >> 24);
}

}  // namespace

std::string public_name(const std::string& address, const std::string& domain) { return "ec2-" + dashed(address) + "." + domain; }

std::string public_name_lines(const NamesSpec& names, const std::vector<std::string>& pools) {
  std::string text;
  for (const auto& [address, name] : names.reverse)
    if (const auto number = parse_ipv4(address)) text += fmt::format("ptr-record={},{}\n", reverse_name(*number), name);
  if (names.public_domain.empty()) return text;
  for (const auto& pool : pools) {
    const auto range = parse_ipv4_block(pool);
    if (!range) continue;
    text += fmt::format("synth-domain={},{},ec2-\n", names.public_domain, format_ipv4_block(*range));
    // dnsmasq would ask others for these names' records other than IPv4 addresses (AAAA), and a guest without a way out would wait for
    // that.
    for (std::uint64_t i = 0; i < range->size(); ++i)
      text += fmt::format("local=/{}/\n", public_name(format_ipv4(range->base + static_cast<std::uint32_t>(i)), names.public_domain));
  }
  return text;
}

std::string resolver_configuration(const NamesSpec& names, const DnsmasqPlace& place, const std::string& address,
                                   const std::string& resolvers) {
  std::string text = "# written by brumed, changes are lost\n";
  text += fmt::format("user={}\ngroup={}\n", place.user, place.group);
  text += fmt::format("pid-file={0}/dnsmasq.pid\nlog-facility={0}/dnsmasq.log\n", place.folder);
  text += fmt::format("listen-address={}\nbind-interfaces\nexcept-interface=lo\nno-dhcp-interface=lo\nno-hosts\n", address);
  // The host's resolvers at this time, without this one if it is among them.
  text += "resolv-file=" + resolvers + "\ndns-loop-detect\ncache-size=1000\n\n# names\n";
  return text + public_name_lines(names, place.pools);
}

Result<void> Resolver::ensure(const NamesSpec& names) {
  if (auto made = make_dnsmasq_folder(place_.folder, place_.group); !made) return made;
  // The real ones are behind systemd-resolved's stub, which may be asking us.
  const std::string behind = "/run/systemd/resolve/resolv.conf";
  const auto resolvers = path_exists(behind) ? behind : "/etc/resolv.conf";
  const auto untold = process_.begin_change();
  if (!untold) return fail(untold.error());
  const auto configured = put_dnsmasq_file(process_.configuration(), resolver_configuration(names, place_, address_, resolvers));
  if (!configured) return fail(configured.error());
  if (*configured || *untold || !process_.is_in_place())
    if (auto started = process_.start(); !started) return started;
  process_.end_change();
  return {};
}

void Resolver::stop() {
  process_.end();
  std::error_code ignored;
  std::filesystem::remove_all(place_.folder, ignored);
}

}  // namespace brume::network
