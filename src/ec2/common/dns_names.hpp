// The DNS names that EC2 gives the private and public addresses of instances.
#pragma once

#include <string>

#include "service/services.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// "ip-172-31-0-5.ec2.internal"; empty for an empty address.
std::string private_dns_name(const service::Settings& settings, const std::string& address);
// "ec2-198-18-0-5.compute-1.amazonaws.com"; empty for an empty address, and if the VPC gives its instances no public names
// (enableDnsHostnames).
std::string public_dns_name(const state::World& world, const service::Settings& settings, const std::string& vpc_id,
                            const std::string& address);

}  // namespace brume::ec2
