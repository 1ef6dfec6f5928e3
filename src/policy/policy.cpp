#include "policy/policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "policy/json_tree.hpp"
#include "policy/malformed.hpp"
#include "policy/principals.hpp"

namespace brume::policy {
namespace {

constexpr std::string_view syntax = "Syntax errors in policy.";

[[noreturn]] void refuse_policy(std::string sentence) { throw Malformed{std::move(sentence)}; }

void allow_only(const JsonNode& object, std::initializer_list<std::string_view> known) {
  for (const auto& name : object.names)
    if (std::find(known.begin(), known.end(), name) == known.end()) refuse_policy(std::string(syntax));
}

const std::string& text_of(const JsonNode& node) {
  if (node.kind != JsonKind::text) refuse_policy(std::string(syntax));
  return node.text;
}

// A text, or a list of texts.
std::vector<std::string_view> texts_of(const JsonNode& node) {
  std::vector<std::string_view> texts;
  if (node.kind != JsonKind::list) return {text_of(node)};
  for (const auto& item : node.items) texts.push_back(text_of(item));
  return texts;
}

// As texts_of; numbers and booleans may also be written without quotes.
std::vector<std::string_view> values_of(const JsonNode& node) {
  const auto plain = [](const JsonNode& value) -> std::string_view {
    const bool is_value = value.kind == JsonKind::text || value.kind == JsonKind::number || value.kind == JsonKind::boolean;
    if (!is_value) refuse_policy(std::string(syntax));
    return value.text;
  };
  if (node.kind != JsonKind::list) return {plain(node)};
  std::vector<std::string_view> values;
  for (const auto& item : node.items) values.push_back(plain(item));
  return values;
}

bool is_only_of(std::string_view text, std::string_view marks) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || marks.find(c) != std::string_view::npos;
  });
}

void check_resource(std::string_view text, const ArnPattern& pattern) {
  const auto arn = split_arn(text);
  if (!pattern.is_arn() || (!pattern.is_any() && arn.parts[0] != "arn"))
    refuse_policy(fmt::format("Resource {} must be in ARN format or \"*\".", text));
  if (pattern.is_any()) return;
  if (arn.parts[1].empty()) refuse_policy(fmt::format("Partition \"{}\" is not valid for resource \"{}\".", arn.parts[1], text));
  if (arn.count < 3 || arn.parts[2].empty() || arn.parts[2].find_first_of("*?$") != std::string_view::npos)
    refuse_policy("Resource vendor must be fully qualified and cannot contain regexes.");
}

}  // namespace

class PolicyReader {
 public:
  PolicyReader(Policy& policy, Kind kind, const Limits& limits) : policy_(policy), kind_(kind), limits_(limits) { policy_.kind_ = kind; }

  void read(const JsonNode& document) {
    if (document.kind != JsonKind::object) refuse_policy(std::string(syntax));
    allow_only(document, {"Version", "Id", "Statement"});
    read_version(document.member("Version"));
    if (const auto* id = document.member("Id")) text_of(*id);
    const auto* statements = document.member("Statement");
    if (statements == nullptr) refuse_policy("Missing required field Statement");
    if (statements->kind != JsonKind::list) return read_statement(*statements);
    if (statements->items.empty()) refuse_policy(std::string(syntax));
    if (statements->items.size() > limits_.statements)
      throw Malformed{fmt::format("Cannot exceed quota for StatementsPerPolicy: {}", limits_.statements), ErrorKind::exhausted};
    policy_.statements_.reserve(statements->items.size());
    for (const auto& each : statements->items) read_statement(each);
  }

 private:
  void read_version(const JsonNode* version) {
    if (version == nullptr) return;
    const auto& text = text_of(*version);
    if (text != "2008-10-17" && text != "2012-10-17") refuse_policy(std::string(syntax));
    variables_ = text == "2012-10-17";
  }

  void read_statement(const JsonNode& node) {
    if (node.kind != JsonKind::object) refuse_policy(std::string(syntax));
    allow_only(node, {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"});
    Statement statement;
    read_sid(node.member("Sid"), statement);
    read_effect(node.member("Effect"), statement);
    read_principals(node, statement);
    read_actions(node, statement);
    read_resources(node, statement);
    if (const auto* conditions = node.member("Condition")) read_conditions(*conditions, statement);
    policy_.statements_.push_back(std::move(statement));
  }

  void read_sid(const JsonNode* node, Statement& statement) {
    if (node == nullptr) return;
    const auto& sid = text_of(*node);
    if (kind_ != Kind::resource && !is_only_of(sid, ""))
      refuse_policy("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*");
    statement.sid = policy_.pool_.keep(sid);
    if (!sid.empty() && !sids_.insert(statement.sid).second) refuse_policy("Statement IDs (SID) in a single policy must be unique.");
  }

  static void read_effect(const JsonNode* node, Statement& statement) {
    if (node == nullptr) refuse_policy("Missing required field Effect");
    const auto& effect = text_of(*node);
    if (effect != "Allow" && effect != "Deny") refuse_policy(fmt::format("Invalid effect: {}", effect));
    statement.effect = effect == "Allow" ? Effect::allow : Effect::deny;
  }

  // The one of two elements that exclude each other. nullptr: neither is there.
  static const JsonNode* either(const JsonNode& node, std::string_view name, std::string_view opposite, bool& is_opposite) {
    const auto* found = node.member(name);
    const auto* other = node.member(opposite);
    if (found != nullptr && other != nullptr) refuse_policy(std::string(syntax));
    is_opposite = other != nullptr;
    return is_opposite ? other : found;
  }

  void read_principals(const JsonNode& node, Statement& statement) {
    const auto* principals = either(node, "Principal", "NotPrincipal", statement.not_principal);
    if (kind_ == Kind::identity) {
      if (principals != nullptr) refuse_policy("Policy document should not specify a principal.");
      return;
    }
    if (principals == nullptr) refuse_policy("Missing required field Principal");
    if (principals->kind == JsonKind::text) {
      if (principals->text != "*") refuse_policy(fmt::format("Invalid principal in policy: \"{}\"", principals->text));
      statement.principals.push_back({PrincipalPattern::Form::everyone, {}});
      return;
    }
    if (principals->kind != JsonKind::object || principals->items.empty()) refuse_policy(std::string(syntax));
    for (std::size_t i = 0; i < principals->items.size(); ++i)
      for (const auto text : texts_of(principals->items[i]))
        statement.principals.push_back(read_principal(principals->names[i], text, policy_.pool_));
  }

  void read_actions(const JsonNode& node, Statement& statement) {
    const auto* actions = either(node, "Action", "NotAction", statement.not_action);
    const auto texts = actions == nullptr ? std::vector<std::string_view>() : texts_of(*actions);
    if (texts.empty()) refuse_policy("Policy statement must contain actions.");
    for (const auto text : texts) {
      const auto colon = text.find(':');
      if (text != "*" && colon == std::string_view::npos)
        refuse_policy("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
      const auto service = text == "*" || text.substr(0, colon) == "*" ? std::string() : to_lower(text.substr(0, colon));
      const auto name = to_lower(text == "*" ? text : text.substr(colon + 1));
      if (name.find(':') != std::string::npos) refuse_policy("Actions/Condition can contain only one colon.");
      const bool known_vendor = is_only_of(service, "-") && (!service.empty() || name == "*");
      if (!known_vendor) refuse_policy(fmt::format("Vendor {} is not valid", text.substr(0, colon)));
      if (name.empty() || !is_only_of(name, "*?")) refuse_policy(std::string(syntax));
      if (kind_ == Kind::trust && (service != "sts" || statement.not_action))
        refuse_policy("AssumeRole policy may only specify STS AssumeRole actions.");
      statement.actions.emplace_back(service, name, policy_.pool_);
      statement.service_bits |= statement.actions.back().service_bits();
    }
    if (statement.not_action) statement.service_bits = ~std::uint64_t{0};
  }

  void read_resources(const JsonNode& node, Statement& statement) {
    const auto* resources = either(node, "Resource", "NotResource", statement.not_resource);
    if (kind_ == Kind::trust) {
      if (resources != nullptr) refuse_policy("Has prohibited field Resource");
      statement.all_resources = true;
      return;
    }
    const auto texts = resources == nullptr ? std::vector<std::string_view>() : texts_of(*resources);
    if (texts.empty()) refuse_policy("Policy statement must contain resources.");
    for (const auto text : texts) {
      ArnPattern pattern(text, {true, variables_}, policy_.pool_);
      check_resource(text, pattern);
      statement.all_resources = statement.all_resources || pattern.is_any();
      statement.resources.push_back(std::move(pattern));
    }
    if (statement.all_resources) statement.resources.clear();
  }

  void read_conditions(const JsonNode& node, Statement& statement) {
    if (node.kind != JsonKind::object) refuse_policy(std::string(syntax));
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const auto op = read_operator(node.names[i]);
      if (!op) refuse_policy(fmt::format("Invalid Condition type : {}.", node.names[i]));
      const auto& keys = node.items[i];
      if (keys.kind != JsonKind::object) refuse_policy(std::string(syntax));
      for (std::size_t k = 0; k < keys.items.size(); ++k) {
        if (keys.names[k].find(':') == std::string::npos)
          refuse_policy("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
        statement.conditions.emplace_back(*op, keys.names[k], values_of(keys.items[k]), variables_, policy_.pool_);
      }
    }
  }

  Policy& policy_;
  Kind kind_;
  const Limits& limits_;
  bool variables_ = false;
  std::set<std::string_view> sids_;
};

std::vector<std::string> Policy::context_keys() const {
  std::vector<std::string> names;
  for (const auto& statement : statements_) {
    for (const auto& resource : statement.resources) resource.add_variables(names);
    for (const auto& condition : statement.conditions) {
      names.emplace_back(condition.key());
      condition.add_variables(names);
    }
  }
  std::set<std::string> seen;
  std::erase_if(names, [&](const std::string& name) { return !seen.insert(to_lower(name)).second; });
  return names;
}

Result<std::shared_ptr<const Policy>> parse_policy(std::string_view text, Kind kind, const Limits& limits) {
  if (text.size() > limits.bytes) return fail(ErrorKind::exhausted, fmt::format("Cannot exceed quota for PolicySize: {}", limits.bytes));
  const auto tree = read_json_tree(text, limits.depth);
  if (!tree) return fail(ErrorKind::invalid, "This policy contains invalid Json");
  try {
    auto policy = std::make_shared<Policy>();
    PolicyReader(*policy, kind, limits).read(*tree);
    return policy;
  } catch (const Malformed& malformed) {
    return fail(malformed.kind, malformed.sentence);
  }
}

}  // namespace brume::policy
