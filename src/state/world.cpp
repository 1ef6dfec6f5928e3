#include "state/world.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "state/kinds.hpp"

namespace brume::state {
namespace {

// Under which the sums of its host are kept: of all accounts, and of its own.
std::array<std::string, 2> names_on_host(const Instance& instance) {
  return {owned_key(instance.host, ""), owned_key(instance.host, instance.account)};
}

}  // namespace

World::Record World::set(Kind kind, std::string_view key, Record record) {
  PersistentMap& records = maps_[static_cast<size_t>(kind)];
  Record before = records.get(key);
  const auto now = record ? index_entries(kind, key, record.get()) : std::vector<IndexEntry>();
  if (before) {
    for (const auto& entry : index_entries(kind, key, before.get()))
      if (std::find(now.begin(), now.end(), entry) == now.end()) indexes_[static_cast<size_t>(entry.index)].erase(entry.key);
  }
  for (const auto& entry : now) indexes_[static_cast<size_t>(entry.index)].put(entry.key, record);
  if (kind == Kind::instance) count<Instance>(before, record);
  if (kind == Kind::volume) count<Volume>(before, record);
  if (record)
    records.put(key, std::move(record));
  else if (before)
    records.erase(key);
  return before;
}

void World::put_unindexed(Kind kind, std::string_view key, Record record) { maps_[static_cast<size_t>(kind)].put(key, std::move(record)); }

void World::index_all() {
  std::array<std::vector<std::pair<std::string, Record>>, static_cast<size_t>(Index::count)> entries;
  for (size_t kind = 0; kind < maps_.size(); ++kind) {
    for (auto at = maps_[kind].seek({}, {}); at.valid(); at.next())
      for (auto& entry : index_entries(static_cast<Kind>(kind), at.key(), at.value()))
        entries[static_cast<size_t>(entry.index)].emplace_back(std::move(entry.key), at.shared_value());
  }
  for (size_t index = 0; index < entries.size(); ++index) {
    std::sort(entries[index].begin(), entries[index].end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [key, record] : entries[index]) indexes_[index].put(key, std::move(record));
  }
  std::map<std::string, Usage> sums;
  const auto sum_up = [&](const auto& record) {
    sums[record.account].add(record, 1);
    sums[""].add(record, 1);
  };
  each<Instance>("", [&](const Instance& instance) {
    sum_up(instance);
    if (instance.host.empty()) return;
    for (const auto& name : names_on_host(instance)) sums[name].add(instance, 1);
  });
  each<Volume>("", sum_up);
  for (const auto& [account, sum] : sums) usage_.put(account, std::make_shared<const Usage>(sum));
}

template <class R>
void World::count(const Record& before, const Record& now) {
  const auto* left = static_cast<const R*>(before.get());
  const auto* came = static_cast<const R*>(now.get());
  if (left == nullptr && came == nullptr) return;
  const std::string_view account = came != nullptr ? came->account : left->account;
  Usage change;
  if (left != nullptr) change.add(*left, -1);
  if (came != nullptr) change.add(*came, 1);
  for (const auto name : {account, std::string_view()}) add_usage(name, change);
  if constexpr (std::is_same_v<R, Instance>) {
    const bool moved = left != nullptr && came != nullptr && left->host != came->host;
    for (const auto* one : {left, came}) {
      if (one == nullptr || one->host.empty() || (one == left && came != nullptr && !moved)) continue;
      Usage here = change;
      if (moved) {
        here = {};
        here.add(*one, one == left ? -1 : 1);
      }
      for (const auto& name : names_on_host(*one)) add_usage(name, here);
    }
  }
}

void World::add_usage(std::string_view name, const Usage& change) {
  if (change == Usage{}) return;
  auto sum = usage(name);
  sum.add(change);
  usage_.put(name, std::make_shared<const Usage>(sum));
}

const Usage& World::usage(std::string_view account) const {
  static const Usage none;
  const auto* found = static_cast<const Usage*>(usage_.find(account));
  return found == nullptr ? none : *found;
}

const Usage& World::usage_on(std::string_view host, std::string_view account) const { return usage(owned_key(host, account)); }

}  // namespace brume::state
