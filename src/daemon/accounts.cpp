#include "daemon/accounts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/images/product_codes.hpp"
#include "ec2/instances/metadata_defaults.hpp"
#include "ec2/network/default_network.hpp"
#include "wire/api_error.hpp"
#include "wire/plain_text.hpp"

namespace brume::daemon {
namespace {

constexpr size_t keys_per_account = 2;
constexpr size_t name_limit = 128;

template <class R>
void erase_all(state::Transaction& transaction, const std::string& account) {
  std::vector<std::string> keys;
  transaction.world().each_of<R>(account, [&](const R& record) { keys.push_back(record.key()); });
  for (const auto& key : keys) transaction.erase<R>(key);
}

// Those that others asked for, too.
void erase_peerings(state::Transaction& transaction, const std::string& account) {
  std::vector<std::string> keys;
  transaction.world().each_indexed<state::VpcPeering>(state::Index::peering_by_account, account,
                                                      [&](const auto& peering) { keys.push_back(peering.key()); });
  for (const auto& key : keys) transaction.erase<state::VpcPeering>(key);
}

template <class R>
std::int64_t count_of_account(const state::World& world, const std::string& account) {
  std::int64_t count = 0;
  world.each_of<R>(account, [&](const R&) { ++count; });
  return count;
}

// What is shown in lists, on one line.
void check_name(const std::string& name) {
  if (name.empty() || name.size() > name_limit || !wire::is_text(name) || name.find_first_of("\t\n\r") != std::string::npos)
    throw wire::ApiError(400, "ValidationError", "An account's name is one line of text of 1 to 128 bytes.");
}

void erase_owned(state::Transaction& transaction, const std::string& account);

// The account itself, with what it owns and what is said of it.
void erase_account(state::Transaction& transaction, const std::string& account) {
  erase_owned(transaction, account);
  ec2::forget_quotas(transaction, account);
  std::vector<std::string> keys;
  transaction.world().each<state::AccessKey>("", [&](const state::AccessKey& key) {
    if (key.account == account) keys.push_back(key.id);
  });
  for (const auto& key : keys) transaction.erase<state::AccessKey>(key);
  transaction.erase<state::Account>(account);
}

}  // namespace

state::Account create_account(state::Transaction& transaction, const service::Settings& settings, const std::string& name, std::string id,
                              const std::string& platform) {
  if (platform != "vpc" && platform != "classic") throw wire::ApiError(400, "ValidationError", "A platform is 'vpc' or 'classic'.");
  if (!name.empty()) check_name(name);
  if (id.empty()) do
      id = transaction.random().text(12, "0123456789");
    while (id.front() == '0' || transaction.find<state::Account>(id) != nullptr);
  if (id.size() != 12 || !std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; }))
    throw wire::ApiError(400, "ValidationError", "An account id has 12 digits.");
  if (transaction.find<state::Account>(id) != nullptr)
    throw wire::ApiError(409, "EntityAlreadyExists", "There is an account " + id + " already.");
  state::Account account;
  account.id = id;
  account.name = name;
  account.platform = platform;
  account.created = transaction.now();
  // The first account's zones are in the order of their ids; the others' letters are shuffled.
  if (transaction.find<state::Setting>("first-account") != nullptr)
    account.zone_letters = domain::make_zone_letters(transaction.random(), settings.zones.size());
  transaction.put(account);
  create_access_key(transaction, id);
  ec2::make_first_network(transaction, id, settings);
  return account;
}

void AccountUse::add(const AccountUse& more) {
  instances += more.instances;
  volumes += more.volumes;
  volume_gib += more.volume_gib;
  snapshots += more.snapshots;
  images += more.images;
  addresses += more.addresses;
  vpcs += more.vpcs;
  other += more.other;
}

AccountUse use_of(const state::World& world, const std::string& account) {
  const auto& usage = world.usage(account);
  AccountUse use;
  use.instances = usage.existing;
  use.volumes = usage.volumes;
  use.volume_gib = usage.volume_gib;
  use.snapshots = count_of_account<state::Snapshot>(world, account);
  use.images = count_of_account<state::Image>(world, account);
  use.addresses = count_of_account<state::ElasticIp>(world, account);
  use.vpcs = count_of_account<state::Vpc>(world, account);
  use.other = count_of_account<state::Dependents>(world, account);
  world.each_of<state::NatGateway>(account, [&](const auto& gateway) { use.other += gateway.state != state::NatState::deleted; });
  world.each_of<state::VpnConnection>(account, [&](const auto& connection) { use.other += connection.state != state::VpnState::deleted; });
  world.each_indexed<state::VpcPeering>(state::Index::peering_by_account, account,
                                        [&](const auto& peering) { use.other += peering.is_active(); });
  return use;
}

void rename_account(state::Transaction& transaction, const std::string& account, const std::string& name) {
  auto changed = find_account(transaction.world(), account);
  check_name(name);
  changed.name = name;
  transaction.put(std::move(changed));
}

void enable_account(state::Transaction& transaction, const std::string& account, bool enabled) {
  auto changed = find_account(transaction.world(), account);
  changed.enabled = enabled;
  transaction.put(std::move(changed));
}

void delete_account(state::Transaction& transaction, const std::string& account) {
  find_account(transaction.world(), account);
  if (const auto* first = transaction.find<state::Setting>("first-account"); first != nullptr && first->value == account)
    throw wire::ApiError(409, "DeleteConflict", "The account " + account + " is the first one, which cannot be deleted; disable it.");
  const auto use = use_of(transaction.world(), account);
  if (!use.is_idle())
    throw wire::ApiError(
        409, "DeleteConflict",
        fmt::format("The account {} still has {} instances, {} volumes, {} snapshots, {} images, {} addresses and {} other "
                    "things at work (machines that are going, NAT gateways, VPN connections, peerings): delete those first.",
                    account, use.instances, use.volumes, use.snapshots, use.images, use.addresses, use.other));
  erase_account(transaction, account);
}

const state::Account& find_account(const state::World& world, const std::string& id) {
  const auto* account = world.find<state::Account>(id);
  if (account == nullptr) throw wire::ApiError(404, "NoSuchEntity", "There is no account " + id + "; 'brume account list' shows them.");
  return *account;
}

state::AccessKey create_access_key(state::Transaction& transaction, const std::string& account) {
  find_account(transaction.world(), account);
  size_t count = 0;
  transaction.world().each<state::AccessKey>("", [&](const state::AccessKey& key) { count += key.account == account; });
  if (count >= keys_per_account)
    throw wire::ApiError(409, "LimitExceeded", "The account " + account + " has two access keys already; delete one first.");
  state::AccessKey key;
  key.id = "AKIA" + transaction.random().text(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
  key.account = account;
  key.secret = transaction.random().text(40, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
  key.created = transaction.now();
  transaction.put(key);
  return key;
}

void set_instance_limit(state::Transaction& transaction, const std::string& account, std::int64_t limit) {
  auto changed = find_account(transaction.world(), account);
  if (limit < -1) throw wire::ApiError(400, "ValidationError", "A limit is a number of instances, 0 for none, or -1 for the default.");
  changed.instance_limit = limit;
  transaction.put(std::move(changed));
}

std::optional<QuotaChoice> read_quota(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || ec2::find_quota(text.substr(0, equals)) == nullptr) return std::nullopt;
  QuotaChoice choice{std::string(text.substr(0, equals)), 0};
  const auto value = text.substr(equals + 1);
  if (value == "none") return choice;
  const auto number = parse_integer(value);
  if (!number || *number < 1) return std::nullopt;
  choice.limit = *number;
  return choice;
}

void set_common_quotas(state::Transaction& transaction, const std::vector<std::string>& quotas) {
  ec2::forget_quotas(transaction, "*");
  for (const auto& text : quotas)
    if (const auto choice = read_quota(text)) ec2::set_quota(transaction, "*", ec2::find_quota(choice->name)->quota, choice->limit);
}

void set_quota(state::Transaction& transaction, const std::string& account, const std::string& quota, std::int64_t limit) {
  find_account(transaction.world(), account);
  const auto* row = ec2::find_quota(quota);
  if (row == nullptr)
    throw wire::ApiError(404, "NoSuchEntity", "There is no quota " + quota + "; 'brume account limit " + account + "' shows them.");
  if (limit < -1) throw wire::ApiError(400, "ValidationError", "A limit is a number from 1 on, 0 for none, or -1 for the default.");
  if (row->quota == ec2::Quota::instances) return set_instance_limit(transaction, account, limit);
  ec2::set_quota(transaction, account, row->quota, limit);
}

void subscribe(state::Transaction& transaction, const std::string& account, const std::string& product_code) {
  auto changed = find_account(transaction.world(), account);
  if (!ec2::is_product_code(product_code))
    throw wire::ApiError(400, "ValidationError", "A product code has eight hexadecimal digits with large letters: 774F4FF8.");
  auto& products = changed.products;
  if (std::find(products.begin(), products.end(), product_code) == products.end()) products.push_back(product_code);
  transaction.put(std::move(changed));
}

void unsubscribe(state::Transaction& transaction, const std::string& account, const std::string& product_code) {
  auto changed = find_account(transaction.world(), account);
  if (std::erase(changed.products, product_code) == 0)
    throw wire::ApiError(404, "NoSuchEntity", "The account " + account + " has not signed up for " + product_code + ".");
  transaction.put(std::move(changed));
}

namespace {

void erase_owned(state::Transaction& transaction, const std::string& account) {
  using namespace state;
  erase_all<KeyPair>(transaction, account);
  erase_all<SecurityGroup>(transaction, account);
  erase_all<Vpc>(transaction, account);
  erase_all<Subnet>(transaction, account);
  erase_all<NetworkInterface>(transaction, account);
  erase_all<ElasticIp>(transaction, account);
  erase_all<InternetGateway>(transaction, account);
  erase_all<EgressOnlyGateway>(transaction, account);
  erase_all<RouteTable>(transaction, account);
  erase_all<NetworkAcl>(transaction, account);
  erase_all<DhcpOptions>(transaction, account);
  erase_all<NatGateway>(transaction, account);
  erase_all<PrefixList>(transaction, account);
  erase_peerings(transaction, account);
  erase_all<VpcEndpoint>(transaction, account);
  erase_all<FlowLog>(transaction, account);
  erase_all<CustomerGateway>(transaction, account);
  erase_all<VpnGateway>(transaction, account);
  erase_all<VpnConnection>(transaction, account);
  erase_all<Image>(transaction, account);
  erase_all<ImageDefaults>(transaction, account);
  erase_all<Snapshot>(transaction, account);
  erase_all<Volume>(transaction, account);
  erase_all<VolumeModification>(transaction, account);
  erase_all<StorageDefaults>(transaction, account);
  erase_all<RootReplacement>(transaction, account);
  erase_all<Instance>(transaction, account);
  erase_all<UserData>(transaction, account);
  erase_all<TagSet>(transaction, account);
  erase_all<ClientToken>(transaction, account);
  erase_all<InstanceChange>(transaction, account);
  erase_all<Dependents>(transaction, account);
  erase_all<PlacementGroup>(transaction, account);
  erase_all<LaunchTemplate>(transaction, account);
  erase_all<LaunchTemplateVersion>(transaction, account);
  ec2::erase_metadata_defaults(transaction, account);
}

// Accounts that the first region has not any more. One that got something here in the same moment stays until that is gone: without keys,
// nobody can ask for more, and the next change of accounts looks again.
void follow_deleted_accounts(state::Transaction& transaction, const state::World& first) {
  std::vector<std::string> gone;
  transaction.world().each<state::Account>("", [&](const state::Account& account) {
    if (first.find<state::Account>(account.id) == nullptr && use_of(transaction.world(), account.id).is_idle()) gone.push_back(account.id);
  });
  for (const auto& id : gone) erase_account(transaction, id);
}

}  // namespace

void empty_account(state::Transaction& transaction, const service::Settings& settings, const std::string& account) {
  erase_owned(transaction, account);
  ec2::make_first_network(transaction, account, settings);
}

void follow_accounts(state::Transaction& transaction, const service::Settings& settings, const state::World& first) {
  first.each<state::Account>("", [&](const state::Account& account) {
    const auto* here = transaction.find<state::Account>(account.id);
    auto copy = account;
    if (here != nullptr)
      copy.zone_letters = here->zone_letters;
    else if (!account.zone_letters.empty())
      copy.zone_letters = domain::make_zone_letters(transaction.random(), settings.zones.size());
    const bool is_new = here == nullptr;
    transaction.put(std::move(copy));
    if (is_new) ec2::make_first_network(transaction, account.id, settings);
  });
  std::vector<std::string> gone;
  transaction.world().each<state::AccessKey>("", [&](const state::AccessKey& key) {
    if (first.find<state::AccessKey>(key.id) == nullptr) gone.push_back(key.id);
  });
  for (const auto& id : gone) transaction.erase<state::AccessKey>(id);
  first.each<state::AccessKey>("", [&](const state::AccessKey& key) { transaction.put(key); });
  if (const auto* account = first.find<state::Setting>("first-account")) transaction.put(*account);
  ec2::follow_quotas(transaction, first);
  follow_deleted_accounts(transaction, first);
}

}  // namespace brume::daemon
