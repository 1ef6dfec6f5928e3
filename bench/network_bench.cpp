// The network engine alone, with as many interfaces as are asked for, all in one security group whose members may talk to each other:
// what a start costs that finds nothing (or all) there, a rule of that group, one more interface. Beside it nft's own time to put one
// rule into the same tables. Root only; in namespaces of its own. Prints JSON.
//
//   network_bench COUNT
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "base/ipv4.hpp"
#include "base/log.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/network/names/names.hpp"
#include "engines/network/network_engine.hpp"

namespace brume::network {
namespace {

constexpr int skipped = 77;
constexpr std::string_view vpc_id = "vpc-0a000000000000001";

void need(const Result<void>& done) {
  if (done) return;
  std::fprintf(stderr, "network_bench: %s\n", done.error().message.c_str());
  std::_Exit(1);
}

template <class Work>
double milliseconds_of(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

template <class Work>
double median_of(Work&& work, int times = 9) {
  std::vector<double> taken;
  for (int i = 0; i < times; ++i) taken.push_back(milliseconds_of([&] { work(i); }));
  std::nth_element(taken.begin(), taken.begin() + times / 2, taken.end());
  return taken[static_cast<size_t>(times / 2)];
}

VpcSpec vpc() {
  VpcSpec spec{std::string(vpc_id), "172.31.0.0/16", {{"172.31.0.0/16", "rtb-1"}}, "ec2.internal"};
  spec.internet_gateway = true;
  spec.route_tables = {{"rtb-1", {{"0.0.0.0/0", RouteSpec::Target::internet, ""}}}};
  return spec;
}

GroupSpec group(int port) {
  GroupSpec spec{"sg-1", std::string(vpc_id), {}, {{"-1", -1, -1, "0.0.0.0/0", ""}}};
  spec.ingress = {{"-1", -1, -1, "", "sg-1"}, {"tcp", 22, 22, "0.0.0.0/0", ""}, {"tcp", port, port, "0.0.0.0/0", ""}};
  return spec;
}

InterfaceSpec interface(std::uint32_t number) {
  InterfaceSpec spec;
  spec.id = fmt::format("eni-0{:016x}", number);
  spec.vpc_id = vpc_id;
  spec.subnet_cidr = "172.31.0.0/16";
  spec.mac = fmt::format("02:00:00:{:02x}:{:02x}:{:02x}", number >> 16 & 255, number >> 8 & 255, number & 255);
  spec.private_ip = format_ipv4(*parse_ipv4("172.31.1.0") + number);
  spec.group_ids = {"sg-1"};
  return spec;
}

void nft(const std::string& space, std::vector<std::string> arguments) {
  Command command;
  command.program = "nft";
  command.arguments = std::move(arguments);
  command.network_namespace = host::namespace_path(space);
  if (auto done = run_checked(command, seconds(10)); !done) need(fail(done.error()));
}

int measure(std::uint32_t count) {
  auto opened = make_host_network_engine({"/run/brume-network-bench", "", ""});
  if (!opened) need(fail(opened.error()));
  auto& engine = **opened;
  std::vector<InterfaceSpec> interfaces;
  for (std::uint32_t i = 1; i <= count; ++i) interfaces.push_back(interface(i));
  const auto first = milliseconds_of([&] { need(engine.ensure_all(vpc(), {group(80)}, interfaces)); });
  const auto again = milliseconds_of([&] { need(engine.ensure_all(vpc(), {group(80)}, interfaces)); });
  const auto rule = median_of([&](int i) { need(engine.ensure_group(group(1000 + i))); });
  const auto one = median_of([&](int i) { need(engine.ensure_interface(interface(count + 1 + static_cast<std::uint32_t>(i)))); });
  const auto space = host::list_namespaces("brume-").front();
  nft(space, {"add", "chain", "inet", "brume", "bare"});
  const auto bare = median_of([&](int) { nft(space, {"add", "rule", "inet", "brume", "bare", "tcp", "dport", "81", "accept"}); });
  std::printf("{\"interfaces\": %u, \"first_ms\": %.2f, \"again_ms\": %.2f, \"rule_ms\": %.2f, \"one_more_ms\": %.2f, \"nft_ms\": %.2f}\n",
              count, first, again, rule, one, bare);
  need(engine.remove_everything());
  return 0;
}

// As the first process of namespaces of its own: nothing of the machine's network is touched, and all that it starts ends with it.
int in_own_namespaces(std::uint32_t count) {
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID) != 0) return skipped;
  const auto child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const bool ready = ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                       ::mount("proc", "/proc", "proc", 0, nullptr) == 0 && ::mount("brume-bench", "/run", "tmpfs", 0, "mode=755") == 0;
    const int result = ready ? measure(count) : skipped;
    std::fflush(stdout);
    std::_Exit(result);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace
}  // namespace brume::network

int main(int argc, char** argv) {
  const auto count = argc == 2 ? brume::parse_integer(argv[1]) : std::nullopt;
  if (!count || *count < 1 || *count > 10000) {
    std::fputs("usage: network_bench COUNT (1 to 10000)\n", stderr);
    return 2;
  }
  return brume::network::in_own_namespaces(static_cast<std::uint32_t>(*count));
}
