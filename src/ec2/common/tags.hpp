// Tags of every kind of resource (NET-017 ff.): CreateTags, DeleteTags, DescribeTags, and TagSpecification at creation.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/action.hpp"
#include "state/store.hpp"
#include "wire/ec2/common.hpp"

namespace brume::ec2 {

// Puts the tags of a creating request on a new resource, in the same transaction. `type` is EC2's name of the kind ("instance",
// "key-pair"). The specifications have been checked by check_tag_types.
void tag_on_create(state::Transaction& transaction, std::string_view account, std::string_view resource_id, std::string_view type,
                   const std::vector<wire::ec2::TagSpecification>& specifications);
// Every action with a TagSpecification checks this before anything is made: the types are among those that the action creates, each
// specification has tags, and each tag is one that CreateTags would accept. Throws InvalidParameterValue, TagLimitExceeded.
void check_tag_types(const std::vector<wire::ec2::TagSpecification>& specifications, const std::vector<std::string_view>& allowed);

// As answers show them; empty if there are none.
std::vector<wire::ec2::Tag> tags_of(const state::World& world, std::string_view account, std::string_view resource_id);

// Deletes the resource's tags with it.
void erase_tags(state::Transaction& transaction, std::string_view account, std::string_view resource_id);

std::vector<service::Action> tag_actions();

}  // namespace brume::ec2
