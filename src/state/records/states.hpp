// The states of records, with their names as EC2 shows and the log stores them, and for each kind one table of the permitted transitions.
// Transaction::put checks every change of a record's state against its table. Attachments, of which a volume may have several, have a table
// that it does not check yet.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace brume::state {

// The values are EC2's state codes (DescribeInstances).
enum class InstanceState : std::int64_t { pending = 0, running = 16, shutting_down = 32, terminated = 48, stopping = 64, stopped = 80 };

enum class VolumeState : std::uint8_t { creating, available, in_use, deleting, error };
enum class AttachmentState : std::uint8_t { none, attaching, attached, detaching, busy };
enum class ModificationState : std::uint8_t { modifying, optimizing, completed, failed };
enum class SnapshotState : std::uint8_t { pending, completed, error, deleting };
enum class ImageState : std::uint8_t { pending, available, failed, disabled, deregistered };
enum class RootReplacementState : std::uint8_t { pending, in_progress, succeeded, failed };
// An expired request is still `pending_acceptance`; its time tells.
enum class PeeringState : std::uint8_t { none, pending_acceptance, active, rejected, deleted, failed };
// `failed`: it never had an interface, and its address is not its own.
enum class NatState : std::uint8_t { available, failed, deleted };
// Of customer gateways, virtual private gateways and VPN connections.
enum class VpnState : std::uint8_t { available, deleted };
enum class PrefixListState : std::uint8_t { create_complete, modify_complete, restore_complete, delete_failed };
// What a call asks of instances; no state, but stored like one.
enum class InstanceVerb : std::uint8_t { terminate, stop, force_stop, reboot };

// "shutting-down".
std::string_view name_of(InstanceState state);
std::string_view name_of(VolumeState state);
std::string_view name_of(AttachmentState state);
std::string_view name_of(ModificationState state);
std::string_view name_of(SnapshotState state);
std::string_view name_of(ImageState state);
std::string_view name_of(RootReplacementState state);
std::string_view name_of(PeeringState state);
std::string_view name_of(NatState state);
std::string_view name_of(VpnState state);
std::string_view name_of(PrefixListState state);
std::string_view name_of(InstanceVerb verb);

// The names of an enumeration that is stored by name, in the order of its values.
template <class State>
std::span<const std::string_view> names_of();

// Whether `to`, a different state, may follow `from`.
bool may_become(InstanceState from, InstanceState to);
bool may_become(VolumeState from, VolumeState to);
bool may_become(AttachmentState from, AttachmentState to);
bool may_become(ModificationState from, ModificationState to);
bool may_become(SnapshotState from, SnapshotState to);
bool may_become(ImageState from, ImageState to);
bool may_become(RootReplacementState from, RootReplacementState to);
bool may_become(PeeringState from, PeeringState to);
bool may_become(NatState from, NatState to);
bool may_become(VpnState from, VpnState to);

}  // namespace brume::state
