// Recycle bins of images, snapshots and volumes, in which retention rules keep what is deleted. There are no such rules (their service is
// not built), so deleted things are gone at once: each bin is empty, and every id that is asked for is not in it.
#include "wire/ec2/recycle_bin.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/paging.hpp"
#include "ec2/common/resource_ids.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

void refuse_all(std::string_view prefix, const std::vector<std::string>& ids) {
  for (const auto& id : ids) check_id(prefix, id);
  if (!ids.empty()) throw ids_unknown(prefix, ids);
}

wire::ec2::ListImagesInRecycleBinResponse list_images(const state::World&, const Context& context,
                                                      const wire::ec2::ListImagesInRecycleBinRequest& request) {
  refuse_all("ami", request.image_ids);
  const Page page(context, "ListImagesInRecycleBin", request.max_results, request.next_token, {1, 1000});
  return {};
}

wire::ec2::ListSnapshotsInRecycleBinResponse list_snapshots(const state::World&, const Context& context,
                                                            const wire::ec2::ListSnapshotsInRecycleBinRequest& request) {
  refuse_all("snap", request.snapshot_ids);
  const Page page(context, "ListSnapshotsInRecycleBin", request.max_results, request.next_token, {5, 1000});
  return {};
}

wire::ec2::ListVolumesInRecycleBinResponse list_volumes(const state::World&, const Context& context,
                                                        const wire::ec2::ListVolumesInRecycleBinRequest& request) {
  refuse_all("vol", request.volume_ids);
  const Page page(context, "ListVolumesInRecycleBin", request.max_results, request.next_token, {5, 500});
  return {};
}

}  // namespace

std::vector<service::Action> recycle_bin_actions() {
  using namespace wire::ec2;
  return {
      service::read_action<ListImagesInRecycleBinRequest>("ListImagesInRecycleBin", list_images),
      service::read_action<ListSnapshotsInRecycleBinRequest>("ListSnapshotsInRecycleBin", list_snapshots),
      service::read_action<ListVolumesInRecycleBinRequest>("ListVolumesInRecycleBin", list_volumes),
  };
}

}  // namespace brume::ec2
