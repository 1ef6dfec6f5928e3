// Names of everything that this installation makes on the host. Nothing with another name is ever changed or removed.
//
//   namespace of a VPC      /run/netns/brume-<mark>-<vpc id>      also what `ip netns exec` takes
//   host's end of its link  bv<mark><7 letters of the VPC>        ≤ 15 characters, as the kernel demands
//   the other end           uplink                                inside the namespace
//   tap of an interface     bt<last 13 digits of its id>          inside the namespace; its alias is the whole id
//   a peering's two ends    bp<last 13 digits of its id>          inside both namespaces; their alias is the whole id
//   tables                  inet brume_<mark> on the host; inet brume and arp brume inside a namespace
//   dnsmasq's files         /run/brume-<mark>/<vpc id>/
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.hpp"
#include "base/result.hpp"

namespace brume::network {

inline constexpr std::string_view uplink_name = "uplink";
inline constexpr std::string_view tap_prefix = "bt";
inline constexpr std::string_view peering_prefix = "bp";
inline constexpr std::string_view link_prefix = "bv";

// What tells one installation's things from another's: six hex digits, made once and kept in `folder`/mark.
Result<std::string> load_or_make_mark(const std::string& folder, Random& random);

std::string namespace_name(std::string_view mark, std::string_view vpc_id);
// The VPC of a namespace with this mark; nullopt: it belongs to somebody else.
std::optional<std::string> vpc_of_namespace(std::string_view mark, std::string_view name);

std::string link_name(std::string_view mark, std::string_view vpc_id);
std::string tap_name(std::string_view interface_id);
std::string peering_name(std::string_view peering_id);
std::string host_table(std::string_view mark);
std::string runtime_folder(std::string_view mark);

// The router's hardware address in this VPC: the same on every tap and after every rebuild, so that no guest keeps a stale one.
std::string router_mac(std::string_view vpc_id);

// The other end of a peering's link, as a gateway in routes: an address that nobody has.
inline constexpr std::uint32_t peer_gateway = 0xA9FEFEFD;  // 169.254.254.253

// The two ends of the link between a VPC and the host, for IPv6: the same for every VPC.
inline constexpr std::string_view host_end6 = "fe80::1";
inline constexpr std::string_view vpc_end6 = "fe80::2";

// An id as part of an nftables name: "sg-0a" becomes "sg_0a".
std::string table_name_part(std::string_view id);

// False: the id is empty, too long, or has characters with a meaning in a path or a rule.
bool is_safe_id(std::string_view id);

}  // namespace brume::network
