// One consistent version of everything. A World is immutable: whoever holds one may read it for as long as they like, on any thread,
// without a lock and without seeing a later change. Making the next version copies only the path to what changed.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "state/persistent_map.hpp"
#include "state/records.hpp"
#include "state/usage.hpp"

namespace brume::state {

// Other ways to find a record. Keys of entries are the value, '\x1f' and the primary key; a record may have several entries or
// none. Extracted in kinds.cpp.
enum class Index : std::uint8_t {
  interface_by_private_ip,      // "vpc-…/172.31.0.5" → network_interface
  interface_by_public_ip,       // "198.18.0.5" → network_interface
  interface_by_group,           // "sg-…" → network_interface
  image_by_id,                  // "ami-…" → image
  instance_by_reservation,      // "r-…" → instance
  instance_by_id,               // "i-…" → instance
  vpc_by_id,                    // "vpc-…" → vpc
  instance_by_placement_group,  // "account/name" → instance
  snapshot_by_id,               // "snap-…" → snapshot
  interface_by_attachment,      // "eni-attach-…" → network_interface
  elastic_ip_by_public_ip,      // "198.18.0.5" → elastic_ip
  elastic_ip_by_interface,      // "eni-…" → elastic_ip
  route_table_by_vpc,           // "vpc-…" → route_table
  network_acl_by_vpc,           // "vpc-…" → network_acl
  internet_gateway_by_vpc,      // "vpc-…" → internet_gateway
  security_group_by_id,         // "sg-…" → security_group
  peering_by_id,                // "pcx-…" → vpc_peering
  peering_by_vpc,               // "vpc-…" → vpc_peering, of both VPCs
  peering_by_account,           // "123456789012" → vpc_peering, of both accounts
  endpoint_by_vpc,              // "vpc-…" → vpc_endpoint
  flow_log_by_resource,         // "vpc-…", "subnet-…", "eni-…" → flow_log
  interface_by_ipv6,            // "vpc-…/2001:db8::5" → network_interface
  interface_by_vpc,             // "vpc-…" → network_interface
  subnet_by_vpc,                // "vpc-…" → subnet
  security_group_by_vpc,        // "vpc-…" → security_group
  nat_gateway_by_vpc,           // "vpc-…" → nat_gateway
  vpn_gateway_by_vpc,           // "vpc-…" → vpn_gateway, attached ones
  vpn_connection_by_gateway,    // "vgw-…" → vpn_connection
  elastic_ip_with_name,         // "named" → elastic_ip, those with a reverse record of their own
  volume_by_id,                 // "vol-…" → volume
  volume_by_source,             // "snap-…" → volume, as long as it is being made of it
  snapshot_by_source,           // "snap-…" → snapshot, as long as it is being copied from it or written over it
  snapshot_by_volume,           // "vol-…" → snapshot, as long as it is to be taken
  snapshot_by_set,              // "account/set" → snapshot, as long as it is to be taken
  image_by_snapshot,            // "snap-…" → image, as long as it is being made of an instance
  root_task_by_instance,        // "i-…" → root_replacement that is not over
  root_task_by_volume,          // "vol-…", the new root → root_replacement that is not over
  image_by_instance,            // "i-…" → image, as long as it waits for the instance's shutdown
  count
};

template <class R>
using Pointer = std::shared_ptr<const R>;

// How many records walks over Worlds have visited on this thread: for tests that a piece of work visits no more than concern it.
inline constinit thread_local std::uint64_t visited_records = 0;

class World {
 public:
  std::uint64_t version() const { return version_; }

  // nullptr: not there. The pointer lives as long as this World.
  template <class R>
  const R* find(std::string_view key) const {
    return static_cast<const R*>(map(R::kind).find(key));
  }
  template <class R>
  const R* find(std::string_view account, std::string_view id) const {
    return find<R>(owned_key(account, id));
  }
  // Shares ownership, for what must outlive this World.
  template <class R>
  Pointer<R> get(std::string_view key) const {
    return std::static_pointer_cast<const R>(map(R::kind).get(key));
  }

  // Inside a decision: the visitor may put and erase; the walk goes on over what was there when it began.
  // visit(const R&) for each record whose key starts with `prefix`, in key order, from `after` (exclusive, may be empty) on;
  // stops when it returns false. A visitor that returns void sees all.
  template <class R, class Visitor>
  void each(std::string_view prefix, Visitor&& visit, std::string_view after = {}) const {
    // Our own copy: a decision may put records while it walks.
    const PersistentMap walked = map(R::kind);
    for (auto at = walked.seek(prefix, after); at.valid(); at.next()) {
      if (!at.key().starts_with(prefix)) return;
      const R& record = *static_cast<const R*>(at.value());
      ++visited_records;
      if constexpr (std::is_void_v<decltype(visit(record))>)
        visit(record);
      else if (!visit(record))
        return;
    }
  }
  // The records of one account: its keys start with "account/".
  template <class R, class Visitor>
  void each_of(std::string_view account, Visitor&& visit, std::string_view after_id = {}) const {
    each<R>(owned_key(account, ""), std::forward<Visitor>(visit), after_id.empty() ? std::string() : owned_key(account, after_id));
  }
  template <class R>
  size_t size() const {
    return map(R::kind).size();
  }

  // Visits the records that the index has under `value`; R is the kind that the index is of.
  template <class R, class Visitor>
  void each_indexed(Index index, std::string_view value, Visitor&& visit) const {
    std::string prefix(value);
    prefix += '\x1f';
    const PersistentMap walked = index_map(index);
    for (auto at = walked.seek(prefix, {}); at.valid(); at.next()) {
      if (!at.key().starts_with(prefix)) return;
      const R& record = *static_cast<const R*>(at.value());
      ++visited_records;
      if constexpr (std::is_void_v<decltype(visit(record))>)
        visit(record);
      else if (!visit(record))
        return;
    }
  }
  // The first record under `value`, nullptr when there is none.
  template <class R>
  const R* find_indexed(Index index, std::string_view value) const {
    const R* found = nullptr;
    each_indexed<R>(index, value, [&](const R& record) {
      found = &record;
      return false;
    });
    return found;
  }

  // What the account's instances and volumes take; of an empty name: what all accounts' take together.
  const Usage& usage(std::string_view account) const;
  // What the instances that are placed on the host take, of the account or of all of them.
  const Usage& usage_on(std::string_view host, std::string_view account = {}) const;

 private:
  friend class Transaction;
  friend class Replica;
  using Record = std::shared_ptr<const void>;
  // Puts the record (null: erases what is there) and keeps the indexes in step. Returns what was there.
  Record set(Kind kind, std::string_view key, Record record);
  // For the start: put leaves the indexes alone, index_all then makes them from nothing, sorted, which fills their nodes.
  void put_unindexed(Kind kind, std::string_view key, Record record);
  void index_all();
  template <class R>
  void count(const Record& before, const Record& now);  // of an instance or a volume
  void add_usage(std::string_view name, const Usage& change);
  const PersistentMap& map(Kind kind) const { return maps_[static_cast<size_t>(kind)]; }
  const PersistentMap& index_map(Index index) const { return indexes_[static_cast<size_t>(index)]; }

  std::uint64_t version_ = 0;
  std::array<PersistentMap, static_cast<size_t>(Kind::count)> maps_;
  std::array<PersistentMap, static_cast<size_t>(Index::count)> indexes_;
  // By account, "" for all; of instances also by host as "host/account".
  PersistentMap usage_;
};

using WorldPointer = std::shared_ptr<const World>;

}  // namespace brume::state
