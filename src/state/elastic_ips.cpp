#include "state/elastic_ips.hpp"

namespace brume::state {

const ElasticIp* find_elastic_ip(const World& world, const std::string& public_ip) {
  return public_ip.empty() ? nullptr : world.find_indexed<ElasticIp>(Index::elastic_ip_by_public_ip, public_ip);
}

void set_public_ip(NetworkInterface& interface, const std::string& private_ip, const std::string& public_ip) {
  if (interface.private_ip == private_ip) interface.public_ip = public_ip;
  for (auto& one : interface.secondary)
    if (one.private_ip == private_ip) one.public_ip = public_ip;
}

const std::string& public_ip_of(const NetworkInterface& interface, const std::string& private_ip) {
  static const std::string none;
  if (interface.private_ip == private_ip) return interface.public_ip;
  for (const auto& one : interface.secondary)
    if (one.private_ip == private_ip) return one.public_ip;
  return none;
}

void disassociate(Transaction& transaction, ElasticIp address) {
  if (const auto* found = transaction.find<NetworkInterface>(address.account, address.interface_id);
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

void disassociate_all(Transaction& transaction, const NetworkInterface& interface) {
  std::vector<ElasticIp> held;
  transaction.world().each_indexed<ElasticIp>(Index::elastic_ip_by_interface, interface.id,
                                              [&](const ElasticIp& address) { held.push_back(address); });
  for (auto& address : held) disassociate(transaction, std::move(address));
}

}  // namespace brume::state
