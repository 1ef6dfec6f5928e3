// What the actions on volumes share: how a volume is shown, and how the ids in a request are looked up.
#pragma once

#include <string>
#include <vector>

#include "service/action.hpp"
#include "state/store.hpp"
#include "wire/ec2/volumes.hpp"

namespace brume::ec2 {

// The account's volume. Throws InvalidVolumeID.Malformed, InvalidVolume.NotFound.
const state::Volume& find_volume(const state::World& world, const std::string& account, const std::string& id);

// The element of DescribeVolumes and CreateVolume.
wire::ec2::Volume describe_volume(const state::World& world, const service::Context& context, const state::Volume& volume);
wire::ec2::VolumeAttachment describe_attachment(const state::Volume& volume, const state::VolumeAttachment& attachment);

// Throws IncorrectState unless a snapshot of it can be taken.
void check_can_be_snapshot(const state::Volume& volume);

std::vector<service::Action> volume_attachment_actions();
std::vector<service::Action> volume_change_actions();
std::vector<service::Action> volume_status_actions();

}  // namespace brume::ec2
