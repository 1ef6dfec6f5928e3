#include "ec2/common/tags.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/filters.hpp"
#include "ec2/common/paging.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/images/images.hpp"
#include "wire/ec2/tags.hpp"
#include "wire/plain_text.hpp"

namespace brume::ec2 {

namespace {

using service::Context;
using state::Index;
using state::World;

constexpr size_t tag_limit = 50;         // of one resource
constexpr size_t guides_tag_limit = 10;  // in the guide's API (NET-017)
constexpr size_t resource_limit = 1000;  // of one request
constexpr size_t key_characters = 128;
constexpr size_t value_characters = 256;

// ----- what can have tags

template <class R>
bool owns(const World& world, const std::string& account, const std::string& id) {
  return world.find<R>(account, id) != nullptr;
}

// An account may tag what it can see, including shared images; the tags are its own (NET-020).
bool sees_image(const World& world, const std::string& account, const std::string& id) {
  const auto* image = world.find_indexed<state::Image>(Index::image_by_id, id);
  return image != nullptr && image->state != state::ImageState::deregistered && may_launch(*image, account);
}

bool owns_key_pair(const World& world, const std::string& account, const std::string& id) {
  bool found = false;
  world.each_of<state::KeyPair>(account, [&](const state::KeyPair& pair) { return !(found = pair.id == id); });
  return found;
}

bool owns_rule(const World& world, const std::string& account, const std::string& id) {
  const auto has = [&](const std::vector<state::SecurityRule>& rules) {
    return std::any_of(rules.begin(), rules.end(), [&](const auto& rule) { return rule.id == id; });
  };
  bool found = false;
  world.each_of<state::SecurityGroup>(
      account, [&](const state::SecurityGroup& group) { return !(found = has(group.ingress) || has(group.egress)); });
  return found;
}

// Each side has tags of its own.
bool has_part_in_peering(const World& world, const std::string& account, const std::string& id) {
  const auto* peering = world.find_indexed<state::VpcPeering>(Index::peering_by_id, id);
  return peering != nullptr && (peering->account == account || peering->peer_account == account);
}

struct Taggable {
  std::string_view prefix;  // of ids; its codes and sentences are in resource_ids.cpp
  bool (*exists)(const World&, const std::string& account, const std::string& id);
};

bool owns_placement_group(const World& world, const std::string& account, const std::string& id) {
  bool found = false;
  world.each_of<state::PlacementGroup>(account, [&](const state::PlacementGroup& group) { return !(found = group.id == id); });
  return found;
}

constexpr Taggable taggables[] = {
    {"i", owns<state::Instance>},
    {"vol", owns<state::Volume>},
    {"snap", owns<state::Snapshot>},
    {"ami", sees_image},
    {"aki", sees_image},
    {"ari", sees_image},
    {"sg", owns<state::SecurityGroup>},
    {"sgr", owns_rule},
    {"key", owns_key_pair},
    {"vpc", owns<state::Vpc>},
    {"subnet", owns<state::Subnet>},
    {"eni", owns<state::NetworkInterface>},
    {"lt", owns<state::LaunchTemplate>},
    {"pg", owns_placement_group},
    {"replacevol", owns<state::RootReplacement>},
    {"eipalloc", owns<state::ElasticIp>},
    {"igw", owns<state::InternetGateway>},
    {"eigw", owns<state::EgressOnlyGateway>},
    {"rtb", owns<state::RouteTable>},
    {"acl", owns<state::NetworkAcl>},
    {"dopt", owns<state::DhcpOptions>},
    {"nat", owns<state::NatGateway>},
    {"pl", owns<state::PrefixList>},
    {"pcx", has_part_in_peering},
    {"vpce", owns<state::VpcEndpoint>},
    {"cgw", owns<state::CustomerGateway>},
    {"vgw", owns<state::VpnGateway>},
    {"vpn", owns<state::VpnConnection>},
    {"fl", owns<state::FlowLog>},
};

// Throws unless the account may tag this resource. `gone_is_fine`: tags that are left of a deleted resource can be removed. EC2 checks the
// form of an id here before it knows the kind: a malformed one is InvalidID, whatever it begins with.
void check_resource(const World& world, const std::string& account, const std::string& id, bool gone_is_fine) {
  const auto prefix = std::string_view(id).substr(0, id.find('-'));
  for (const auto& kind : taggables) {
    if (kind.prefix != prefix || !is_well_formed_id(prefix, id)) continue;
    if (kind.exists(world, account, id)) return;
    if (gone_is_fine && world.find<state::TagSet>(account, id) != nullptr) return;
    throw id_unknown(kind.prefix, id);
  }
  throw wire::ApiError(400, "InvalidID", fmt::format("The ID '{}' is not valid", id));
}

// ----- what a tag may be

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool is_reserved(std::string_view text) { return text.size() >= 4 && equals_ignoring_case(text.substr(0, 4), "aws:"); }

void check_key(const std::optional<std::string>& key) {
  if (!key || key->empty()) throw wire::invalid_parameter_value("Tag key cannot be null or empty");
  if (count_characters(*key) > key_characters)
    throw wire::invalid_parameter_value(fmt::format("Tag key exceeds the maximum length of {} characters", key_characters));
  if (!wire::is_text(*key)) throw wire::invalid_parameter_value("Tag keys must be text: UTF-8 without control characters");
  if (is_reserved(*key)) throw wire::invalid_parameter_value("Tag keys starting with 'aws:' are reserved for internal use");
}

state::Tag checked(const wire::ec2::Tag& tag) {
  check_key(tag.key);
  if (!tag.value) throw wire::invalid_parameter_value("Tag value cannot be null. Use empty string instead.");
  if (count_characters(*tag.value) > value_characters)
    throw wire::invalid_parameter_value(fmt::format("Tag value exceeds the maximum length of {} characters", value_characters));
  if (!wire::is_text(*tag.value)) throw wire::invalid_parameter_value("Tag values must be text: UTF-8 without control characters");
  return {*tag.key, *tag.value};
}

void refuse_doubles(std::vector<state::Tag> tags) {
  std::sort(tags.begin(), tags.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(tags.begin(), tags.end(), [](const auto& a, const auto& b) { return a.name == b.name; });
  if (twice != tags.end()) throw wire::invalid_parameter_value(fmt::format("Duplicate tag key '{}' specified.", twice->name));
}

wire::ApiError too_many_tags() { return {400, "TagLimitExceeded", "The maximum number of Tags for a resource has been reached."}; }

// ----- changing

void put_tags(state::Transaction& transaction, std::string_view account, std::string_view resource_id, std::string_view type,
              const std::vector<state::Tag>& tags, size_t limit = tag_limit) {
  if (tags.empty()) return;
  state::TagSet set;
  if (const auto* there = transaction.find<state::TagSet>(account, resource_id)) set = *there;
  set.account = account;
  set.resource_id = resource_id;
  set.resource_type = type;
  for (const auto& tag : tags) {
    const auto at = std::lower_bound(set.tags.begin(), set.tags.end(), tag.name,
                                     [](const state::Tag& a, const std::string& name) { return a.name < name; });
    if (at != set.tags.end() && at->name == tag.name)
      at->value = tag.value;
    else
      set.tags.insert(at, tag);
  }
  if (set.tags.size() > limit) throw too_many_tags();
  transaction.put(std::move(set));
}

// No tags named: all are deleted.
void remove_tags(state::Transaction& transaction, const std::string& account, const std::string& resource_id,
                 const std::vector<wire::ec2::Tag>& named) {
  const auto* there = transaction.find<state::TagSet>(account, resource_id);
  if (there == nullptr) return;
  state::TagSet set = *there;
  // A key without a value means the tag with any value; an empty value means only an empty one (NET-022).
  std::erase_if(set.tags, [&](const state::Tag& tag) {
    return named.empty() || std::any_of(named.begin(), named.end(), [&](const wire::ec2::Tag& asked) {
             return asked.key == tag.name && (!asked.value || *asked.value == tag.value);
           });
  });
  if (set.tags.size() == there->tags.size()) return;
  if (set.tags.empty())
    transaction.erase<state::TagSet>(set.key());
  else
    transaction.put(std::move(set));
}

void check_named(const std::vector<std::string>& ids) {
  if (ids.empty()) throw wire::missing_parameter("resourceIdSet");
}

void check_resources(const World& world, const std::string& account, const std::vector<std::string>& ids, bool gone_is_fine) {
  if (ids.size() > resource_limit)
    throw wire::invalid_parameter_value(fmt::format("A request can name at most {} resources", resource_limit));
  for (const auto& id : ids) check_resource(world, account, id, gone_is_fine);
}

wire::ec2::CreateTagsResponse create_tags(state::Transaction& transaction, const Context& context,
                                          const wire::ec2::CreateTagsRequest& request) {
  check_named(request.resources);
  if (request.tags.empty()) throw wire::missing_parameter("tagSet");
  std::vector<state::Tag> tags;
  for (const auto& tag : request.tags) {
    tags.push_back(checked(tag));
    if (context.is_2011() && is_reserved(tags.back().value))
      throw wire::invalid_parameter_value("Tag values starting with 'aws:' are reserved for internal use");
  }
  refuse_doubles(tags);
  check_resources(transaction.world(), context.account(), request.resources, false);
  const auto limit = context.is_2011() ? guides_tag_limit : tag_limit;
  for (const auto& id : request.resources) put_tags(transaction, context.account(), id, resource_type_of(id), tags, limit);
  return {};
}

wire::ec2::DeleteTagsResponse delete_tags(state::Transaction& transaction, const Context& context,
                                          const wire::ec2::DeleteTagsRequest& request) {
  check_named(request.resources);
  for (const auto& tag : request.tags) check_key(tag.key);
  check_resources(transaction.world(), context.account(), request.resources, true);
  for (const auto& id : request.resources) remove_tags(transaction, context.account(), id, request.tags);
  return {};
}

// ----- describing

struct OneTag {
  const state::TagSet& set;
  const state::Tag& tag;
};

// tag-key and tag-value are declared here because they mean the tag itself, not the tags of a resource.
const FilterField<OneTag> tag_filters[] = {
    {"key", [](const auto& at, auto& out) { out.add(at.record.tag.name); }},
    {"value", [](const auto& at, auto& out) { out.add(at.record.tag.value); }},
    {"resource-id", [](const auto& at, auto& out) { out.add(at.record.set.resource_id); }},
    {"resource-type", [](const auto& at, auto& out) { out.add(at.record.set.resource_type); }},
    {"tag-key", [](const auto& at, auto& out) { out.add(at.record.tag.name); }},
    {"tag-value", [](const auto& at, auto& out) { out.add(at.record.tag.value); }},
};

// "tag:Owner" means the tag itself here, not all tags of a resource that has it: the same as key=Owner and value=…
std::vector<wire::ec2::Filter> spell_out(const std::vector<wire::ec2::Filter>& filters) {
  std::vector<wire::ec2::Filter> out;
  for (const auto& filter : filters) {
    if (!filter.name || !filter.name->starts_with("tag:") || filter.name->size() == 4) {
      out.push_back(filter);
      continue;
    }
    std::string key;
    for (const char c : filter.name->substr(4)) {
      if (c == '*' || c == '?' || c == '\\') key += '\\';
      key += c;
    }
    out.push_back({"key", {key}});
    out.push_back({"value", filter.values});
  }
  return out;
}

wire::ec2::DescribeTagsResponse describe_tags(const World& world, const Context& context, const wire::ec2::DescribeTagsRequest& request) {
  const auto asked = spell_out(request.filters);
  const FilterSet<OneTag> filters(tag_filters, asked);
  Page page(context, "DescribeTags", request.max_results, request.next_token);
  wire::ec2::DescribeTagsResponse response;
  // A page may end in the middle of a resource: its key is "id/name", and no id has a slash.
  const auto slash = page.after().find('/');
  const auto after_id = page.after().substr(0, slash);
  const auto after_name = slash == std::string::npos ? std::string() : page.after().substr(slash + 1);

  const auto list = [&](const state::TagSet& set, std::string_view after) {
    for (const auto& tag : set.tags) {
      if (!after.empty() && tag.name <= after) continue;
      if (!filters.match(world, {set, tag}, set.account, set.resource_id)) continue;
      if (!page.take(fmt::format("{}/{}", set.resource_id, tag.name))) return false;
      auto& item = response.tags.emplace_back();
      item.resource_id = set.resource_id;
      item.resource_type = set.resource_type;
      item.key = tag.name;
      item.value = tag.value;
    }
    return true;
  };
  const auto* begun = after_id.empty() ? nullptr : world.find<state::TagSet>(context.account(), after_id);
  if (begun == nullptr || list(*begun, after_name))
    world.each_of<state::TagSet>(
        context.account(), [&](const state::TagSet& set) { return list(set, {}); }, after_id);
  response.next_token = page.next_token();
  return response;
}

// The tags that a request wants on resources of one type.
std::vector<state::Tag> check_tags_asked(const std::vector<wire::ec2::TagSpecification>& specifications, std::string_view type) {
  std::vector<state::Tag> tags;
  for (const auto& specification : specifications) {
    if (specification.resource_type != type) continue;
    for (const auto& tag : specification.tags) tags.push_back(checked(tag));
  }
  refuse_doubles(tags);
  if (tags.size() > tag_limit) throw too_many_tags();
  return tags;
}

}  // namespace

void check_tag_types(const std::vector<wire::ec2::TagSpecification>& specifications, const std::vector<std::string_view>& allowed) {
  for (const auto& specification : specifications) {
    if (!specification.resource_type || specification.resource_type->empty())
      throw wire::invalid_parameter_value("Tag specification resource type must have a value");
    if (std::find(allowed.begin(), allowed.end(), *specification.resource_type) == allowed.end())
      throw wire::invalid_parameter_value(
          fmt::format("'{}' is not a valid taggable resource type for this operation.", *specification.resource_type));
    if (specification.tags.empty()) throw wire::invalid_parameter_value("Tag specification must have at least one tag");
  }
  for (const auto type : allowed) check_tags_asked(specifications, type);
}

void tag_on_create(state::Transaction& transaction, std::string_view account, std::string_view resource_id, std::string_view type,
                   const std::vector<wire::ec2::TagSpecification>& specifications) {
  put_tags(transaction, account, resource_id, type, check_tags_asked(specifications, type));
}

std::vector<wire::ec2::Tag> tags_of(const World& world, std::string_view account, std::string_view resource_id) {
  std::vector<wire::ec2::Tag> tags;
  const auto* set = world.find<state::TagSet>(account, resource_id);
  if (set == nullptr) return tags;
  tags.reserve(set->tags.size());
  for (const auto& tag : set->tags) tags.push_back({tag.name, tag.value});
  return tags;
}

void erase_tags(state::Transaction& transaction, std::string_view account, std::string_view resource_id) {
  const auto key = state::owned_key(account, resource_id);
  if (transaction.find<state::TagSet>(key) != nullptr) transaction.erase<state::TagSet>(key);
}

std::vector<service::Action> tag_actions() {
  return {
      service::write_action("CreateTags", create_tags),
      service::write_action("DeleteTags", delete_tags),
      service::read_action("DescribeTags", describe_tags),
  };
}

}  // namespace brume::ec2
