#include "daemon/accounts.hpp"

#include <algorithm>

#include "ec2/metadata_defaults.hpp"
#include "ec2/network.hpp"
#include "ec2/product_codes.hpp"
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

}  // namespace

state::Account create_account(state::Transaction& transaction, const service::Settings& settings, const std::string& name, std::string id,
                              const std::string& platform) {
  if (platform != "vpc" && platform != "classic") throw wire::ApiError(400, "ValidationError", "A platform is 'vpc' or 'classic'.");
  if (name.size() > name_limit || !wire::is_text(name) || name.find_first_of("\t\n\r") != std::string::npos)
    throw wire::ApiError(400, "ValidationError", "An account's name is one line of text of at most 128 bytes.");
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
    account.zone_letters = state::make_zone_letters(transaction.random(), settings.zones.size());
  transaction.put(account);
  create_access_key(transaction, id);
  ec2::make_first_network(transaction, id, settings);
  return account;
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

void empty_account(state::Transaction& transaction, const service::Settings& settings, const std::string& account) {
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
  erase_all<Dependents>(transaction, account);
  erase_all<PlacementGroup>(transaction, account);
  erase_all<LaunchTemplate>(transaction, account);
  erase_all<LaunchTemplateVersion>(transaction, account);
  ec2::erase_metadata_defaults(transaction, account);
  ec2::make_first_network(transaction, account, settings);
}

void follow_accounts(state::Transaction& transaction, const service::Settings& settings, const state::World& first) {
  first.each<state::Account>("", [&](const state::Account& account) {
    const auto* here = transaction.find<state::Account>(account.id);
    auto copy = account;
    if (here != nullptr)
      copy.zone_letters = here->zone_letters;
    else if (!account.zone_letters.empty())
      copy.zone_letters = state::make_zone_letters(transaction.random(), settings.zones.size());
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
}

}  // namespace brume::daemon
