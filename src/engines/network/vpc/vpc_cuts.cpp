// What a change takes away ends with it: connections that no rule allows any more, routes to addresses that are gone. It is owed from
// before the model changes until it is done, on disk too, so that a failure or a crash at any point in between cannot leave revoked access
// open.
#include <algorithm>
#include <set>
#include <utility>

#include "base/files.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/network/netlink/connections.hpp"
#include "engines/network/vpc/vpc_network.hpp"

namespace brume::network {
namespace {

// True: no connection that the old translated would be translated differently by the new.
bool same_translation(const VpcSpec& a, const VpcSpec& b) {
  const auto same = [](const NatSpec& one, const NatSpec& other) { return one.id == other.id && one.public_ip == other.public_ip; };
  const auto same_vpn = [](const VpnSpec& one, const VpnSpec& other) {
    const auto same_tunnel = [](const auto& x, const auto& y) { return x.outside_ip == y.outside_ip; };
    return std::equal(one.tunnels.begin(), one.tunnels.end(), other.tunnels.begin(), other.tunnels.end(), same_tunnel);
  };
  if (!std::equal(a.vpns.begin(), a.vpns.end(), b.vpns.begin(), b.vpns.end(), same_vpn)) return false;
  return a.internet_gateway == b.internet_gateway && std::equal(a.nats.begin(), a.nats.end(), b.nats.begin(), b.nats.end(), same);
}

// True: all members of peers' groups that the old knew, the new knows too.
bool rule_covers(const std::vector<PeerGroupSpec>& now, const std::vector<PeerGroupSpec>& before) {
  return std::all_of(before.begin(), before.end(), [&](const PeerGroupSpec& old) {
    const auto same = std::find_if(now.begin(), now.end(), [&](const PeerGroupSpec& one) { return one.id == old.id; });
    if (same == now.end()) return old.addresses.empty();
    const std::set<std::string> members(same->addresses.begin(), same->addresses.end());
    return std::all_of(old.addresses.begin(), old.addresses.end(), [&](const std::string& one) { return members.contains(one); });
  });
}

}  // namespace

void PendingCut::add(const PendingCut& other) {
  addresses = addresses || other.addresses;
  for (const auto& range : other.lost_ranges)
    if (std::find(lost_ranges.begin(), lost_ranges.end(), range) == lost_ranges.end()) lost_ranges.push_back(range);
}

std::optional<PendingCut> cut_between(const VpcSpec& before, const VpcSpec& now) {
  PendingCut cut{!same_translation(before, now), {}};
  for (const auto& range : lost_ranges(before, now)) cut.lost_ranges.push_back(format_ipv4_block(range));
  const bool narrower =
      cut.addresses || !cut.lost_ranges.empty() || !rule_covers(now.peer_groups, before.peer_groups) || !same_ways6(before, now);
  return narrower ? std::optional(std::move(cut)) : std::nullopt;
}

Result<void> VpcNetwork::owe(const PendingCut& cut) {
  auto all = cut_.value_or(PendingCut{});
  all.add(cut);
  if (cut_ == all) return {};
  if (auto kept = files_.keep(all); !kept) return kept;
  cut_ = std::move(all);
  return {};
}

Result<void> VpcNetwork::carry_out(const std::optional<PendingCut>& cut, const std::function<Result<void>()>& change) {
  if (cut)
    if (auto owed = owe(*cut); !owed) return owed;
  auto done = change();
  if (done) return settle();
  // A failure may last for long while the rules are in force already, so what they forbid ends now. The cut is owed until everything is
  // done.
  if (model_ && cut_ && host::namespace_exists(namespace_))
    if (auto ended = end_connections(); !ended)
      log::warning("network", "connections of {} that no rule allows may go on until it is tried again: {}", id_, ended.error().message);
  return done;
}

Result<void> VpcNetwork::settle() {
  if (!cut_ && !repaired_) return {};
  if (cut_ && cut_->addresses) {
    if (auto swept = host::in_namespace(namespace_, [&] { return remove_stale_routes(); }); !swept) return swept;
    if (auto routed = host_.set_public_addresses(id_, *ends_, public_addresses()); !routed) return routed;
  }
  if (auto ended = end_connections(); !ended) return ended;
  if (cut_)
    if (auto forgotten = files_.forget_pending_cut(); !forgotten) return forgotten;
  cut_.reset();
  repaired_ = false;
  return {};
}

Result<void> VpcNetwork::end_connections() const {
  std::vector<Ipv4Block> lost;
  if (cut_)
    for (const auto& text : cut_->lost_ranges)
      if (const auto range = parse_ipv4_block(text)) lost.push_back(*range);
  return host::in_namespace(namespace_, [&]() -> Result<void> {
    // Listing them costs 10 ms and more even if there are few, because the kernel walks the table of all namespaces.
    if (const auto count = read_file("/proc/sys/net/netfilter/nf_conntrack_count", 32); count && trim(*count) == "0") return {};
    const auto ended = end_forbidden_connections(FlowRules(*model_, std::move(lost)));
    if (!ended) return fail(ended.error());
    if (*ended > 0) log::info("network", "connections ended because no rule allows them any more vpc={} count={}", id_, *ended);
    return end_connections6();
  });
}

}  // namespace brume::network
