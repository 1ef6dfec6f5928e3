// Ids as clients write them, EC2's names for the kinds of resource they belong to, and the errors for wrong ones.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wire/api_error.hpp"

namespace brume::ec2 {

// One row per kind of resource that has ids, whether or not it is built.
struct ResourceKind {
  std::string_view prefix;     // of ids: "vol"
  std::string_view type;       // in tags: "volume"
  std::string_view malformed;  // code for a malformed id: "InvalidVolumeID.Malformed"
  std::string_view not_found;  // code for an id that the account does not have: "InvalidVolume.NotFound"
  std::string_view one;        // its sentence, with {} for the id
  std::string_view many;       // for several, "a, b"
};
// By the prefix alone ("vol") or by an id ("vol-1234"). nullptr: there is no such kind.
const ResourceKind* kind_of_prefix(std::string_view prefix);
const ResourceKind* kind_of_id(std::string_view id);

// prefix, dash, 8 or 17 hex digits (both lengths are accepted, 17 are made).
bool is_well_formed_id(std::string_view prefix, std::string_view id);

// Throws the kind's Malformed code unless the id is well formed. The prefix must be that of a row.
void check_id(std::string_view prefix, std::string_view id);
// The same with another code: Invalid<code_noun>.Malformed. ("i", "InstanceID", "i-…")
void check_id(std::string_view prefix, std::string_view code_noun, std::string_view id);

// An account's: 12 digits. Throws InvalidUserID.Malformed.
void check_account_id(std::string_view id);

// The kind's NotFound error, in the singular or plural form.
wire::ApiError id_unknown(std::string_view prefix, std::string_view id);
wire::ApiError ids_unknown(std::string_view prefix, const std::vector<std::string>& ids);

// "instance" for "i-…", "security-group" for "sg-…" …; empty if no kind of resource has such ids.
std::string_view resource_type_of(std::string_view id);

// "The instance IDs 'i-1, i-2' do not exist" or the singular form.
wire::ApiError ids_not_found(std::string_view code_noun, std::string_view noun, const std::vector<std::string>& ids);

}  // namespace brume::ec2
