// What IAM knows of every action that is built here: its access level, the types of resources it is about, the condition keys it has.
// Constant data out of models/authorization.json (models/strip_authorization.py says where that comes from).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace brume::wire::authorization {

enum class KeyKind : std::uint8_t { string, arn, boolean, date, address, number };

struct ConditionKey {
  std::string_view name;  // "ec2:InstanceType", "aws:ResourceTag/${TagKey}"
  KeyKind kind;
  bool is_list;
};

struct ResourceType {
  std::string_view name;                       // "instance"
  std::string_view arn;                        // "arn:${Partition}:ec2:${Region}:${Account}:instance/${InstanceId}"
  std::span<const std::string_view> prefixes;  // of ids: "ami", "aki", "ari"; empty: they do not tell
};

// A type of resource that an action is about.
struct ResourceUse {
  const ResourceType* type;
  bool required;                        // a policy that does not allow one of these does not allow the action
  std::span<const std::uint16_t> keys;  // into condition_keys(): what may be asked of it
};

enum class Access : std::uint8_t { list, read, write, tagging, permissions };

struct Row {
  std::string_view name;    // "RunInstances"
  std::string_view action;  // "ec2:RunInstances"
  Access access;
  std::span<const ResourceUse> resources;
  std::span<const std::uint16_t> keys;  // into condition_keys(): of the action whatever it is about
};

struct Service {
  std::string_view name;
  std::span<const Row> rows;  // sorted by name
  std::span<const ResourceType> types;
};

std::span<const Service> services();
std::span<const ConditionKey> condition_keys();

// nullptr: there is none.
const Row* find_row(std::string_view service, std::string_view action);

}  // namespace brume::wire::authorization
