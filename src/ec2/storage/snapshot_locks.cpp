// Locks protect a snapshot from deletion until a day: in governance mode as long as its owner wants, in compliance mode irrevocably once
// the cooling-off period is over.
#include <fmt/format.h>

#include "ec2/common/describe.hpp"
#include "ec2/storage/snapshots.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using std::chrono::days;
using std::chrono::hours;
using wire::ec2::LockSnapshotRequest;

constexpr std::int64_t most_days = 36'500;
constexpr std::int64_t most_cool_off_hours = 72;

// "governance", "compliance-cooloff", "compliance", "expired"
std::string_view lock_state(const state::Snapshot& snapshot, Time now) {
  if (now >= snapshot.lock_expires) return "expired";
  if (snapshot.lock_mode == "compliance" && now < snapshot.cool_off_until) return "compliance-cooloff";
  return snapshot.lock_mode;
}

std::int64_t days_of(const state::Snapshot& snapshot) {
  const auto length = snapshot.lock_expires - snapshot.lock_created;
  return std::chrono::ceil<days>(length).count();
}
std::int64_t cool_off_hours_of(const state::Snapshot& snapshot) {
  return std::chrono::ceil<hours>(snapshot.cool_off_until - snapshot.lock_created).count();
}

// LockSnapshotResponse and LockedSnapshotsInfo show the same.
template <class Item>
void describe_lock(const state::Snapshot& snapshot, Time now, Item& item) {
  item.snapshot_id = snapshot.id;
  item.lock_state = lock_state(snapshot, now);
  item.lock_duration = days_of(snapshot);
  item.lock_created_on = snapshot.lock_created;
  item.lock_duration_start_time = snapshot.lock_created;
  item.lock_expires_on = snapshot.lock_expires;
  if (snapshot.cool_off_until == Time{}) return;
  item.cool_off_period = cool_off_hours_of(snapshot);
  item.cool_off_period_expires_on = snapshot.cool_off_until;
}

Time read_end(const LockSnapshotRequest& request, Time now) {
  if (!request.lock_duration && !request.expiration_date) throw wire::missing_parameter("LockDuration or ExpirationDate");
  if (request.lock_duration && request.expiration_date)
    throw wire::invalid_parameter_combination("A lock lasts either for LockDuration or until ExpirationDate, not both.");
  if (request.expiration_date) {
    if (*request.expiration_date < now + days(1)) throw wire::invalid_parameter_value("ExpirationDate must be at least one day away.");
    return *request.expiration_date;
  }
  if (*request.lock_duration < 1 || *request.lock_duration > most_days)
    throw wire::invalid_parameter_value(fmt::format("LockDuration must be between 1 and {} days.", most_days));
  return now + days(*request.lock_duration);
}

Time read_cool_off(const LockSnapshotRequest& request, Time now) {
  if (!request.cool_off_period) return {};
  if (*request.lock_mode != "compliance") throw wire::invalid_parameter_combination("CoolOffPeriod is for the compliance mode only.");
  if (*request.cool_off_period < 1 || *request.cool_off_period > most_cool_off_hours)
    throw wire::invalid_parameter_value(fmt::format("CoolOffPeriod must be between 1 and {} hours.", most_cool_off_hours));
  return now + hours(*request.cool_off_period);
}

wire::ec2::LockSnapshotResponse lock_snapshot(state::Transaction& transaction, const Context& context, const LockSnapshotRequest& request) {
  const auto now = transaction.now();
  auto snapshot = find_own_snapshot(transaction.world(), context.account(), *request.snapshot_id);
  if (*request.lock_mode != "governance" && *request.lock_mode != "compliance")
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter lockMode is invalid.", *request.lock_mode));
  if (snapshot.state != state::SnapshotState::completed)
    throw wire::ApiError(400, "IncorrectState", fmt::format("Snapshot '{}' is not 'completed'.", snapshot.id));
  const auto end = read_end(request, now);
  const auto cool_off = read_cool_off(request, now);
  if (is_locked_for_good(snapshot, now)) {
    if (*request.lock_mode != "compliance" || request.cool_off_period || end < snapshot.lock_expires)
      throw wire::ApiError(400, "OperationNotPermitted",
                           fmt::format("The lock of snapshot '{}' is in compliance mode: it can only be made longer.", snapshot.id));
  } else {
    snapshot.cool_off_until = cool_off;
  }
  snapshot.lock_mode = *request.lock_mode;
  snapshot.lock_created = now;
  snapshot.lock_expires = end;
  wire::ec2::LockSnapshotResponse response;
  describe_lock(snapshot, now, response);
  transaction.put(std::move(snapshot));
  return response;
}

wire::ec2::UnlockSnapshotResponse unlock_snapshot(state::Transaction& transaction, const Context& context,
                                                  const wire::ec2::UnlockSnapshotRequest& request) {
  auto snapshot = find_own_snapshot(transaction.world(), context.account(), *request.snapshot_id);
  if (!is_locked(snapshot, transaction.now()))
    throw wire::ApiError(400, "IncorrectState", fmt::format("Snapshot '{}' is not locked.", snapshot.id));
  if (is_locked_for_good(snapshot, transaction.now()))
    throw wire::ApiError(400, "OperationNotPermitted",
                         fmt::format("Snapshot '{}' is locked in compliance mode and cannot be unlocked.", snapshot.id));
  snapshot.lock_mode.clear();
  snapshot.lock_created = snapshot.lock_expires = snapshot.cool_off_until = Time{};
  wire::ec2::UnlockSnapshotResponse response;
  response.snapshot_id = snapshot.id;
  transaction.put(std::move(snapshot));
  return response;
}

const FilterField<state::Snapshot> lock_filters[] = {
    {"lock-state", [](const auto& at, auto& out) { out.add(lock_state(at.record, at.context->now)); }},
};

wire::ec2::DescribeLockedSnapshotsResponse describe_locked_snapshots(const state::World& world, const Context& context,
                                                                     const wire::ec2::DescribeLockedSnapshotsRequest& request) {
  const auto& ids = request.snapshot_ids;
  check_owned<state::Snapshot>(world, context.account(), "snap", ids);
  wire::ec2::DescribeLockedSnapshotsResponse response;
  const Listing<state::Snapshot> snapshots(world, context, request, {.action = "DescribeLockedSnapshots", .filters = lock_filters});
  response.next_token = snapshots.each_where(
      [&](const state::Snapshot& snapshot) {
        return !snapshot.lock_mode.empty() && (ids.empty() || std::find(ids.begin(), ids.end(), snapshot.id) != ids.end());
      },
      [&](const state::Snapshot& snapshot) {
        auto& item = response.snapshots.emplace_back();
        item.owner_id = snapshot.account;
        describe_lock(snapshot, context.now, item);
      });
  return response;
}

}  // namespace

bool is_locked(const state::Snapshot& snapshot, Time now) { return !snapshot.lock_mode.empty() && now < snapshot.lock_expires; }

bool is_locked_for_good(const state::Snapshot& snapshot, Time now) {
  return is_locked(snapshot, now) && snapshot.lock_mode == "compliance" && now >= snapshot.cool_off_until;
}

std::vector<service::Action> snapshot_lock_actions() {
  using namespace wire::ec2;
  return {
      service::write_action<LockSnapshotRequest>("LockSnapshot", lock_snapshot),
      service::write_action<UnlockSnapshotRequest>("UnlockSnapshot", unlock_snapshot),
      service::read_action<DescribeLockedSnapshotsRequest>("DescribeLockedSnapshots", describe_locked_snapshots),
  };
}

}  // namespace brume::ec2
