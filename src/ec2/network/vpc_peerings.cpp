// VPC peering connections: requested by the owner of one VPC, accepted by the owner of the other. Routes and groups on both sides decide
// what passes.
#include "ec2/network/vpc_peerings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ec2/actions.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/network/vpcs.hpp"
#include "wire/ec2/vpc_peerings.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::Index;
using state::VpcPeering;
using state::World;

constexpr auto time_to_accept = std::chrono::days(7);
constexpr size_t active_limit = 50;   // of a VPC
constexpr size_t waiting_limit = 25;  // requests that a VPC may have pending

// ----- states

bool is_expired(const VpcPeering& peering, Time now) {
  return peering.state == state::PeeringState::pending_acceptance && now >= peering.expires;
}

std::string state_at(const VpcPeering& peering, Time now) {
  return is_expired(peering, now) ? "expired" : std::string(name_of(peering.state));
}

std::string message_at(const VpcPeering& peering, Time now) { return is_expired(peering, now) ? "Expired" : peering.message; }

// How long a peering that never became active is still shown.
bool is_shown(const VpcPeering& peering, Time now) {
  const auto state = state_at(peering, now);
  if (state == "active" || state == "pending-acceptance") return true;
  if (state == "expired") return now - peering.expires < std::chrono::days(2);
  return now - peering.ended < (state == "rejected" ? milliseconds(std::chrono::days(2)) : milliseconds(std::chrono::hours(2)));
}

// A failed request was never shown to the other side, whose VPC may not even exist.
bool sees(const VpcPeering& peering, const std::string& account, Time now) {
  return is_shown(peering, now) &&
         (peering.account == account || (peering.peer_account == account && peering.state != state::PeeringState::failed));
}

void end(VpcPeering& peering, state::PeeringState state, std::string message, Time now) {
  peering.state = state;
  peering.message = std::move(message);
  peering.ended = now;
}

wire::ApiError no_such_move(const VpcPeering& peering, Time now, std::string_view to) {
  return {400, "InvalidStateTransition",
          fmt::format("Invalid state transition for {}, attempted to transition from {} to {}", peering.id, state_at(peering, now), to)};
}

wire::ApiError not_permitted(const Context& context, std::string_view what, const VpcPeering& peering) {
  return {400, "OperationNotPermitted", fmt::format("User {} cannot {} peering {}", context.account(), what, peering.id)};
}

// ----- filters

template <const std::string VpcPeering::*vpc_id>
void add_ranges(const FilterSubject<VpcPeering>& at, FilterValues& out) {
  if (const auto* vpc = at.world.find_indexed<state::Vpc>(Index::vpc_by_id, at.record.*vpc_id))
    for (const auto& range : ranges_of(*vpc)) out.add(format_ipv4_block(range));
}

const FilterField<VpcPeering> peering_filters[] = {
    field<&VpcPeering::id>("vpc-peering-connection-id"),
    field<&VpcPeering::account>("requester-vpc-info.owner-id"),
    field<&VpcPeering::vpc_id>("requester-vpc-info.vpc-id"),
    {"requester-vpc-info.cidr-block", add_ranges<&VpcPeering::vpc_id>},
    field<&VpcPeering::peer_account>("accepter-vpc-info.owner-id"),
    field<&VpcPeering::peer_vpc_id>("accepter-vpc-info.vpc-id"),
    {"accepter-vpc-info.cidr-block",
     [](const auto& at, auto& out) {
       if (at.record.is_active()) add_ranges<&VpcPeering::peer_vpc_id>(at, out);
     }},
    {"expiration-time",
     [](const auto& at, auto& out) {
       if (at.record.state == state::PeeringState::pending_acceptance) out.add(at.record.expires);
     }},
    {"status-code", [](const auto& at, auto& out) { out.add(state_at(at.record, at.context->now)); }},
    {"status-message", [](const auto& at, auto& out) { out.add(message_at(at.record, at.context->now)); }},
};

// ----- show

wire::ec2::VpcPeeringConnectionVpcInfo show_side(const World& world, const Context& context, const std::string& account,
                                                 const std::string& vpc_id, bool with_ranges) {
  wire::ec2::VpcPeeringConnectionVpcInfo info;
  info.owner_id = account;
  info.vpc_id = vpc_id;
  info.region = context.services.settings.region;
  if (const auto* vpc = world.find_indexed<state::Vpc>(Index::vpc_by_id, vpc_id); vpc != nullptr && with_ranges) {
    info.cidr_block = vpc->cidr;
    for (const auto& range : ranges_of(*vpc)) info.cidr_block_set.emplace_back().cidr_block = format_ipv4_block(range);
  }
  return info;
}

wire::ec2::VpcPeeringConnectionOptionsDescription show_options(bool shows_names) {
  wire::ec2::VpcPeeringConnectionOptionsDescription options;
  options.allow_dns_resolution_from_remote_vpc = shows_names;
  options.allow_egress_from_local_classic_link_to_remote_vpc = false;
  options.allow_egress_from_local_vpc_to_remote_classic_link = false;
  return options;
}

wire::ec2::VpcPeeringConnection show_peering(const World& world, const Context& context, const VpcPeering& peering) {
  wire::ec2::VpcPeeringConnection item;
  item.vpc_peering_connection_id = peering.id;
  const bool active = peering.is_active();
  item.requester_vpc_info = show_side(world, context, peering.account, peering.vpc_id, true);
  // Until both agree the requester learns nothing about the other's VPC.
  item.accepter_vpc_info = show_side(world, context, peering.peer_account, peering.peer_vpc_id, active);
  if (active) {
    item.requester_vpc_info->peering_options = show_options(peering.requester_shows_names);
    item.accepter_vpc_info->peering_options = show_options(peering.accepter_shows_names);
  }
  if (peering.state == state::PeeringState::pending_acceptance) item.expiration_time = peering.expires;
  auto& status = item.status.emplace();
  status.code = state_at(peering, context.now);
  status.message = message_at(peering, context.now);
  item.tags = tags_of(world, context.account(), peering.id);
  return item;
}

// As EC2 shows one that is just changing its state.
wire::ec2::VpcPeeringConnection show_moving(const World& world, const Context& context, const VpcPeering& peering, std::string_view code,
                                            std::string message) {
  auto item = show_peering(world, context, peering);
  item.status->code = std::string(code);
  item.status->message = std::move(message);
  return item;
}

// ----- looking up

const VpcPeering& asked_peering(const World& world, const Context& context, const std::optional<std::string>& id) {
  if (!given(id)) throw wire::missing_parameter("vpcPeeringConnectionId");
  check_id("pcx", *id);
  const auto* peering = find_peering(world, context.account(), *id, context.now);
  if (peering == nullptr) throw id_unknown("pcx", *id);
  return *peering;
}

bool ranges_meet(const state::Vpc& one, const state::Vpc& other) {
  const auto ranges = ranges_of(other);
  for (const auto& a : ranges_of(one))
    if (std::any_of(ranges.begin(), ranges.end(), [&](const Ipv4Block& b) { return overlap(a, b); })) return true;
  return false;
}

template <class Counts>
size_t count_of(const World& world, const std::string& vpc_id, Counts counts) {
  size_t count = 0;
  world.each_indexed<VpcPeering>(Index::peering_by_vpc, vpc_id, [&](const VpcPeering& one) { count += counts(one); });
  return count;
}

void check_active_limit(const World& world, const VpcPeering& peering) {
  for (const auto* vpc_id : {&peering.vpc_id, &peering.peer_vpc_id})
    if (count_of(world, *vpc_id, [](const VpcPeering& one) { return one.is_active(); }) >= active_limit)
      throw wire::ApiError(400, "ActiveVpcPeeringConnectionPerVpcLimitExceeded",
                           fmt::format("The maximum number of active VPC peering connections of '{}' has been reached.", *vpc_id));
}

// ----- create

// With one of the VPCs, or with their pair.
void check_new(const World& world, const VpcPeering& peering, Time now) {
  const auto waits = [&](const VpcPeering& one) { return state_at(one, now) == "pending-acceptance"; };
  if (count_of(world, peering.vpc_id, [&](const VpcPeering& one) { return waits(one) && one.vpc_id == peering.vpc_id; }) >= waiting_limit)
    throw wire::ApiError(
        400, "OutstandingVpcPeeringConnectionLimitExceeded",
        fmt::format("The maximum number of outstanding VPC peering connection requests of '{}' has been reached.", peering.vpc_id));
  world.each_indexed<VpcPeering>(Index::peering_by_vpc, peering.vpc_id, [&](const VpcPeering& one) {
    if ((one.is_active() || waits(one)) && one.other_vpc(peering.vpc_id) == peering.peer_vpc_id)
      throw wire::ApiError(
          400, "VpcPeeringConnectionAlreadyExists",
          fmt::format("A VPC peering connection {} between {} and {} already exists.", one.id, peering.vpc_id, peering.peer_vpc_id));
  });
}

// Peerings that are no longer shown are removed with the next request.
void sweep(state::Transaction& transaction, const std::string& account) {
  std::vector<VpcPeering> over;
  transaction.world().each_indexed<VpcPeering>(Index::peering_by_account, account, [&](const VpcPeering& one) {
    if (!is_shown(one, transaction.now())) over.push_back(one);
  });
  for (const auto& one : over) {
    for (const auto& owner : {one.account, one.peer_account}) erase_tags(transaction, owner, one.id);
    transaction.erase<VpcPeering>(one.key());
  }
}

wire::ec2::CreateVpcPeeringConnectionResponse create(state::Transaction& transaction, const Context& context,
                                                     const wire::ec2::CreateVpcPeeringConnectionRequest& request) {
  const auto& world = transaction.world();
  const auto& settings = context.services.settings;
  if (given(request.peer_region) && *request.peer_region != settings.region)
    throw wire::unsupported_operation("Peering with a VPC of another region is not supported yet.");
  check_tag_types(request.tag_specifications, {"vpc-peering-connection"});
  const state::Vpc vpc = find_vpc(world, context.account(), request.vpc_id);
  if (!given(request.peer_vpc_id)) throw wire::missing_parameter("peerVpcId");
  check_id("vpc", *request.peer_vpc_id);
  if (given(request.peer_owner_id)) check_account_id(*request.peer_owner_id);
  VpcPeering peering;
  peering.account = context.account();
  peering.vpc_id = vpc.id;
  peering.peer_account = given(request.peer_owner_id) ? *request.peer_owner_id : context.account();
  peering.peer_vpc_id = *request.peer_vpc_id;
  check_new(world, peering, transaction.now());
  sweep(transaction, peering.account);
  peering.id = make_id(transaction.random(), "pcx");
  peering.state = state::PeeringState::pending_acceptance;
  peering.message = "Pending Acceptance by " + peering.peer_account;
  peering.expires = transaction.now() + time_to_accept;
  const auto* other = transaction.world().find<state::Vpc>(peering.peer_account, peering.peer_vpc_id);
  if (other == nullptr || ranges_meet(vpc, *other))
    end(peering, state::PeeringState::failed, "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range", transaction.now());
  tag_on_create(transaction, peering.account, peering.id, "vpc-peering-connection", request.tag_specifications);
  wire::ec2::CreateVpcPeeringConnectionResponse response;
  // Whether it succeeds is found out after the answer.
  response.vpc_peering_connection =
      show_moving(transaction.world(), context, peering, "initiating-request", "Initiating Request to " + peering.peer_account);
  response.vpc_peering_connection->expiration_time = peering.expires;
  transaction.put(std::move(peering));
  return response;
}

// ----- accept, reject, delete

wire::ec2::AcceptVpcPeeringConnectionResponse accept(state::Transaction& transaction, const Context& context,
                                                     const wire::ec2::AcceptVpcPeeringConnectionRequest& request) {
  auto peering = asked_peering(transaction.world(), context, request.vpc_peering_connection_id);
  if (context.account() != peering.peer_account) throw not_permitted(context, "accept", peering);
  if (state_at(peering, context.now) != "pending-acceptance") throw no_such_move(peering, context.now, "active");
  check_active_limit(transaction.world(), peering);
  const auto* vpc = transaction.find<state::Vpc>(state::owned_key(peering.account, peering.vpc_id));
  const auto* other = transaction.find<state::Vpc>(state::owned_key(peering.peer_account, peering.peer_vpc_id));
  wire::ec2::AcceptVpcPeeringConnectionResponse response;
  if (vpc == nullptr || other == nullptr || ranges_meet(*vpc, *other)) {
    // A range was added since it was requested.
    end(peering, state::PeeringState::failed, "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range", transaction.now());
    response.vpc_peering_connection = show_peering(transaction.world(), context, peering);
  } else {
    peering.state = state::PeeringState::active;
    peering.message = "Active";
    response.vpc_peering_connection = show_moving(transaction.world(), context, peering, "provisioning", "Provisioning");
  }
  transaction.put(std::move(peering));
  return response;
}

wire::ec2::RejectVpcPeeringConnectionResponse reject(state::Transaction& transaction, const Context& context,
                                                     const wire::ec2::RejectVpcPeeringConnectionRequest& request) {
  auto peering = asked_peering(transaction.world(), context, request.vpc_peering_connection_id);
  if (context.account() != peering.peer_account) throw not_permitted(context, "reject", peering);
  if (state_at(peering, context.now) != "pending-acceptance") throw no_such_move(peering, context.now, "rejected");
  end(peering, state::PeeringState::rejected, "Rejected by " + context.account(), transaction.now());
  transaction.put(std::move(peering));
  wire::ec2::RejectVpcPeeringConnectionResponse response;
  response.return_ = true;
  return response;
}

wire::ec2::DeleteVpcPeeringConnectionResponse delete_peering(state::Transaction& transaction, const Context& context,
                                                             const wire::ec2::DeleteVpcPeeringConnectionRequest& request) {
  auto peering = asked_peering(transaction.world(), context, request.vpc_peering_connection_id);
  const auto state = state_at(peering, context.now);
  wire::ec2::DeleteVpcPeeringConnectionResponse response;
  response.return_ = true;
  if (state == "deleted") return response;
  if (state != "active" && state != "pending-acceptance") throw no_such_move(peering, context.now, "deleted");
  if (state == "pending-acceptance" && context.account() != peering.account) throw not_permitted(context, "delete", peering);
  end(peering, state::PeeringState::deleted, "Deleted by " + context.account(), transaction.now());
  transaction.put(std::move(peering));
  return response;
}

// ----- describe

wire::ec2::DescribeVpcPeeringConnectionsResponse describe(const World& world, const Context& context,
                                                          const wire::ec2::DescribeVpcPeeringConnectionsRequest& request) {
  const auto& ids = request.vpc_peering_connection_ids;
  std::vector<std::string> unknown;
  for (const auto& id : ids) {
    check_id("pcx", id);
    if (find_peering(world, context.account(), id, context.now) == nullptr) unknown.push_back(id);
  }
  if (!unknown.empty()) throw ids_unknown("pcx", unknown);
  const FilterSet<VpcPeering> filters(peering_filters, request.filters, &context);
  Page page(context, "DescribeVpcPeeringConnections", request.max_results, request.next_token);
  std::vector<const VpcPeering*> found;
  world.each_indexed<VpcPeering>(Index::peering_by_account, context.account(), [&](const VpcPeering& one) {
    if (one.id <= page.after() || !sees(one, context.account(), context.now)) return;
    if (!ids.empty() && std::find(ids.begin(), ids.end(), one.id) == ids.end()) return;
    if (filters.match(world, one, context.account(), one.id)) found.push_back(&one);
  });
  std::sort(found.begin(), found.end(), [](const auto* a, const auto* b) { return a->id < b->id; });
  wire::ec2::DescribeVpcPeeringConnectionsResponse response;
  for (const auto* one : found) {
    if (!page.take(one->id)) break;
    response.vpc_peering_connections.push_back(show_peering(world, context, *one));
  }
  response.next_token = page.next_token();
  return response;
}

// ----- options: each owner's own side

using AskedOptions = std::optional<wire::ec2::PeeringConnectionOptionsRequest>;

// Without EC2's names on both sides there is nothing to show, and nobody to show it to.
void check_names(const World& world, const VpcPeering& peering) {
  for (const auto* vpc_id : {&peering.vpc_id, &peering.peer_vpc_id}) {
    const auto* vpc = world.find_indexed<state::Vpc>(Index::vpc_by_id, *vpc_id);
    if (vpc == nullptr || !vpc->dns_support || !vpc->dns_hostnames)
      throw wire::ApiError(400, "OperationNotPermitted",
                           fmt::format("DNS resolution over {} needs DNS support and DNS hostnames in {}.", peering.id, *vpc_id));
  }
}

std::optional<wire::ec2::PeeringConnectionOptions> set_options(const World& world, const Context& context, VpcPeering& peering,
                                                               std::string VpcPeering::*owner, bool VpcPeering::*shows_names,
                                                               const AskedOptions& asked) {
  if (!asked) return std::nullopt;
  if (context.account() != peering.*owner) throw not_permitted(context, "modify the other side's options of", peering);
  if (asked->allow_egress_from_local_classic_link_to_remote_vpc.value_or(false) ||
      asked->allow_egress_from_local_vpc_to_remote_classic_link.value_or(false))
    throw wire::unsupported_operation("ClassicLink is not supported.");
  if (asked->allow_dns_resolution_from_remote_vpc.value_or(false)) check_names(world, peering);
  peering.*shows_names = asked->allow_dns_resolution_from_remote_vpc.value_or(peering.*shows_names);
  wire::ec2::PeeringConnectionOptions options;
  options.allow_dns_resolution_from_remote_vpc = asked->allow_dns_resolution_from_remote_vpc;
  options.allow_egress_from_local_classic_link_to_remote_vpc = asked->allow_egress_from_local_classic_link_to_remote_vpc;
  options.allow_egress_from_local_vpc_to_remote_classic_link = asked->allow_egress_from_local_vpc_to_remote_classic_link;
  return options;
}

wire::ec2::ModifyVpcPeeringConnectionOptionsResponse modify_options(state::Transaction& transaction, const Context& context,
                                                                    const wire::ec2::ModifyVpcPeeringConnectionOptionsRequest& request) {
  const auto& world = transaction.world();
  auto peering = asked_peering(world, context, request.vpc_peering_connection_id);
  if (!request.accepter_peering_connection_options && !request.requester_peering_connection_options)
    throw wire::missing_parameter("AccepterPeeringConnectionOptions or RequesterPeeringConnectionOptions");
  if (!peering.is_active())
    throw wire::ApiError(400, "OperationNotPermitted",
                         fmt::format("Peering {} is not active. Peering options can be added only to active "
                                     "peerings.",
                                     peering.id));
  wire::ec2::ModifyVpcPeeringConnectionOptionsResponse response;
  response.accepter_peering_connection_options = set_options(
      world, context, peering, &VpcPeering::peer_account, &VpcPeering::accepter_shows_names, request.accepter_peering_connection_options);
  response.requester_peering_connection_options = set_options(
      world, context, peering, &VpcPeering::account, &VpcPeering::requester_shows_names, request.requester_peering_connection_options);
  transaction.put(std::move(peering));
  return response;
}

}  // namespace

const VpcPeering* find_peering(const World& world, const std::string& account, const std::string& id, Time now) {
  const auto* peering = world.find_indexed<VpcPeering>(Index::peering_by_id, id);
  return peering != nullptr && sees(*peering, account, now) ? peering : nullptr;
}

const VpcPeering* active_peering(const World& world, const std::string& vpc_id, const std::string& other_vpc_id) {
  const VpcPeering* found = nullptr;
  world.each_indexed<VpcPeering>(Index::peering_by_vpc, vpc_id, [&](const VpcPeering& one) {
    if (one.is_active() && one.other_vpc(vpc_id) == other_vpc_id) found = &one;
    return found == nullptr;
  });
  return found;
}

std::string peering_status(const World& world, const std::string& id, Time now) {
  const auto* peering = world.find_indexed<VpcPeering>(Index::peering_by_id, id);
  return peering == nullptr ? "deleted" : state_at(*peering, now);
}

void end_peerings(state::Transaction& transaction, const state::Vpc& vpc) {
  std::vector<VpcPeering> waiting;
  transaction.world().each_indexed<VpcPeering>(Index::peering_by_vpc, vpc.id, [&](const VpcPeering& one) {
    const bool waits = state_at(one, transaction.now()) == "pending-acceptance";
    // A request from another account has to be answered first: it must be rejected.
    if (one.is_active() || (waits && one.account != vpc.account)) throw has_dependencies("vpc", vpc.id);
    if (waits) waiting.push_back(one);
  });
  for (auto& one : waiting) {
    end(one, state::PeeringState::deleted, "Deleted by " + vpc.account, transaction.now());
    transaction.put(std::move(one));
  }
}

void check_against_peers(const World& world, const state::Vpc& vpc, const std::string& cidr) {
  const auto range = *parse_ipv4_block(cidr);
  world.each_indexed<VpcPeering>(Index::peering_by_vpc, vpc.id, [&](const VpcPeering& peering) {
    const auto* other = peering.is_active() ? world.find_indexed<state::Vpc>(Index::vpc_by_id, peering.other_vpc(vpc.id)) : nullptr;
    if (other == nullptr) return;
    const auto ranges = ranges_of(*other);
    if (std::any_of(ranges.begin(), ranges.end(), [&](const Ipv4Block& one) { return overlap(one, range); }))
      throw wire::ApiError(
          400, "InvalidVpc.Range",
          fmt::format("The CIDR '{}' conflicts with a CIDR of the VPC '{}', which is peered by {}.", cidr, other->id, peering.id));
  });
}

std::vector<service::Action> vpc_peering_actions() {
  return {
      service::write_action("CreateVpcPeeringConnection", create),
      service::write_action("AcceptVpcPeeringConnection", accept),
      service::write_action("RejectVpcPeeringConnection", reject),
      service::write_action("DeleteVpcPeeringConnection", delete_peering),
      service::read_action("DescribeVpcPeeringConnections", describe),
      service::write_action("ModifyVpcPeeringConnectionOptions", modify_options),
  };
}

}  // namespace brume::ec2
