// Elastic IPs and the interfaces that they are mapped to, kept in step: the interface's record shows the address too, because the packet
// path, the metadata service and Describe look for it there.
#pragma once

#include <string>

#include "state/store.hpp"

namespace brume::domain {

// nullptr: there is no such address, or it is one of the pool.
const state::ElasticIp* find_elastic_ip(const state::World& world, const std::string& public_ip);

// Sets the public address that is mapped to one of the interface's private addresses; empty: none. The private address must be the
// interface's.
void set_public_ip(state::NetworkInterface& interface, const std::string& private_ip, const std::string& public_ip);
const std::string& public_ip_of(const state::NetworkInterface& interface, const std::string& private_ip);

// Unmaps the address; its interface, if it exists, gets none instead.
void disassociate(state::Transaction& transaction, state::ElasticIp address);
// Unmaps all addresses of the interface, which is being deleted.
void disassociate_all(state::Transaction& transaction, const state::NetworkInterface& interface);

}  // namespace brume::domain
