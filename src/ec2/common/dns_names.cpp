#include "ec2/common/dns_names.hpp"

#include "base/ipv4.hpp"

namespace brume::ec2 {

std::string private_dns_name(const service::Settings& settings, const std::string& address) {
  return address.empty() ? std::string() : "ip-" + dashed(address) + "." + settings.private_domain;
}

std::string public_dns_name(const state::World& world, const service::Settings& settings, const std::string& vpc_id,
                            const std::string& address) {
  if (address.empty()) return {};
  const auto* vpc = world.find_indexed<state::Vpc>(state::Index::vpc_by_id, vpc_id);
  return vpc != nullptr && vpc->dns_support && vpc->dns_hostnames ? "ec2-" + dashed(address) + "." + settings.public_domain : std::string();
}

}  // namespace brume::ec2
