// Resources that are described for an hour after their deletion, in the state "deleted": their records have `state` and `deleted`.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "ec2/common/resource_ids.hpp"
#include "ec2/common/tags.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

inline constexpr auto shown_after_deletion = std::chrono::hours(1);

// Its hour is over: it is not shown any more, whether or not it has been removed.
template <class R>
bool is_forgotten(const R& record, Time now) {
  return record.state != decltype(record.state)::available && now - record.deleted >= shown_after_deletion;
}

// Like check_owned: the ids are well formed, and belong to what the account is shown.
template <class R>
void check_shown(const state::World& world, std::string_view account, std::string_view prefix, const std::vector<std::string>& ids,
                 Time now) {
  std::vector<std::string> unknown;
  for (const auto& id : ids) {
    check_id(prefix, id);
    const auto* found = world.find<R>(account, id);
    if (found == nullptr || is_forgotten(*found, now)) unknown.push_back(id);
  }
  if (!unknown.empty()) throw ids_unknown(prefix, unknown);
}

template <class R>
void sweep_deleted(state::Transaction& transaction, const std::string& account) {
  std::vector<std::string> over;
  transaction.world().each_of<R>(account, [&](const R& record) {
    if (is_forgotten(record, transaction.now())) over.push_back(record.id);
  });
  for (const auto& id : over) {
    erase_tags(transaction, account, id);
    transaction.erase<R>(state::owned_key(account, id));
  }
}

template <class R>
void mark_deleted(state::Transaction& transaction, R record) {
  record.state = decltype(record.state)::deleted;
  record.deleted = transaction.now();
  sweep_deleted<R>(transaction, record.account);
  transaction.put(std::move(record));
}

}  // namespace brume::ec2
