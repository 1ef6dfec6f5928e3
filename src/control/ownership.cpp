#include "control/ownership.hpp"

namespace brume::control {

bool Ownership::is_elsewhere(const state::World& world, std::string_view instance_key) const {
  const auto* instance = world.find<state::Instance>(instance_key);
  return instance != nullptr && !mine(*instance);
}

Ownership::Subject Ownership::subject_of(const state::World& world, std::string_view key) const {
  const auto slash = key.find('/');
  const auto kind = key.substr(0, slash);
  const auto name = slash == std::string_view::npos ? std::string_view() : key.substr(slash + 1);
  const auto judge = [&](const auto* record) {
    if (record == nullptr) return Subject::unknown;
    return mine(*record) ? Subject::mine : Subject::other;
  };
  if (kind == "instance") return judge(world.find<state::Instance>(name));
  if (kind == "volume") return judge(world.find<state::Volume>(name));
  if (kind == "snapshot") return judge(world.find<state::Snapshot>(name));
  if (kind == "image") return judge(world.find<state::Image>(name));
  if (kind == "root") {
    // A task is its instance's; when that is gone, its new volume's.
    const auto* task = world.find<state::RootReplacement>(name);
    if (task == nullptr) return Subject::unknown;
    if (const auto* instance = world.find<state::Instance>(task->account, task->instance_id)) return judge(instance);
    return judge(world.find<state::Volume>(task->account, task->volume_id)) == Subject::other ? Subject::other : Subject::mine;
  }
  // The rest is each host's own: its part of a VPC, its names, its flow logs, its folding.
  return Subject::mine;
}

}  // namespace brume::control
