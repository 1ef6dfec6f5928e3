#include <gtest/gtest.h>

#include "engines/network/vpn/charon.hpp"
#include "golden_file.hpp"

namespace brume::network {
namespace {

const std::vector<VpnSpec> vpns = {
    {"vpn-0one", "192.0.2.10", "0.0.0.0/0", "10.0.0.0/16", {{"198.18.5.1", "first.key"}, {"198.18.5.2", "second_key"}}}};

TEST(Charon, Settings) { expect_golden("network/strongswan.conf", charon_settings("/run/brume-3fa2c1/vpc-1/charon")); }
TEST(Charon, Connections) { expect_golden("network/swanctl.conf", charon_connections(vpns)); }

TEST(Charon, ATunnelIsUpWhenPacketsCanPassIt) {
  const auto ups = [](std::string_view listing) {
    std::string text;
    for (const auto& tunnel : read_tunnels(listing, vpns))
      text += tunnel.outside_ip + (tunnel.up ? " up " + std::to_string(tunnel.seconds) : " down") + ";";
    return text;
  };
  const std::string installed = "child-sas {net-1 {name=net uniqueid=1 state=INSTALLED mode=TUNNEL install-time=2}}}}\n";
  EXPECT_EQ(ups(""), "198.18.5.1 down;198.18.5.2 down;");
  EXPECT_EQ(ups("list-sa event {vpn-0one-2 {uniqueid=1 version=2 state=ESTABLISHED established=17 " + installed),
            "198.18.5.1 down;198.18.5.2 up 17;");
  EXPECT_EQ(ups("list-sa event {vpn-0one-2 {uniqueid=1 version=2 state=CONNECTING child-sas {}}}\n"), "198.18.5.1 down;198.18.5.2 down;");
  EXPECT_EQ(ups("list-sa event {vpn-0one-2 {uniqueid=1 version=2 state=ESTABLISHED established=3 child-sas {}}}\n"),
            "198.18.5.1 down;198.18.5.2 down;");
  EXPECT_EQ(ups("list-sa event {vpn-0one-10 {uniqueid=1 state=ESTABLISHED established=3 " + installed), "198.18.5.1 down;198.18.5.2 down;");
}

}  // namespace
}  // namespace brume::network
