// What the programs of packets share: an engine for all tests of a suite, and guests that are plugged into it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/ipv4.hpp"
#include "network_world.hpp"

namespace brume::network::test {

class EngineSuite : public ::testing::Test {
 protected:
  // nullptr: the test has failed.
  static std::unique_ptr<NetworkEngine> opened(const HostNetworkConfiguration& configuration) {
    auto made = make_host_network_engine(configuration);
    if (!made) ADD_FAILURE() << made.error().message;
    return made ? std::move(*made) : nullptr;
  }
  static void open(const HostNetworkConfiguration& configuration) {
    engine.reset();
    engine = opened(configuration);
    ASSERT_TRUE(engine);
  }
  // Nothing of it stays.
  static void close() {
    if (engine) {
      EXPECT_TRUE(engine->remove_everything());
    }
    engine.reset();
  }

  template <class T>
  static void good(const Result<T>& result) {
    ASSERT_TRUE(result.has_value()) << result.error().message;
  }

  static std::string public_ip(unsigned number) { return format_ipv4(parse_ipv4_block(engine->public_pool())->base + number); }

  static void plug(std::unique_ptr<Guest>& guest, const InterfaceSpec& spec, const std::string& name) {
    good(engine->ensure_interface(spec));
    if (!guest) guest = std::make_unique<Guest>(*engine, spec, name);
  }

  static inline std::unique_ptr<NetworkEngine> engine;
};

}  // namespace brume::network::test
