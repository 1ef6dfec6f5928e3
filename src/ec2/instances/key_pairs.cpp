// Key pairs (INS-019 ff.): what is kept of one is its name, its public half and its fingerprint. The private half is in the answer
// that makes it and nowhere else.
#include <fmt/format.h>

#include <algorithm>

#include "base/key_material.hpp"
#include "base/text.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/common/tags.hpp"
#include "wire/ec2/key_pairs.hpp"

namespace brume::ec2 {

namespace {

using service::Context;
using state::World;

constexpr size_t key_name_limit = 255;

const FilterField<state::KeyPair> pair_filters[] = {
    field<&state::KeyPair::name>("key-name"),           field<&state::KeyPair::id>("key-pair-id"),
    field<&state::KeyPair::fingerprint>("fingerprint"), field<&state::KeyPair::type>("key-type"),
    field<&state::KeyPair::created>("create-time"),
};

void check_key_name(const std::string& name) {
  if (name.empty()) throw wire::missing_parameter("KeyName");
  if (name.size() > key_name_limit)
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter KeyName is invalid. It has more than {} characters.", name, key_name_limit));
  if (!std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c <= '~'; }))
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter KeyName is invalid. Character sets beyond ASCII are not supported.", name));
  if (name.front() == ' ' || name.back() == ' ')
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter KeyName is invalid. It begins or ends with a space.", name));
}

void check_free(const World& world, const std::string& account, const std::string& name) {
  if (world.find<state::KeyPair>(account, name) != nullptr)
    throw wire::ApiError(400, "InvalidKeyPair.Duplicate", fmt::format("The keypair '{}' already exists.", name));
}

const state::KeyPair* find_by_id(const World& world, const std::string& account, const std::string& id) {
  const state::KeyPair* found = nullptr;
  world.each_of<state::KeyPair>(account, [&](const state::KeyPair& pair) {
    if (pair.id == id) found = &pair;
    return found == nullptr;
  });
  return found;
}

std::string type_asked(const std::optional<std::string>& type) {
  if (type && *type != "rsa" && *type != "ed25519")
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter KeyType is invalid. Valid values are: rsa, ed25519.", *type));
  return type.value_or("rsa");
}

PrivateFormat format_asked(const std::optional<std::string>& format) {
  if (!format || *format == "pem") return PrivateFormat::pem;
  if (*format == "ppk") return PrivateFormat::ppk2;
  throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter KeyFormat is invalid. Valid values are: pem, ppk.", *format));
}

// Keeps a public key under a name that must be free.
state::KeyPair keep(state::Transaction& transaction, const Context& context, const std::string& name, const PublicKey& key,
                    const std::vector<wire::ec2::TagSpecification>& tags) {
  const auto& account = context.account();
  check_free(transaction.world(), account, name);
  std::int64_t count = 0;
  transaction.world().each_of<state::KeyPair>(account, [&](const state::KeyPair&) { ++count; });
  check_quota(transaction.world(), context, Quota::key_pairs, count);
  state::KeyPair pair;
  pair.account = account;
  pair.id = make_id(transaction.random(), "key");
  pair.name = name;
  pair.type = name_of(key.type);
  pair.fingerprint = key.fingerprint;
  pair.public_key = key.line;
  pair.created = transaction.now();
  tag_on_create(transaction, account, pair.id, "key-pair", tags);
  transaction.put(pair);
  return pair;
}

wire::ec2::CreateKeyPairResponse create_key_pair(const Context& context, const wire::ec2::CreateKeyPairRequest& request) {
  const auto name = request.key_name.value_or("");
  check_key_name(name);
  const auto type = type_asked(request.key_type);
  const auto format = format_asked(request.key_format);
  check_tag_types(request.tag_specifications, {"key-pair"});
  // Before the long work; decided for good in the transaction.
  check_free(*context.services.store.world(), context.account(), name);
  if (context.dry_run) return {};

  const auto made = make_key(type == "rsa" ? KeyType::rsa : KeyType::ed25519, format, name);
  wire::ec2::CreateKeyPairResponse response;
  context.transact([&](state::Transaction& transaction) {
    const auto pair = keep(transaction, context, name, made.public_key, request.tag_specifications);
    response.key_pair_id = pair.id;
    response.key_name = pair.name;
    response.key_fingerprint = pair.fingerprint;
    response.tags = tags_of(transaction.world(), pair.account, pair.id);
  });
  response.key_material = made.private_key.view();
  return response;
}

wire::ec2::ImportKeyPairResponse import_key_pair(const Context& context, const wire::ec2::ImportKeyPairRequest& request) {
  const auto name = request.key_name.value_or("");
  check_key_name(name);
  check_tag_types(request.tag_specifications, {"key-pair"});
  if (!request.public_key_material || request.public_key_material->empty()) throw wire::missing_parameter("PublicKeyMaterial");
  const auto key = parse_public_key(*request.public_key_material);
  if (!key) throw wire::ApiError(400, "InvalidKey.Format", key.error().message);
  // The guide's API knows RSA of three lengths (INS-020); today's also takes what ssh-keygen makes by default.
  if (context.is_2011() && (key->type != KeyType::rsa || (key->bits != 1024 && key->bits != 2048 && key->bits != 4096)))
    throw wire::ApiError(400, "InvalidKey.Format", "Only RSA keys of 1024, 2048 and 4096 bits are supported");
  check_free(*context.services.store.world(), context.account(), name);
  if (context.dry_run) return {};

  wire::ec2::ImportKeyPairResponse response;
  context.transact([&](state::Transaction& transaction) {
    const auto pair = keep(transaction, context, name, *key, request.tag_specifications);
    response.key_pair_id = pair.id;
    response.key_name = pair.name;
    response.key_fingerprint = pair.fingerprint;
    response.tags = tags_of(transaction.world(), pair.account, pair.id);
  });
  return response;
}

[[noreturn]] void refuse_unknown(std::string_view noun, const std::vector<std::string>& unknown) {
  const bool one = unknown.size() == 1;
  throw wire::ApiError(400, "InvalidKeyPair.NotFound",
                       fmt::format("The {}{} '{}' do{} not exist", noun, one ? "" : "s", fmt::join(unknown, ", "), one ? "es" : ""));
}

// All that are asked for must be there.
void check_asked(const World& world, const std::string& account, const wire::ec2::DescribeKeyPairsRequest& request) {
  std::vector<std::string> unknown;
  for (const auto& name : request.key_names)
    if (world.find<state::KeyPair>(account, name) == nullptr) unknown.push_back(name);
  if (!unknown.empty()) refuse_unknown("key pair", unknown);
  for (const auto& id : request.key_pair_ids) {
    check_id("key", id);
    if (find_by_id(world, account, id) == nullptr) unknown.push_back(id);
  }
  if (!unknown.empty()) refuse_unknown("key pair ID", unknown);
}

bool is_asked_for(const std::string& one, const std::vector<std::string>& all) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

wire::ec2::DescribeKeyPairsResponse describe_key_pairs(const World& world, const Context& context,
                                                       const wire::ec2::DescribeKeyPairsRequest& request) {
  check_asked(world, context.account(), request);
  const Listing<state::KeyPair> pairs(world, context, request, {.action = "DescribeKeyPairs", .filters = pair_filters});
  const bool all = request.key_names.empty() && request.key_pair_ids.empty();
  const auto is_asked = [&](const state::KeyPair& pair) {
    return all || is_asked_for(pair.name, request.key_names) || is_asked_for(pair.id, request.key_pair_ids);
  };
  wire::ec2::DescribeKeyPairsResponse response;
  pairs.each_where(is_asked, [&](const state::KeyPair& pair) {
    auto& item = response.key_pairs.emplace_back();
    item.key_pair_id = pair.id;
    item.key_name = pair.name;
    item.key_fingerprint = pair.fingerprint;
    item.key_type = pair.type;
    item.create_time = pair.created;
    item.tags = tags_of(world, pair.account, pair.id);
    if (request.include_public_key.value_or(false)) item.public_key = fmt::format("{} {}", pair.public_key, pair.name);
  });
  return response;
}

// Instances that were launched with it keep what they have. A name that nobody has is deleted already; an id that nobody has is wrong.
wire::ec2::DeleteKeyPairResponse delete_key_pair(state::Transaction& transaction, const Context& context,
                                                 const wire::ec2::DeleteKeyPairRequest& request) {
  const bool by_name = request.key_name && !request.key_name->empty();
  const bool by_id = request.key_pair_id && !request.key_pair_id->empty();
  if (!by_name && !by_id) throw wire::missing_parameter("KeyName");
  if (by_name && by_id) throw wire::invalid_parameter_combination("The parameter KeyName cannot be used with the parameter KeyPairId");
  if (by_id) check_id("key", *request.key_pair_id);
  const auto* pair = by_name ? transaction.find<state::KeyPair>(context.account(), *request.key_name)
                             : find_by_id(transaction.world(), context.account(), *request.key_pair_id);
  wire::ec2::DeleteKeyPairResponse response;
  if (pair == nullptr && by_id) refuse_unknown("key pair ID", {*request.key_pair_id});
  if (pair == nullptr) return response;
  response.key_pair_id = pair->id;
  erase_tags(transaction, context.account(), pair->id);
  transaction.erase<state::KeyPair>(pair->key());
  return response;
}

}  // namespace

std::vector<service::Action> key_pair_actions() {
  return {
      service::work_action("CreateKeyPair", create_key_pair),
      service::work_action("ImportKeyPair", import_key_pair),
      service::read_action("DescribeKeyPairs", describe_key_pairs),
      service::write_action("DeleteKeyPair", delete_key_pair),
  };
}

}  // namespace brume::ec2
