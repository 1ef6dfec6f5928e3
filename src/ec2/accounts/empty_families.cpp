// Describing what no account can have here (models/empty.json): no transit gateway is ever made, so the list of them is empty, and every id
// of one is unknown. There are no types for these actions: the schema of the model says what a request may hold and what an answer is made
// of. Whatever would make such a thing is not built and says so.
#include "ec2/accounts/empty_families.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ec2/common/filters.hpp"
#include "ec2/common/paging.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/images/images.hpp"
#include "wire/empty_actions.hpp"
#include "wire/schema.hpp"

namespace brume::ec2 {
namespace {

namespace schema = wire::schema;
using wire::QueryNode;

const schema::Service& model() {
  static const auto* service = schema::find_service("ec2");
  return *service;
}

// Reads a request as the types of the model say, as generated code does: every parameter that belongs to it is marked as read. Throws for a
// value of the wrong type and for what is required and missing.
class RequestCheck {
 public:
  void structure(std::uint32_t shape, const QueryNode& node) const {
    for (const auto& member : model().members_of(model().shapes[shape])) {
      if (member.since > node.version()) continue;
      const bool there = value(member.shape, node.child(member.parameter));
      if (member.required && !there) node.missing(member.parameter);
    }
  }

 private:
  // Was there anything?
  bool value(std::uint32_t index, const QueryNode& node) const {
    const auto& shape = model().shapes[index];
    switch (shape.kind) {
      case schema::Kind::structure: structure_if_there(index, node); return static_cast<bool>(node);
      case schema::Kind::list: return list(shape.element, node);
      case schema::Kind::boolean: return scalar<bool>(node);
      case schema::Kind::integer: return integer(node);
      case schema::Kind::long_integer: return scalar<std::int64_t>(node);
      case schema::Kind::number: return scalar<double>(node);
      case schema::Kind::timestamp: return scalar<Time>(node);
      case schema::Kind::blob: return blob(node);
      case schema::Kind::string:
      case schema::Kind::map: return scalar<std::string>(node);
    }
    return false;
  }
  void structure_if_there(std::uint32_t shape, const QueryNode& node) const {
    if (node) structure(shape, node);
  }
  bool list(std::uint32_t element, const QueryNode& node) const {
    bool any = false;
    for (wire::QueryItems items(node); items.next(); any = true) value(element, items.node());
    return any;
  }
  template <class T>
  static bool scalar(const QueryNode& node) {
    T ignored{};
    return wire::read_value(node, ignored);
  }
  static bool integer(const QueryNode& node) {
    std::int64_t ignored = 0;
    return wire::read_int32(node, ignored);
  }
  static bool blob(const QueryNode& node) {
    std::string ignored;
    return wire::read_blob(node, ignored);
  }
};

// One text or a list of them.
std::vector<std::string> texts(const QueryNode& node) {
  std::vector<std::string> found;
  for (wire::QueryItems items(node); items.next();) wire::read_value(items.node(), found.emplace_back());
  return found;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (is_dash ? c != '-' : !is_digit) return false;
  }
  return true;
}

bool is_well_formed(const wire::EmptyKind& kind, std::string_view id) {
  const auto stem = kind.prefix.empty() ? std::string() : fmt::format("{}-", kind.prefix);
  switch (kind.form) {
    case wire::IdForm::any: return !id.empty();
    case wire::IdForm::digits: return is_well_formed_id(kind.prefix, id);
    case wire::IdForm::prefix: return id.starts_with(stem) && id.size() > stem.size();
    case wire::IdForm::uuid: return id.starts_with(stem) && is_uuid(id.substr(stem.size()));
  }
  return false;
}

// What the ids name is built: they are the account's.
template <class R>
void check_built(const state::World& world, const std::string& account, std::string_view prefix, const std::vector<std::string>& ids) {
  std::vector<std::string> unknown;
  for (const auto& id : ids) check_id(prefix, id);
  for (const auto& id : ids)
    if (world.find<R>(account, id) == nullptr) unknown.push_back(id);
  if (!unknown.empty()) throw ids_unknown(prefix, unknown);
}

void check_built(const state::World& world, const std::string& account, std::string_view kind, const std::vector<std::string>& ids) {
  if (kind == "image")
    for (const auto& id : ids) find_image(world, account, id);
  else if (kind == "instance")
    check_built<state::Instance>(world, account, "i", ids);
  else if (kind == "vpc")
    check_built<state::Vpc>(world, account, "vpc", ids);
  else if (kind == "subnet")
    check_built<state::Subnet>(world, account, "subnet", ids);
  else if (kind == "address")
    check_built<state::ElasticIp>(world, account, "eipalloc", ids);
  else if (kind == "route-table")
    check_built<state::RouteTable>(world, account, "rtb", ids);
  else
    throw std::logic_error(fmt::format("models/empty.json knows no kind of id {}", kind));
}

// Of what nobody has: malformed, or unknown.
void check_never_there(const wire::EmptyKind& kind, const std::vector<std::string>& ids) {
  for (const auto& id : ids)
    if (!is_well_formed(kind, id)) throw wire::ApiError(400, std::string(kind.malformed), fmt::format("Invalid id: \"{}\"", id));
  if (ids.empty()) return;
  const auto sentence = ids.size() == 1 ? fmt::format("The {} ID '{}' does not exist", kind.noun, ids.front())
                                        : fmt::format("The {} IDs '{}' do not exist", kind.noun, fmt::join(ids, ", "));
  throw wire::ApiError(400, std::string(kind.not_found), sentence);
}

void check_ids(const state::World& world, const std::string& account, const wire::EmptyId& id, const QueryNode& node) {
  const auto ids = texts(node.child(id.parameter));
  const auto kinds = wire::empty_kinds();
  const auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const auto& each) { return each.name == id.kind; });
  if (kind == kinds.end())
    check_built(world, account, id.kind, ids);
  else
    check_never_there(*kind, ids);
}

void check_filters(const wire::EmptyAction& action, const QueryNode& list) {
  size_t place = 0;
  for (wire::QueryItems items(list); items.next();) {
    wire::ec2::Filter filter;
    read(items.node(), filter);
    detail::check_filter(filter, ++place);
    const bool is_known = std::find(action.filters.begin(), action.filters.end(), *filter.name) != action.filters.end();
    if (!is_known && !action.filters.empty() && !detail::is_tag_filter(*filter.name)) detail::refuse_filter(*filter.name);
  }
  detail::check_filter_count(place);
}

void check_choices(const wire::EmptyAction& action, const QueryNode& node) {
  for (const auto& choice : action.choices)
    for (const auto& value : texts(node.child(choice.parameter)))
      if (std::find(choice.values.begin(), choice.values.end(), value) == choice.values.end())
        throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter {} is invalid. Unknown value.", value, choice.parameter));
}

class EmptyAnswer final : public service::Invocation {
 public:
  EmptyAnswer(const service::Action& row, const wire::EmptyAction& action, const QueryNode& node)
      : Invocation(row), action_(action), operation_(*schema::find_operation(model(), action.name)), node_(node) {
    if (operation_.input != schema::no_shape) RequestCheck().structure(operation_.input, node_);
    wire::read_member(node_, "DryRun", dry_run_);
  }

  bool dry_run() const override { return dry_run_.value_or(false); }

  // Every list of the answer, empty. There is no next page.
  void encode(wire::XmlWriter& out) const override {
    if (operation_.output == schema::no_shape) return;
    for (const auto& member : model().members_of(model().shapes[operation_.output])) {
      if (member.since > out.version() || model().shapes[member.shape].kind != schema::Kind::list) continue;
      out.open(member.element);
      out.close(member.element);
    }
  }
  void encode(wire::JsonWriter&) const override { throw std::logic_error("EC2 answers in XML"); }
  void encode(wire::CborWriter&) const override { throw std::logic_error("EC2 answers in XML"); }

  static std::unique_ptr<service::Invocation> decode(const service::Action& action, const QueryNode& node) {
    const auto rows = wire::empty_actions();
    const auto row = std::lower_bound(rows.begin(), rows.end(), action.name, [](const auto& each, auto name) { return each.name < name; });
    return std::make_unique<EmptyAnswer>(action, *row, node);
  }

 private:
  void run_read(const state::World& world, const service::Context& context) override {
    std::optional<std::int64_t> most;
    std::optional<std::string> token;
    wire::read_member(node_, "MaxResults", most);
    wire::read_member(node_, "NextToken", token);
    const Page page(context, action_.name, most, token, {action_.least, action_.most});
    check_choices(action_, node_);
    if (!action_.filter_parameter.empty()) check_filters(action_, node_.child(action_.filter_parameter));
    for (const auto& id : action_.ids) check_ids(world, context.account(), id, node_);
    if (!action_.error_code.empty() && !context.dry_run)
      throw wire::ApiError(400, std::string(action_.error_code), std::string(action_.error_sentence));
  }

  const wire::EmptyAction& action_;
  const schema::Operation& operation_;
  QueryNode node_;  // of the parameters, which outlive the invocation
  std::optional<bool> dry_run_;
};

}  // namespace

std::vector<service::Action> empty_family_actions() {
  std::vector<service::Action> actions;
  for (const auto& row : wire::empty_actions()) actions.push_back({row.name, service::Lane::read, &EmptyAnswer::decode, nullptr});
  return actions;
}

}  // namespace brume::ec2
