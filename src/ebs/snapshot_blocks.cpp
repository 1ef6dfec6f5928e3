#include "ebs/snapshot_blocks.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/crypto.hpp"
#include "base/text.hpp"
#include "ebs/block_tokens.hpp"
#include "ec2/common/client_tokens.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/storage/snapshots.hpp"
#include "ec2/storage/volume_rules.hpp"
#include "wire/ebs/snapshot_blocks.hpp"

namespace brume::ebs {
namespace {

using service::Context;
using service::SnapshotBlocks;
using wire::ApiError;

constexpr std::int64_t block_bytes = 512 << 10;
constexpr std::int64_t blocks_per_gib = (1 << 30) / block_bytes;
constexpr std::int64_t largest_gib = 16384;
constexpr std::int64_t smallest_page = 100;
constexpr std::int64_t largest_page = 10000;
constexpr auto token_life = std::chrono::hours(24 * 7);
constexpr std::int64_t default_minutes = 60;

ApiError invalid(std::string reason, std::string message) { return {400, "ValidationException", std::move(message), std::move(reason)}; }

ApiError no_snapshot(const std::string& id) {
  return {404, "ResourceNotFoundException", fmt::format("The snapshot '{}' does not exist.", id), "SNAPSHOT_NOT_FOUND"};
}

// What control could not do with a snapshot that was there a moment ago; none where it is our fault.
std::optional<ApiError> in_words(const Error& error, const std::string& id) {
  if (error.kind == ErrorKind::not_found) return no_snapshot(id);
  if (error.kind == ErrorKind::exhausted)
    return ApiError(402, "ServiceQuotaExceededException", "There is no room left for it.", "DEPENDENCY_SERVICE_QUOTA_EXCEEDED");
  if (error.kind == ErrorKind::refused) return ApiError(409, "ConflictException", error.message);
  return std::nullopt;
}

template <class T>
T expect(Result<T> result, const std::string& id) {
  if (!result) {
    if (const auto known = in_words(result.error(), id)) throw ApiError(*known);
    throw std::runtime_error(result.error().message);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

bool is_snapshot_id(std::string_view id) {
  return id.starts_with("snap-") && id.size() > 5 && id.size() <= 64 &&
         id.find_first_not_of("0123456789abcdef", 5) == std::string_view::npos;
}

const state::Snapshot& find(const state::World& world, const Context& context, const std::string& id) {
  if (!is_snapshot_id(id)) throw invalid("INVALID_SNAPSHOT_ID", fmt::format("'{}' is not the id of a snapshot.", id));
  const auto* snapshot = world.find_indexed<state::Snapshot>(state::Index::snapshot_by_id, id);
  if (snapshot == nullptr || snapshot->state == state::SnapshotState::deleting || !ec2::may_restore(world, *snapshot, context.account()))
    throw no_snapshot(id);
  return *snapshot;
}

const state::Snapshot& find_completed(const state::World& world, const Context& context, const std::string& id) {
  const auto& snapshot = find(world, context, id);
  if (snapshot.state != state::SnapshotState::completed)
    throw invalid("INVALID_SNAPSHOT_ID", fmt::format("The snapshot '{}' is not completed.", id));
  return snapshot;
}

// One that the caller is writing.
const state::Snapshot& find_open(const state::World& world, const Context& context, const std::string& id) {
  const auto& snapshot = find(world, context, id);
  if (snapshot.account != context.account())
    throw ApiError(403, "AccessDeniedException", "Only the owner of a snapshot writes it.", "UNAUTHORIZED_ACCOUNT");
  if (snapshot.write_minutes == 0 || snapshot.state == state::SnapshotState::completed)
    throw invalid("INVALID_SNAPSHOT_ID", fmt::format("The snapshot '{}' is not one that is being written.", id));
  if (snapshot.state != state::SnapshotState::pending)
    throw invalid("WRITE_REQUEST_TIMEOUT", fmt::format("The snapshot '{}' was given up: {}", id, snapshot.state_message));
  return snapshot;
}

// Which blocks of a listing belong to the page that is asked for.
struct Page {
  std::vector<std::int64_t> blocks;
  std::optional<std::string> next;
};

template <class Request>
Page choose_page(const Context& context, const Request& request, const std::string& listing, const SnapshotBlocks::Runs& runs) {
  const auto most = request.max_results.value_or(largest_page);
  if (most < smallest_page || most > largest_page)
    throw invalid("INVALID_PARAMETER_VALUE", fmt::format("MaxResults is from {} to {}.", smallest_page, largest_page));
  auto from = request.starting_block_index.value_or(0);
  if (request.next_token) {
    const auto next = read_page_token(context, *request.next_token, listing);
    if (!next) throw invalid("INVALID_PAGE_TOKEN", "The token is not one of this listing.");
    from = *next;
  }
  Page page;
  for (const auto& [first, count] : runs)
    for (auto block = std::max(first, from); block < first + count; ++block) {
      if (static_cast<std::int64_t>(page.blocks.size()) == most) {
        page.next = page_token(context, listing, block);
        return page;
      }
      page.blocks.push_back(block);
    }
  return page;
}

bool contains(const SnapshotBlocks::Runs& runs, std::int64_t block) {
  auto after = std::upper_bound(runs.begin(), runs.end(), block, [](std::int64_t value, const auto& run) { return value < run.first; });
  return after != runs.begin() && block < (after - 1)->first + (after - 1)->second;
}

wire::ebs::ListSnapshotBlocksResponse list_snapshot_blocks(const Context& context, const wire::ebs::ListSnapshotBlocksRequest& request) {
  const auto world = context.services.store.world();
  const auto& snapshot = find_completed(*world, context, *request.snapshot_id);
  const auto runs = expect(context.services.snapshot_blocks.blocks(snapshot.id), snapshot.id);
  auto page = choose_page(context, request, snapshot.id, runs);
  wire::ebs::ListSnapshotBlocksResponse response;
  const auto expires = context.now + token_life;
  for (const auto number : page.blocks) {
    auto& block = response.blocks.emplace_back();
    block.block_index = number;
    block.block_token = block_token(context, snapshot.id, number, expires);
  }
  response.expiry_time = expires;
  response.volume_size = snapshot.size_gib;
  response.block_size = block_bytes;
  response.next_token = std::move(page.next);
  return response;
}

wire::ebs::ListChangedBlocksResponse list_changed_blocks(const Context& context, const wire::ebs::ListChangedBlocksRequest& request) {
  const auto world = context.services.store.world();
  const auto& second = find_completed(*world, context, *request.second_snapshot_id);
  const auto& blocks = context.services.snapshot_blocks;
  SnapshotBlocks::Runs runs, of_first;
  std::string first_id;
  if (request.first_snapshot_id) {
    const auto& first = find_completed(*world, context, *request.first_snapshot_id);
    first_id = first.id;
    auto changes = expect(blocks.changed(second.id, first.id), second.id);
    if (!changes.related && (first.volume_id != second.volume_id || first.volume_id.empty()))
      throw invalid("UNRELATED_SNAPSHOTS", "The snapshots are not of one volume, nor is one made from the other.");
    runs = std::move(changes.runs);
    of_first = expect(blocks.blocks(first.id), first.id);
  } else {
    runs = expect(blocks.blocks(second.id), second.id);
  }
  auto page = choose_page(context, request, first_id + " " + second.id, runs);
  wire::ebs::ListChangedBlocksResponse response;
  const auto expires = context.now + token_life;
  for (const auto number : page.blocks) {
    auto& block = response.changed_blocks.emplace_back();
    block.block_index = number;
    if (contains(of_first, number)) block.first_block_token = block_token(context, first_id, number, expires);
    block.second_block_token = block_token(context, second.id, number, expires);
  }
  response.expiry_time = expires;
  response.volume_size = second.size_gib;
  response.block_size = block_bytes;
  response.next_token = std::move(page.next);
  return response;
}

void check_block(const state::Snapshot& snapshot, std::int64_t block) {
  if (block < 0 || block >= snapshot.size_gib * blocks_per_gib)
    throw invalid("INVALID_BLOCK", fmt::format("The snapshot '{}' has no block {}.", snapshot.id, block));
}

wire::ebs::GetSnapshotBlockResponse get_snapshot_block(const Context& context, const wire::ebs::GetSnapshotBlockRequest& request) {
  const auto world = context.services.store.world();
  const auto& snapshot = find_completed(*world, context, *request.snapshot_id);
  check_block(snapshot, *request.block_index);
  if (!is_block_token(context, *request.block_token, snapshot.id, *request.block_index))
    throw invalid("INVALID_BLOCK_TOKEN", "The token is not of this block, or is too old; list the blocks again.");
  wire::ebs::GetSnapshotBlockResponse response;
  response.block_data = expect(context.services.snapshot_blocks.read(snapshot.id, *request.block_index), snapshot.id);
  response.data_length = block_bytes;
  response.checksum = to_base64(sha256(*response.block_data));
  response.checksum_algorithm = "SHA256";
  return response;
}

// The volume's size, a parent's content and encryption.
void take_after_parent(const state::World& world, const Context& context, const wire::ebs::StartSnapshotRequest& request,
                       state::Snapshot& snapshot) {
  if (!request.parent_snapshot_id) return;
  if (request.encrypted) throw invalid("INVALID_PARAMETER_VALUE", "Encrypted is the parent's; it is not said together with one.");
  const auto& parent = find_completed(world, context, *request.parent_snapshot_id);
  if (parent.size_gib > snapshot.size_gib)
    throw invalid("INVALID_VOLUME_SIZE", fmt::format("The parent snapshot has {} GiB.", parent.size_gib));
  snapshot.parent_id = parent.id;
  if (!parent.host.empty()) snapshot.host = parent.host;
  snapshot.encrypted = parent.encrypted;
  snapshot.wrapped_key = parent.wrapped_key;
}

wire::ebs::StartSnapshotResponse describe(const state::World& world, const Context& context, const state::Snapshot& snapshot) {
  wire::ebs::StartSnapshotResponse response;
  response.snapshot_id = snapshot.id;
  response.owner_id = snapshot.account;
  response.status = state::name_of(snapshot.state);
  response.start_time = snapshot.started;
  response.volume_size = snapshot.size_gib;
  response.block_size = block_bytes;
  if (!snapshot.description.empty()) response.description = snapshot.description;
  if (!snapshot.parent_id.empty()) response.parent_snapshot_id = snapshot.parent_id;
  if (snapshot.encrypted) response.kms_key_arn = ec2::key_arn(context, snapshot.account);
  response.sse_type = snapshot.encrypted ? "sse-kms" : "none";
  for (const auto& tag : ec2::tags_of(world, snapshot.account, snapshot.id)) {
    auto& shown = response.tags.emplace_back();
    shown.key = tag.key;
    shown.value = tag.value;
  }
  return response;
}

std::vector<wire::ec2::TagSpecification> tags_in(const wire::ebs::StartSnapshotRequest& request) {
  if (request.tags.empty()) return {};
  wire::ec2::TagSpecification specification;
  specification.resource_type = "snapshot";
  for (const auto& tag : request.tags) {
    auto& one = specification.tags.emplace_back();
    one.key = tag.key;
    one.value = tag.value;
  }
  return {std::move(specification)};
}

wire::ebs::StartSnapshotResponse start_snapshot(state::Transaction& transaction, const Context& context,
                                                const wire::ebs::StartSnapshotRequest& request) {
  const auto token = request.client_token.value_or("");
  if (const auto made = ec2::find_made(transaction, context, "StartSnapshot", token); !made.empty())
    if (const auto* snapshot = transaction.find<state::Snapshot>(context.account(), made))
      return describe(transaction.world(), context, *snapshot);
  if (request.kms_key_arn && !ec2::is_account_key(context, *request.kms_key_arn))
    throw invalid("INVALID_CUSTOMER_KEY", "There is no such key: an account has alias/aws/ebs and no other.");
  if (request.kms_key_arn && !request.encrypted.value_or(false))
    throw invalid("INVALID_CUSTOMER_KEY", "KmsKeyArn is said together with Encrypted.");
  if (*request.volume_size < 1 || *request.volume_size > largest_gib)
    throw invalid("INVALID_VOLUME_SIZE", fmt::format("A volume has 1 to {} GiB.", largest_gib));
  state::Snapshot snapshot;
  snapshot.write_minutes = request.timeout.value_or(default_minutes);
  if (snapshot.write_minutes < 10 || snapshot.write_minutes > 4320)
    throw invalid("INVALID_PARAMETER_VALUE", "Timeout is from 10 to 4320 minutes.");
  ec2::check_description(request.description.value_or(""));
  ec2::check_snapshot_quota(transaction.world(), context, 1);
  snapshot.account = context.account();
  snapshot.id = make_id(transaction.random(), "snap");
  snapshot.size_gib = *request.volume_size;
  snapshot.state = state::SnapshotState::pending;
  snapshot.progress = 0;
  snapshot.description = request.description.value_or("");
  snapshot.started = transaction.now();
  snapshot.encrypted =
      request.encrypted.value_or(false) || ec2::storage_defaults(transaction.world(), context.account()).encrypt_by_default;
  snapshot.host = context.services.settings.host;
  take_after_parent(transaction.world(), context, request, snapshot);
  ec2::tag_on_create(transaction, snapshot.account, snapshot.id, "snapshot", tags_in(request));
  if (!token.empty()) ec2::remember_made(transaction, context, "StartSnapshot", token, snapshot.id);
  transaction.put(snapshot);
  return describe(transaction.world(), context, snapshot);
}

void note_progress(const Context& context, const state::Snapshot& seen, std::int64_t progress) {
  if (progress < 0 || progress > 100) throw invalid("INVALID_PARAMETER_VALUE", "Progress is from 0 to 100.");
  if (progress <= seen.progress) return;
  context.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Snapshot>(seen.key());
    if (found == nullptr || found->state != state::SnapshotState::pending) return;
    auto snapshot = *found;
    snapshot.progress = progress;
    transaction.put(std::move(snapshot));
  });
}

wire::ebs::PutSnapshotBlockResponse put_snapshot_block(const Context& context, const wire::ebs::PutSnapshotBlockRequest& request) {
  const auto world = context.services.store.world();
  const auto& snapshot = find_open(*world, context, *request.snapshot_id);
  check_block(snapshot, *request.block_index);
  const auto& data = *request.block_data;
  if (static_cast<std::int64_t>(data.size()) != block_bytes || *request.data_length != block_bytes)
    throw invalid("INVALID_BLOCK", fmt::format("A block has {} bytes.", block_bytes));
  if (*request.checksum_algorithm != "SHA256") throw invalid("INVALID_PARAMETER_VALUE", "The algorithm of checksums is SHA256.");
  if (*request.checksum != to_base64(sha256(data)))
    throw invalid("INVALID_PARAMETER_VALUE", "The checksum is not that of the data, which may have been damaged on the way.");
  expect(context.services.snapshot_blocks.write(snapshot.id, *request.block_index, data), snapshot.id);
  if (request.progress) note_progress(context, snapshot, *request.progress);
  wire::ebs::PutSnapshotBlockResponse response;
  response.checksum = request.checksum;
  response.checksum_algorithm = "SHA256";
  return response;
}

wire::ebs::CompleteSnapshotResponse complete_snapshot(const Context& context, const wire::ebs::CompleteSnapshotRequest& request) {
  const auto world = context.services.store.world();
  wire::ebs::CompleteSnapshotResponse response;
  response.status = "completed";
  const auto& seen = find(*world, context, *request.snapshot_id);
  // Said twice: the first time was not heard.
  if (seen.account == context.account() && seen.write_minutes > 0 && seen.state == state::SnapshotState::completed) return response;
  const auto& snapshot = find_open(*world, context, *request.snapshot_id);
  if (request.checksum &&
      (request.checksum_algorithm.value_or("") != "SHA256" || request.checksum_aggregation_method.value_or("") != "LINEAR"))
    throw invalid("INVALID_PARAMETER_VALUE", "A checksum of all blocks is a LINEAR one by SHA256.");
  const auto written = expect(context.services.snapshot_blocks.written(snapshot.id, request.checksum.has_value()), snapshot.id);
  if (written.blocks != *request.changed_blocks_count)
    throw invalid("INVALID_PARAMETER_VALUE", fmt::format("{} blocks were written, not {}.", written.blocks, *request.changed_blocks_count));
  if (request.checksum && *request.checksum != to_base64(written.digest))
    throw invalid("INVALID_PARAMETER_VALUE", "The checksum is not that of the blocks that were written.");
  expect(context.services.snapshot_blocks.complete(snapshot.id), snapshot.id);
  return response;
}

}  // namespace

service::ServiceTable make_service() {
  using namespace wire::ebs;
  return service::make_table("ebs", {
                                        service::work_action<ListSnapshotBlocksRequest>("ListSnapshotBlocks", list_snapshot_blocks),
                                        service::work_action<ListChangedBlocksRequest>("ListChangedBlocks", list_changed_blocks),
                                        service::work_action<GetSnapshotBlockRequest>("GetSnapshotBlock", get_snapshot_block),
                                        service::write_action<StartSnapshotRequest>("StartSnapshot", start_snapshot),
                                        service::work_action<PutSnapshotBlockRequest>("PutSnapshotBlock", put_snapshot_block),
                                        service::work_action<CompleteSnapshotRequest>("CompleteSnapshot", complete_snapshot),
                                    });
}

}  // namespace brume::ebs
