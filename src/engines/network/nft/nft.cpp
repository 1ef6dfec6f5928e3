#include "engines/network/nft/nft.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include <boost/json.hpp>

#include "base/log.hpp"
#include "base/process.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/network/names/names.hpp"
#include "engines/network/netlink/netlink.hpp"

namespace brume::network {

std::vector<std::string> dropping_forward_chains(const std::string& listing) {
  std::vector<std::string> chains;
  try {
    const auto all = boost::json::parse(listing);
    for (const auto& entry : all.at("nftables").as_array()) {
      const auto* chain = entry.as_object().if_contains("chain");
      if (chain == nullptr) continue;
      const auto& values = chain->as_object();
      const auto* hook = values.if_contains("hook");
      const auto* policy = values.if_contains("policy");
      if (hook == nullptr || policy == nullptr || *hook != "forward" || *policy != "drop") continue;
      std::string name;
      for (const auto* part : {"family", "table", "name"}) name += (name.empty() ? "" : " ") + std::string(values.at(part).as_string());
      chains.push_back(name);
    }
  } catch (const std::exception& error) {
    log::debug("network", "the host's chains cannot be listed: {}", error.what());
  }
  return chains;
}

std::string list_host_chains() {
  Command command;
  command.program = "nft";
  command.arguments = {"-j", "list", "chains"};
  const auto listed = run_checked(command, seconds(10));
  return listed ? listed->output : std::string("{\"nftables\":[]}");
}

std::optional<std::uint32_t> Nft::generation() const {
  std::optional<std::uint32_t> number;
  const auto ask = [&]() -> Result<void> {
    auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
    if (!socket) return fail(socket.error());
    NetlinkMessage message(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, 0);
    message.body(nfgenmsg{});
    return socket->ask(std::move(message), [&](std::uint16_t, std::span<const std::uint8_t> payload) {
      for (const auto& attribute : parse_attributes(payload.subspan(std::min(payload.size(), sizeof(nfgenmsg)))))
        if (attribute.type == NFTA_GEN_ID) number = ntohl(attribute.as<std::uint32_t>());
    });
  };
  const auto asked = namespace_.empty() ? ask() : host::in_namespace(namespace_, ask);
  return asked ? number : std::nullopt;
}

Result<void> Nft::run(const std::string& transaction) const {
  Command command;
  command.program = "nft";
  command.arguments = {"-j", "-f", "-"};
  command.input = transaction;
  if (!namespace_.empty()) command.network_namespace = host::namespace_path(namespace_);
  auto done = run_checked(command, seconds(60));
  if (!done) return fail(done.error().within("cannot set the packet filter of " + (namespace_.empty() ? "the host" : namespace_)));
  return {};
}

void Nft::note(std::uint32_t generation) {
  constexpr size_t remembered = 256;  // more than can be waiting to be noticed
  generation_ = generation;
  ours_.insert(generation);
  if (ours_.size() > remembered) ours_.erase(ours_.begin());
}

bool Nft::is_ours(const std::set<std::uint32_t>& generations) const {
  if (generations.empty()) return generation_ && generation() == generation_;
  return std::includes(ours_.begin(), ours_.end(), generations.begin(), generations.end());
}

Result<Nft::Applied> Nft::apply(const std::vector<Table>& wanted) {
  const auto before = generation();
  const bool untouched = before && generation_ == before && in_force_.size() == wanted.size();
  if (untouched) {
    const auto change = change_transaction(in_force_, wanted);
    if (change.empty()) return Applied::nothing;
    if (const auto done = run(change)) {
      in_force_ = wanted;
      note(*before + 1);
      return Applied::changed;
    } else {
      log::warning("network", "a change of the packet filter failed, all of it is set anew: {}", done.error().message);
    }
  }
  // Remembered until it is restored, because the first try may fail.
  disturbed_ = disturbed_ || (generation_ && generation_ != before);
  generation_.reset();
  const auto start = generation();
  if (auto done = run(replace_transaction(wanted)); !done) return fail(done.error());
  in_force_ = wanted;
  if (start) note(*start + 1);
  return std::exchange(disturbed_, false) ? Applied::repaired : Applied::changed;
}

Result<void> Nft::remove(const std::vector<Table>& tables) {
  if (const auto before = generation()) note(*before + 1);
  generation_.reset();
  in_force_.clear();
  return run(remove_transaction(tables));
}

}  // namespace brume::network
