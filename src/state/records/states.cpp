#include "state/records/states.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace brume::state {
namespace {

template <class State>
struct Names;  // of an enumeration that is stored by name

template <>
struct Names<VolumeState> {
  static constexpr std::string_view all[] = {"creating", "available", "in-use", "deleting", "error"};
};
template <>
struct Names<AttachmentState> {
  static constexpr std::string_view all[] = {"", "attaching", "attached", "detaching", "busy"};
};
template <>
struct Names<ModificationState> {
  static constexpr std::string_view all[] = {"modifying", "optimizing", "completed", "failed"};
};
template <>
struct Names<SnapshotState> {
  static constexpr std::string_view all[] = {"pending", "completed", "error", "deleting"};
};
template <>
struct Names<ImageState> {
  static constexpr std::string_view all[] = {"pending", "available", "failed", "disabled", "deregistered"};
};
template <>
struct Names<RootReplacementState> {
  static constexpr std::string_view all[] = {"pending", "in-progress", "succeeded", "failed"};
};
template <>
struct Names<PeeringState> {
  static constexpr std::string_view all[] = {"", "pending-acceptance", "active", "rejected", "deleted", "failed"};
};
template <>
struct Names<NatState> {
  static constexpr std::string_view all[] = {"available", "failed", "deleted"};
};
template <>
struct Names<VpnState> {
  static constexpr std::string_view all[] = {"available", "deleted"};
};
template <>
struct Names<PrefixListState> {
  static constexpr std::string_view all[] = {"create-complete", "modify-complete", "restore-complete", "delete-failed"};
};
template <>
struct Names<InstanceVerb> {
  static constexpr std::string_view all[] = {"terminate", "stop", "force-stop", "reboot"};
};

template <class State>
std::string_view stored_name(State state) {
  const auto at = static_cast<size_t>(state);
  return at < std::size(Names<State>::all) ? Names<State>::all[at] : "unknown";
}

template <class State>
using Moves = std::initializer_list<std::pair<State, State>>;

template <class State>
bool is_among(const Moves<State>& moves, State from, State to) {
  return std::find(moves.begin(), moves.end(), std::pair(from, to)) != moves.end();
}

}  // namespace

template <class State>
std::span<const std::string_view> names_of() {
  return Names<State>::all;
}

template std::span<const std::string_view> names_of<VolumeState>();
template std::span<const std::string_view> names_of<AttachmentState>();
template std::span<const std::string_view> names_of<ModificationState>();
template std::span<const std::string_view> names_of<SnapshotState>();
template std::span<const std::string_view> names_of<ImageState>();
template std::span<const std::string_view> names_of<RootReplacementState>();
template std::span<const std::string_view> names_of<PeeringState>();
template std::span<const std::string_view> names_of<NatState>();
template std::span<const std::string_view> names_of<VpnState>();
template std::span<const std::string_view> names_of<PrefixListState>();
template std::span<const std::string_view> names_of<InstanceVerb>();

std::string_view name_of(VolumeState state) { return stored_name(state); }
std::string_view name_of(AttachmentState state) { return stored_name(state); }
std::string_view name_of(ModificationState state) { return stored_name(state); }
std::string_view name_of(SnapshotState state) { return stored_name(state); }
std::string_view name_of(ImageState state) { return stored_name(state); }
std::string_view name_of(RootReplacementState state) { return stored_name(state); }
std::string_view name_of(PeeringState state) { return stored_name(state); }
std::string_view name_of(NatState state) { return stored_name(state); }
std::string_view name_of(VpnState state) { return stored_name(state); }
std::string_view name_of(PrefixListState state) { return stored_name(state); }
std::string_view name_of(InstanceVerb verb) { return stored_name(verb); }

std::string_view name_of(InstanceState state) {
  switch (state) {
    case InstanceState::pending: return "pending";
    case InstanceState::running: return "running";
    case InstanceState::shutting_down: return "shutting-down";
    case InstanceState::terminated: return "terminated";
    case InstanceState::stopping: return "stopping";
    case InstanceState::stopped: return "stopped";
  }
  return "unknown";
}

bool may_become(InstanceState from, InstanceState to) {
  using enum InstanceState;
  switch (from) {
    // A failed launch is terminated; a failed start goes back to stopped.
    case pending: return to == running || to == shutting_down || to == terminated || to == stopped;
    // Also if the guest powers itself off: what it held is returned on the way, so no state is skipped.
    case running: return to == stopping || to == shutting_down;
    case stopping: return to == stopped || to == shutting_down;
    case stopped: return to == pending || to == shutting_down;
    case shutting_down: return to == terminated;
    case terminated: return false;
  }
  return false;
}

bool may_become(VolumeState from, VolumeState to) {
  using enum VolumeState;
  static const Moves<VolumeState> moves = {
      // A volume of a launch is in use once the machine runs; if the launch fails, volumes that were not made yet are abandoned.
      {creating, available}, {creating, in_use},  {creating, deleting}, {creating, error}, {available, in_use},
      {available, deleting}, {in_use, available}, {in_use, deleting},   {error, deleting}};
  return is_among(moves, from, to);
}

bool may_become(AttachmentState from, AttachmentState to) {
  using enum AttachmentState;
  // A forced detachment may follow a normal one that has not finished; a detached volume is attached to nothing.
  static const Moves<AttachmentState> moves = {{none, attaching}, {none, attached},      {attaching, attached}, {attaching, detaching},
                                               {attaching, none}, {attached, detaching}, {attached, none},      {detaching, busy},
                                               {detaching, none}, {busy, detaching},     {busy, none}};
  return is_among(moves, from, to);
}

bool may_become(ModificationState from, ModificationState to) {
  using enum ModificationState;
  // The volume's next modification replaces a finished one.
  static const Moves<ModificationState> moves = {{modifying, optimizing}, {modifying, completed}, {modifying, failed},
                                                 {optimizing, completed}, {optimizing, failed},   {completed, modifying},
                                                 {completed, optimizing}, {failed, modifying},    {failed, optimizing}};
  return is_among(moves, from, to);
}

bool may_become(SnapshotState from, SnapshotState to) {
  using enum SnapshotState;
  static const Moves<SnapshotState> moves = {
      {pending, completed}, {pending, error}, {pending, deleting}, {completed, deleting}, {error, deleting}};
  return is_among(moves, from, to);
}

bool may_become(ImageState from, ImageState to) {
  using enum ImageState;
  static const Moves<ImageState> moves = {{pending, available},     {pending, failed},     {pending, deregistered},
                                          {available, disabled},    {disabled, available}, {available, deregistered},
                                          {disabled, deregistered}, {failed, deregistered}};
  return is_among(moves, from, to);
}

bool may_become(RootReplacementState from, RootReplacementState to) {
  using enum RootReplacementState;
  static const Moves<RootReplacementState> moves = {
      {pending, in_progress}, {pending, failed}, {in_progress, succeeded}, {in_progress, failed}};
  return is_among(moves, from, to);
}

bool may_become(PeeringState from, PeeringState to) {
  using enum PeeringState;
  static const Moves<PeeringState> moves = {{none, pending_acceptance},
                                            {none, failed},
                                            {pending_acceptance, active},
                                            {pending_acceptance, rejected},
                                            {pending_acceptance, deleted},
                                            {pending_acceptance, failed},
                                            {active, deleted}};
  return is_among(moves, from, to);
}

bool may_become(NatState from, NatState to) {
  using enum NatState;
  static const Moves<NatState> moves = {{available, deleted}, {failed, deleted}};
  return is_among(moves, from, to);
}

bool may_become(VpnState from, VpnState to) { return from == VpnState::available && to == VpnState::deleted; }

}  // namespace brume::state
