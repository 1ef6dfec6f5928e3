#include "kernel_picture.hpp"

#include <algorithm>
#include <sstream>

#include "engines/host/namespaces.hpp"
#include "network_world.hpp"

namespace brume::network::test {
namespace {

constexpr const char* look = R"sh(
ip -o link | sed -E 's/^[0-9]+: /link /; s/@[^:]+:/:/; s/link-netns(id)? [^ ]+//; s/ qlen [0-9]+//; s/NO-CARRIER,//; s/,LOWER_UP//; s/ state [A-Z]+//; s/,M-DOWN//; /^link b[tp]/! s/link\/[a-z]+ [0-9a-f:]+//; s/ +/ /g' | sort
ip -o addr | sed -E 's/^[0-9]+: /address /; s/ *valid_lft.*//; s/ tentative//' | grep -v ff:fe | sort
ip -4 route show table all | sed -E 's/^/route /; s/ linkdown//; s/ +$//' | sort
ip -6 route show table all | sed -E 's/^/route6 /; s/ linkdown//; s/ pref medium//; s/ +$//' | grep -v 'fe80::.* proto kernel' | sort
ip rule | sed 's/^/rule /'
ip -6 rule | sed 's/^/rule6 /'
for family in -4 -6; do
  ip $family neigh show nud permanent | sed "s/^/neighbour $family /" | sort
  ip $family neigh show proxy | sed "s/^/proxy $family /" | sort
done
cd /proc/sys/net
grep -s . ipv4/ip_forward ipv4/conf/*/rp_filter ipv4/conf/*/send_redirects ipv4/conf/*/accept_redirects ipv4/conf/*/proxy_arp ipv4/conf/*/forwarding \
  ipv4/neigh/*/proxy_delay ipv6/conf/*/forwarding ipv6/conf/*/accept_ra ipv6/conf/*/disable_ipv6 ipv6/conf/*/accept_dad ipv6/conf/*/proxy_ndp \
  netfilter/nf_conntrack_tcp_loose netfilter/nf_conntrack_acct netfilter/nf_conntrack_events
)sh";

// A name server is where its VPC is, once; the logs and numbers of processes are by chance, and what remembers released leases is a help
// that any start may forget.
constexpr const char* look_at_files = R"sh(
for process in $(pgrep -x dnsmasq); do
  [ -s /proc/$process/cmdline ] && echo "process $(tr '\0' ' ' </proc/$process/cmdline) in $(ip netns identify $process)"
done | sort
grep -rs '' --exclude='*.pid' --exclude='*.log' --exclude='released-*' "$@" | sort
true
)sh";

// The elements of sets in their order, and the chains and sets too.
std::string sorted_rules(const std::string& rules) {
  std::istringstream lines(rules);
  std::vector<std::string> blocks;
  std::string block, elements, table;
  bool in_elements = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("table ")) table = line;
    if (const auto start = line.find("elements = {"); start != std::string::npos) {
      in_elements = true;
      elements.clear();
      line = line.substr(start + 12);
    }
    if (in_elements) {
      elements += line;
      if (line.find('}') == std::string::npos) continue;
      in_elements = false;
      std::istringstream parts(elements.substr(0, elements.find('}')));
      std::vector<std::string> sorted;
      for (std::string part; std::getline(parts, part, ',');) {
        part.erase(0, part.find_first_not_of(" \t"));
        part.erase(part.find_last_not_of(" \t") + 1);
        sorted.push_back(part);
      }
      std::sort(sorted.begin(), sorted.end());
      line = "elements:";
      for (const auto& part : sorted) line += " " + part + ",";
    }
    block += line + "\n";
    if (line.empty() || line == "\t}" || line == "}") {
      blocks.push_back(table + "\n" + block);
      block.clear();
    }
  }
  std::sort(blocks.begin(), blocks.end());
  std::string text;
  for (const auto& one : blocks) text += one;
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

std::string kernel_picture(const std::vector<std::string>& folders) {
  auto spaces = host::list_namespaces("brume-");
  std::sort(spaces.begin(), spaces.end());
  spaces.insert(spaces.begin(), "");
  std::string picture;
  for (const auto& space : spaces) {
    const auto said = run_in(space, {"sh", "-c", look});
    const auto rules = run_in(space, {"nft", "-s", "list", "ruleset"});
    picture += "=== " + (space.empty() ? std::string("the host") : space) + "\n";
    picture += said.value_or("cannot be looked at\n") + sorted_rules(rules.value_or("cannot be looked at\n"));
  }
  std::vector<std::string> line = {"sh", "-c", look_at_files, "sh"};
  line.insert(line.end(), folders.begin(), folders.end());
  return picture + "=== files\n" + run_in("", line).value_or("cannot be looked at\n");
}

std::string difference(const std::string& wanted, const std::string& found) {
  auto old_lines = lines_of(wanted);
  auto new_lines = lines_of(found);
  if (old_lines == new_lines) return {};
  // With the place that each line is of.
  const auto placed = [](std::vector<std::string>& lines) {
    std::string place;
    for (auto& line : lines) {
      if (line.starts_with("===")) place = line.substr(3);
      line = place + ": " + line;
    }
    std::sort(lines.begin(), lines.end());
  };
  placed(old_lines);
  placed(new_lines);
  std::string text;
  std::vector<std::string> only;
  std::set_difference(old_lines.begin(), old_lines.end(), new_lines.begin(), new_lines.end(), std::back_inserter(only));
  for (const auto& line : only) text += "-" + line + "\n";
  only.clear();
  std::set_difference(new_lines.begin(), new_lines.end(), old_lines.begin(), old_lines.end(), std::back_inserter(only));
  for (const auto& line : only) text += "+" + line + "\n";
  return text.empty() ? "the same lines in another order\n" : text;
}

}  // namespace brume::network::test
