// Elastic IPs and the interfaces that they stand for, kept in step: the interface's record shows the address too, since that is where
// the packet path, the metadata service and Describe look for it.
#pragma once

#include <string>

#include "state/store.hpp"

namespace brume::domain {

// nullptr: the address is none, or one of the pool.
const state::ElasticIp* find_elastic_ip(const state::World& world, const std::string& public_ip);

// The public address that stands for one of the interface's private addresses from now on; empty: none. The private address must be its.
void set_public_ip(state::NetworkInterface& interface, const std::string& private_ip, const std::string& public_ip);
const std::string& public_ip_of(const state::NetworkInterface& interface, const std::string& private_ip);

// The address stands for nothing from now on; its interface, if it is there, has none in its place.
void disassociate(state::Transaction& transaction, state::ElasticIp address);
// All of the interface's: it is going away.
void disassociate_all(state::Transaction& transaction, const state::NetworkInterface& interface);

}  // namespace brume::domain
