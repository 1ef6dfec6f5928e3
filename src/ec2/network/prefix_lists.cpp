// Managed prefix lists: ranges under one name, which routes and rules of groups refer to. A change of a list takes effect at once wherever
// it is named; each change of its entries is a version, and earlier ones can be restored.
#include "ec2/network/prefix_lists.hpp"
#include "domain/arns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/client_tokens.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/network/vpcs.hpp"
#include "wire/ec2/prefix_lists.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::PrefixList;
using state::PrefixListEntry;
using state::World;

constexpr std::int64_t most_entries = 1000;
constexpr size_t most_entries_at_once = 100;  // entries of one request
constexpr size_t kept_versions = 100;         // earlier ones
constexpr size_t text_limit = 255;

const FilterField<PrefixList> managed_list_filters[] = {
    field<&PrefixList::id>("prefix-list-id"),
    field<&PrefixList::name>("prefix-list-name"),
    field<&PrefixList::account>("owner-id"),
};

constexpr std::string_view aws_owner = "AWS";

bool is_aws(const PrefixList& list) { return list.account == aws_owner; }

wire::ec2::ManagedPrefixList show_prefix_list(const World& world, const Context& context, const PrefixList& list) {
  const auto& settings = context.services.settings;
  wire::ec2::ManagedPrefixList item;
  item.prefix_list_id = list.id;
  item.prefix_list_name = list.name;
  item.prefix_list_arn = domain::arn_of(settings.partition, "ec2", settings.region, is_aws(list) ? std::string("aws") : list.account,
                                        "prefix-list/" + list.id);
  item.owner_id = list.account;
  item.address_family = "IPv4";
  // EC2's own lists show neither a version nor a number of entries.
  if (!is_aws(list)) item.max_entries = list.max_entries;
  if (!is_aws(list)) item.version = list.version;
  item.state = state::name_of(list.state);
  if (!list.state_message.empty()) item.state_message = list.state_message;
  item.tags = tags_of(world, list.account, list.id);
  return item;
}

// As EC2 shows a list right after a request for it.
wire::ec2::ManagedPrefixList show_changing(const World& world, const Context& context, const PrefixList& list, std::string_view state) {
  auto item = show_prefix_list(world, context, list);
  item.state = std::string(state);
  item.state_message.reset();
  return item;
}

// ----- what a request says

std::string read_name(const std::optional<std::string>& name) {
  if (!name || name->empty()) throw wire::missing_parameter("PrefixListName");
  if (name->size() > text_limit) throw wire::invalid_parameter_value("The name of a prefix list has at most 255 characters.");
  constexpr std::array<std::string_view, 3> reserved = {"com.amazonaws.", "com.amazon.", "com.aws."};
  for (const auto start : reserved)
    if (name->starts_with(start))
      throw wire::invalid_parameter_value(fmt::format("The prefix list name cannot begin with ({}).", fmt::join(reserved, ", ")));
  return *name;
}

std::int64_t read_max_entries(std::int64_t count, size_t entries) {
  if (count < 1 || count > most_entries)
    throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for MaxEntries. It is 1 to {}.", count, most_entries));
  if (count < static_cast<std::int64_t>(entries))
    throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for MaxEntries. The prefix list has {} entries.", count, entries));
  return count;
}

auto find_list_entry(std::vector<PrefixListEntry>& entries, const std::string& cidr) {
  return std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.cidr == cidr; });
}

wire::ApiError too_many_entries() {
  return {400, "PrefixListMaxEntriesExceeded", "You've reached the maximum number of entries for the prefix list."};
}

void add_entries(PrefixList& list, const std::vector<wire::ec2::AddPrefixListEntry>& asked) {
  if (asked.size() > most_entries_at_once) throw wire::invalid_parameter_value("At most 100 entries can be added at a time.");
  for (const auto& one : asked) {
    PrefixListEntry entry{format_ipv4_block(read_range("Entry.Cidr", one.cidr)), one.description.value_or("")};
    if (entry.description.size() > text_limit) throw wire::invalid_parameter_value("A description has at most 255 characters.");
    if (find_list_entry(list.entries, entry.cidr) != list.entries.end())
      throw wire::invalid_parameter_value(fmt::format("The CIDR block {} is in the prefix list already.", entry.cidr));
    list.entries.push_back(std::move(entry));
  }
  if (static_cast<std::int64_t>(list.entries.size()) > list.max_entries) throw too_many_entries();
  std::sort(list.entries.begin(), list.entries.end(), [](const auto& a, const auto& b) { return a.cidr < b.cidr; });
}

// Mistakes that are wrong in any case are reported first.
void refuse_ipv6(const PrefixList& list, const std::vector<wire::ec2::AddPrefixListEntry>& asked) {
  for (const auto& one : asked) read_range6("Entry.Cidr", one.cidr);
  if (static_cast<std::int64_t>(asked.size()) > list.max_entries) throw too_many_entries();
  throw wire::unsupported_operation("Prefix lists of IPv6 ranges are not supported.");
}

void remove_entries(PrefixList& list, const std::vector<wire::ec2::RemovePrefixListEntry>& asked) {
  if (asked.size() > most_entries_at_once) throw wire::invalid_parameter_value("At most 100 entries can be removed at a time.");
  for (const auto& one : asked) {
    const auto cidr = format_ipv4_block(read_range("RemoveEntry.Cidr", one.cidr));
    const auto at = find_list_entry(list.entries, cidr);
    if (at == list.entries.end()) throw wire::invalid_parameter_value(fmt::format("The CIDR block {} is not in the prefix list.", cidr));
    list.entries.erase(at);
  }
}

std::optional<PrefixList> find_aws_list(const Context& context, const std::string& id) {
  for (auto& list : aws_prefix_lists(context.services.settings))
    if (list.id == id) return std::move(list);
  return std::nullopt;
}

// The account's own; nobody may change EC2's.
const PrefixList& find_list(const World& world, const Context& context, const std::optional<std::string>& id) {
  if (given(id) && find_aws_list(context, *id))
    throw wire::ApiError(400, "OperationNotPermitted", fmt::format("The prefix list '{}' is managed by AWS.", *id));
  return find_owned<PrefixList>(world, context.account(), "pl", "PrefixListId", id);
}

void check_version(const PrefixList& list, const std::optional<std::int64_t>& current) {
  if (current && *current != list.version)
    throw wire::ApiError(400, "PrefixListVersionMismatch", "The prefix list has the incorrect version number.");
}

// Before the entries change.
void begin_version(PrefixList& list) {
  list.earlier.push_back({list.version, list.entries});
  if (list.earlier.size() > kept_versions) list.earlier.erase(list.earlier.begin());
  ++list.version;
}

const std::vector<PrefixListEntry>& entries_of(const PrefixList& list, std::int64_t version) {
  if (version == list.version) return list.entries;
  for (const auto& one : list.earlier)
    if (one.number == version) return one.entries;
  throw wire::invalid_parameter_value(fmt::format("The prefix list '{}' has no version {}.", list.id, version));
}

// ----- create, change, delete

wire::ec2::CreateManagedPrefixListResponse create_list(state::Transaction& transaction, const Context& context,
                                                       const wire::ec2::CreateManagedPrefixListRequest& request) {
  const auto token = request.client_token.value_or("");
  wire::ec2::CreateManagedPrefixListResponse response;
  if (const auto made = find_made(transaction, context, "CreateManagedPrefixList", token); !made.empty()) {
    response.prefix_list = show_prefix_list(transaction.world(), context, find_list(transaction.world(), context, made));
    return response;
  }
  const auto family = request.address_family.value_or("");
  if (family.empty()) throw wire::missing_parameter("AddressFamily");
  if (family != "IPv4" && family != "IPv6")
    throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for AddressFamily.", family));
  if (!request.max_entries) throw wire::missing_parameter("MaxEntries");
  check_tag_types(request.tag_specifications, {"prefix-list"});
  std::int64_t count = 0;
  transaction.world().each_of<PrefixList>(context.account(), [&](const PrefixList&) { ++count; });
  check_quota(transaction.world(), context, Quota::prefix_lists, count);
  PrefixList list;
  list.account = context.account();
  list.name = read_name(request.prefix_list_name);
  list.max_entries = read_max_entries(*request.max_entries, 0);
  if (family == "IPv6") refuse_ipv6(list, request.entries);
  add_entries(list, request.entries);
  list.id = make_id(transaction.random(), "pl");
  tag_on_create(transaction, list.account, list.id, "prefix-list", request.tag_specifications);
  remember_made(transaction, context, "CreateManagedPrefixList", token, list.id);
  response.prefix_list = show_changing(transaction.world(), context, list, "create-in-progress");
  transaction.put(std::move(list));
  return response;
}

wire::ec2::ModifyManagedPrefixListResponse modify_list(state::Transaction& transaction, const Context& context,
                                                       const wire::ec2::ModifyManagedPrefixListRequest& request) {
  auto list = find_list(transaction.world(), context, request.prefix_list_id);
  const bool entries = !request.add_entries.empty() || !request.remove_entries.empty();
  if (!entries && !request.max_entries && !request.prefix_list_name && !request.ipam_prefix_list_resolver_sync_enabled)
    throw wire::missing_parameter("PrefixListName, MaxEntries, AddEntry or RemoveEntry");
  if (entries && request.max_entries)
    throw wire::invalid_parameter_combination(
        "You cannot modify the entries and the maximum number of entries for the prefix list in the same request.");
  check_version(list, request.current_version);
  if (request.prefix_list_name) list.name = read_name(request.prefix_list_name);
  if (request.max_entries) list.max_entries = read_max_entries(*request.max_entries, list.entries.size());
  if (entries) {
    begin_version(list);
    // In this order, so that one request may replace a description.
    remove_entries(list, request.remove_entries);
    add_entries(list, request.add_entries);
  }
  if (request.ipam_prefix_list_resolver_sync_enabled) throw wire::unsupported_operation("IPAM is not supported yet.");
  list.state = state::PrefixListState::modify_complete;
  list.state_message.clear();
  wire::ec2::ModifyManagedPrefixListResponse response;
  response.prefix_list = show_changing(transaction.world(), context, list, "modify-in-progress");
  transaction.put(std::move(list));
  return response;
}

wire::ec2::RestoreManagedPrefixListVersionResponse restore_version(state::Transaction& transaction, const Context& context,
                                                                   const wire::ec2::RestoreManagedPrefixListVersionRequest& request) {
  auto list = find_list(transaction.world(), context, request.prefix_list_id);
  if (!request.previous_version) throw wire::missing_parameter("PreviousVersion");
  if (!request.current_version) throw wire::missing_parameter("CurrentVersion");
  check_version(list, request.current_version);
  if (*request.previous_version == list.version)
    throw wire::invalid_parameter_value(fmt::format("The version {} is the current one.", list.version));
  auto entries = entries_of(list, *request.previous_version);
  if (static_cast<std::int64_t>(entries.size()) > list.max_entries) throw too_many_entries();
  begin_version(list);
  list.entries = std::move(entries);
  list.state = state::PrefixListState::restore_complete;
  list.state_message.clear();
  wire::ec2::RestoreManagedPrefixListVersionResponse response;
  response.prefix_list = show_changing(transaction.world(), context, list, "restore-in-progress");
  transaction.put(std::move(list));
  return response;
}

// The route tables and groups that name the list, by id.
std::vector<std::string> users_of(const World& world, const PrefixList& list) {
  const auto named = [&](const auto& uses) {
    return std::any_of(uses.begin(), uses.end(), [&](const auto& use) { return use.prefix_list_id == list.id; });
  };
  std::vector<std::string> ids;
  world.each_of<state::RouteTable>(list.account, [&](const state::RouteTable& table) {
    if (named(table.routes)) ids.push_back(table.id);
  });
  world.each_of<state::SecurityGroup>(list.account, [&](const state::SecurityGroup& group) {
    if (named(group.ingress) || named(group.egress)) ids.push_back(group.id);
  });
  std::sort(ids.begin(), ids.end());
  return ids;
}

// For a list that is in use EC2 answers the same, and says afterwards that it stays.
wire::ec2::DeleteManagedPrefixListResponse delete_list(state::Transaction& transaction, const Context& context,
                                                       const wire::ec2::DeleteManagedPrefixListRequest& request) {
  auto list = find_list(transaction.world(), context, request.prefix_list_id);
  wire::ec2::DeleteManagedPrefixListResponse response;
  response.prefix_list = show_changing(transaction.world(), context, list, "delete-in-progress");
  auto users = users_of(transaction.world(), list);
  if (users.empty()) {
    erase_tags(transaction, list.account, list.id);
    transaction.erase<PrefixList>(list.key());
    return response;
  }
  users.resize(std::min<size_t>(users.size(), 10));
  list.state = state::PrefixListState::delete_failed;
  list.state_message = fmt::format("The prefix list is still named by: {}", fmt::join(users, ", "));
  transaction.put(std::move(list));
  return response;
}

// ----- describe

// Checks that all named ones exist.
void check_lists(const World& world, const Context& context, const std::vector<std::string>& ids) {
  std::vector<std::string> unknown;
  for (const auto& id : ids) {
    check_id("pl", id);
    if (!find_aws_list(context, id) && world.find<PrefixList>(context.account(), id) == nullptr) unknown.push_back(id);
  }
  if (!unknown.empty()) throw ids_unknown("pl", unknown);
}

// The account's own and EC2's, in one order: there are few.
wire::ec2::DescribeManagedPrefixListsResponse describe_managed_lists(const World& world, const Context& context,
                                                                     const wire::ec2::DescribeManagedPrefixListsRequest& request) {
  const auto& asked = request.prefix_list_ids;
  check_lists(world, context, asked);
  const FilterSet<PrefixList> filters(managed_list_filters, request.filters, &context);
  Page page(context, "DescribeManagedPrefixLists", request.max_results, request.next_token, {.least = 1, .most = 100});
  const auto aws = aws_prefix_lists(context.services.settings);
  std::map<std::string, const PrefixList*> lists;
  for (const auto& list : aws) lists[list.id] = &list;
  world.each_of<PrefixList>(context.account(), [&](const PrefixList& list) { lists[list.id] = &list; });
  wire::ec2::DescribeManagedPrefixListsResponse response;
  for (const auto& [id, list] : lists) {
    if (id <= page.after() || (!asked.empty() && std::find(asked.begin(), asked.end(), id) == asked.end())) continue;
    if (!filters.match(world, *list)) continue;
    if (!page.take(id)) break;
    response.prefix_lists.push_back(show_prefix_list(world, context, *list));
  }
  response.next_token = page.next_token();
  return response;
}

wire::ec2::GetManagedPrefixListEntriesResponse get_entries(const World& world, const Context& context,
                                                           const wire::ec2::GetManagedPrefixListEntriesRequest& request) {
  if (given(request.prefix_list_id) && find_aws_list(context, *request.prefix_list_id)) return {};
  const auto& list = find_list(world, context, request.prefix_list_id);
  const auto version = request.target_version.value_or(list.version);
  Page page(context, fmt::format("GetManagedPrefixListEntries/{}/{}", list.id, version), request.max_results, request.next_token,
            {.least = 1, .most = 100});
  wire::ec2::GetManagedPrefixListEntriesResponse response;
  for (const auto& entry : entries_of(list, version)) {
    if (entry.cidr <= page.after()) continue;
    if (!page.take(entry.cidr)) break;
    auto& item = response.entries.emplace_back();
    item.cidr = entry.cidr;
    if (!entry.description.empty()) item.description = entry.description;
  }
  response.next_token = page.next_token();
  return response;
}

wire::ec2::GetManagedPrefixListAssociationsResponse get_associations(const World& world, const Context& context,
                                                                     const wire::ec2::GetManagedPrefixListAssociationsRequest& request) {
  const auto& list = find_list(world, context, request.prefix_list_id);
  Page page(context, "GetManagedPrefixListAssociations/" + list.id, request.max_results, request.next_token, {.least = 5, .most = 255});
  wire::ec2::GetManagedPrefixListAssociationsResponse response;
  for (const auto& id : users_of(world, list)) {
    if (id <= page.after()) continue;
    if (!page.take(id)) break;
    auto& item = response.prefix_list_associations.emplace_back();
    item.resource_id = id;
    item.resource_owner = list.account;
  }
  response.next_token = page.next_token();
  return response;
}

}  // namespace

std::string digits_of(std::string_view text) {
  std::uint32_t hash = 2166136261U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return fmt::format("{:08x}", hash);
}

std::string prefix_list_of_service(std::string_view service) { return "pl-" + digits_of(service); }

std::vector<PrefixList> aws_prefix_lists(const service::Settings& settings) {
  struct Known {
    std::string_view name;  // with {} for the region
    std::int64_t weight;    // as EC2 publishes it
  };
  constexpr Known known[] = {{"com.amazonaws.{}.s3", 1},
                             {"com.amazonaws.{}.dynamodb", 1},
                             {"com.amazonaws.{}.ec2-instance-connect", 2},
                             {"com.amazonaws.{}.vpc-lattice", 10},
                             {"com.amazonaws.{}.route53-healthchecks", 25},
                             {"com.amazonaws.global.cloudfront.origin-facing", 55}};
  std::vector<PrefixList> lists;
  for (const auto& one : known) {
    PrefixList list;
    list.account = aws_owner;
    list.name = fmt::format(fmt::runtime(one.name), settings.region);
    list.id = prefix_list_of_service(list.name);
    list.max_entries = one.weight;
    lists.push_back(std::move(list));
  }
  std::sort(lists.begin(), lists.end(), [](const PrefixList& a, const PrefixList& b) { return a.id < b.id; });
  return lists;
}

std::string find_prefix_list_id(const World& world, const Context& context, std::string_view parameter,
                                const std::optional<std::string>& id) {
  if (given(id) && find_aws_list(context, *id)) return *id;
  return find_owned<PrefixList>(world, context.account(), "pl", parameter, id).id;
}

std::int64_t weight_of(const World& world, const Context& context, const std::string& prefix_list_id) {
  if (prefix_list_id.empty()) return 1;
  if (const auto* list = world.find<PrefixList>(context.account(), prefix_list_id)) return list->max_entries;
  const auto aws = find_aws_list(context, prefix_list_id);
  return aws ? aws->max_entries : 1;
}

std::vector<service::Action> prefix_list_actions() {
  return {
      service::write_action("CreateManagedPrefixList", create_list),
      service::write_action("ModifyManagedPrefixList", modify_list),
      service::write_action("RestoreManagedPrefixListVersion", restore_version),
      service::write_action("DeleteManagedPrefixList", delete_list),
      service::read_action("DescribeManagedPrefixLists", describe_managed_lists),
      service::read_action("GetManagedPrefixListEntries", get_entries),
      service::read_action("GetManagedPrefixListAssociations", get_associations),
  };
}

}  // namespace brume::ec2
