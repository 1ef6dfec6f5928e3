// What the metadata service must be told about the installation; everything else it reads from the World.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "domain/zones.hpp"
#include "guest/identity_signer.hpp"

namespace brume::guest {

struct MetadataConfiguration {
  std::string region = "us-east-1";
  std::string partition = "aws";
  std::string services_domain = "amazonaws.com";
  std::string private_domain = "ec2.internal";            // "ip-172-31-0-5." + this
  std::string public_domain = "compute-1.amazonaws.com";  // "ec2-198-18-0-5." + this
  std::string system = "nitro";                           // what EC2 calls a KVM-style machine, in contrast to "xen"
  std::vector<domain::Zone> zones;                        // as the first account sees them
  std::shared_ptr<const IdentitySigner> signer;           // for identity documents; null: they are not signed
  std::string token_key;  // secret, at least 32 bytes; if it changes at a restart, guests must fetch new tokens
};

}  // namespace brume::guest
