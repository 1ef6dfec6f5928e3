// A network engine over another, to which it passes everything on: a test overrides what it is about.
#pragma once

#include <memory>

#include "engines/network/network_engine.hpp"

namespace brume::network {

class NetworkEngineOver : public NetworkEngine {
 public:
  explicit NetworkEngineOver(std::unique_ptr<NetworkEngine> under) : under_(std::move(under)) {}

  std::string public_pool() const override { return under_->public_pool(); }
  std::vector<std::string> kept_addresses() const override { return under_->kept_addresses(); }
  Result<void> ensure_vpc(const VpcSpec& vpc) override { return under_->ensure_vpc(vpc); }
  Result<void> remove_vpc(const std::string& vpc_id) override { return under_->remove_vpc(vpc_id); }
  Result<void> ensure_interface(const InterfaceSpec& interface) override { return under_->ensure_interface(interface); }
  Result<void> remove_interface(const std::string& vpc_id, const std::string& id) override { return under_->remove_interface(vpc_id, id); }
  Result<Descriptor> open_tap(const std::string& vpc_id, const std::string& id) override { return under_->open_tap(vpc_id, id); }
  Result<void> ensure_group(const GroupSpec& group) override { return under_->ensure_group(group); }
  Result<void> remove_group(const std::string& vpc_id, const std::string& group_id) override {
    return under_->remove_group(vpc_id, group_id);
  }
  Result<std::vector<TunnelState>> tunnels(const std::string& vpc_id) override { return under_->tunnels(vpc_id); }
  std::string why_no_tunnels() const override { return under_->why_no_tunnels(); }
  Result<void> ensure_names(const NamesSpec& names) override { return under_->ensure_names(names); }
  std::string resolver() const override { return under_->resolver(); }
  std::string ipv6_pool() const override { return under_->ipv6_pool(); }
  Result<std::vector<Found>> found() override { return under_->found(); }
  Result<Descriptor> listen_metadata(const std::string& vpc_id) override { return under_->listen_metadata(vpc_id); }
  Result<TakenFlows> take_flows(const std::string& vpc_id) override { return under_->take_flows(vpc_id); }
  void on_disturbance(std::function<void(const std::string& vpc_id)> tell) override { under_->on_disturbance(std::move(tell)); }
  Result<void> ensure_all(const VpcSpec& vpc, const std::vector<GroupSpec>& groups, const std::vector<InterfaceSpec>& interfaces) override {
    return under_->ensure_all(vpc, groups, interfaces);
  }
  Result<void> remove_everything() override { return under_->remove_everything(); }

 private:
  std::unique_ptr<NetworkEngine> under_;
};

}  // namespace brume::network
