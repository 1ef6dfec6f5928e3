#include "domain/elastic_ips.hpp"

namespace brume::domain {

const state::ElasticIp* find_elastic_ip(const state::World& world, const std::string& public_ip) {
  return public_ip.empty() ? nullptr : world.find_indexed<state::ElasticIp>(state::Index::elastic_ip_by_public_ip, public_ip);
}

void set_public_ip(state::NetworkInterface& interface, const std::string& private_ip, const std::string& public_ip) {
  if (interface.private_ip == private_ip) interface.public_ip = public_ip;
  for (auto& one : interface.secondary)
    if (one.private_ip == private_ip) one.public_ip = public_ip;
}

const std::string& public_ip_of(const state::NetworkInterface& interface, const std::string& private_ip) {
  static const std::string none;
  if (interface.private_ip == private_ip) return interface.public_ip;
  for (const auto& one : interface.secondary)
    if (one.private_ip == private_ip) return one.public_ip;
  return none;
}

void disassociate(state::Transaction& transaction, state::ElasticIp address) {
  if (const auto* found = transaction.find<state::NetworkInterface>(address.account, address.interface_id);
      found != nullptr && public_ip_of(*found, address.private_ip) == address.public_ip) {
    auto interface = *found;
    set_public_ip(interface, address.private_ip, "");
    transaction.put(std::move(interface));
  }
  address.association_id.clear();
  address.interface_id.clear();
  address.private_ip.clear();
  transaction.put(std::move(address));
}

void disassociate_all(state::Transaction& transaction, const state::NetworkInterface& interface) {
  std::vector<state::ElasticIp> held;
  transaction.world().each_indexed<state::ElasticIp>(state::Index::elastic_ip_by_interface, interface.id,
                                                     [&](const state::ElasticIp& address) { held.push_back(address); });
  for (auto& address : held) disassociate(transaction, std::move(address));
}

}  // namespace brume::domain
