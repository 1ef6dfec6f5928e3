// Customer gateways, virtual private gateways and VPN connections (OPS-038): what their actions share.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "ec2/tags.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// Deleted ones are shown for an hour, then swept away with the next deletion.
template <class R>
void sweep_deleted(state::Transaction& transaction, const std::string& account) {
  std::vector<std::string> over;
  transaction.world().each_of<R>(account, [&](const R& record) {
    if (record.state == "deleted" && transaction.now() - record.deleted >= std::chrono::hours(1)) over.push_back(record.id);
  });
  for (const auto& id : over) {
    erase_tags(transaction, account, id);
    transaction.erase<R>(state::owned_key(account, id));
  }
}

template <class R>
void mark_deleted(state::Transaction& transaction, R record) {
  record.state = "deleted";
  record.deleted = transaction.now();
  sweep_deleted<R>(transaction, record.account);
  transaction.put(std::move(record));
}

// What the customer's side has to be set up with: an XML document, with the pre-shared keys.
std::string customer_configuration(const state::VpnConnection& connection, const state::CustomerGateway& customer,
                                   const state::VpnGateway& gateway);

}  // namespace brume::ec2
