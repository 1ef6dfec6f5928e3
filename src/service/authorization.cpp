#include "service/authorization.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "domain/arns.hpp"
#include "domain/elastic_ips.hpp"
#include "state/records.hpp"
#include "wire/schema.hpp"

namespace brume::service {
namespace {

using wire::NamedBy;
using wire::NamedResource;
using wire::authorization::ResourceUse;

// An id that does not say what it is of. No policy for resources of one type covers it.
constexpr std::string_view of_no_type = "arn:${Partition}:ec2:${Region}:${Account}:*/${Id}";

class OnlyRoot final : public Evaluator {
 public:
  bool allows(const Question& question) const override {
    return domain::is_root_arn(question.principal().user_arn, question.context().services.settings.partition, question.account());
  }
};

// In the words of the service's first protocol.
wire::ApiError not_allowed(const wire::authorization::Row& row) {
  if (row.action.starts_with("ec2:"))
    return wire::ApiError(403, "UnauthorizedOperation", "You are not authorized to perform this operation.");
  const auto* service = wire::schema::find_service(row.action.substr(0, row.action.find(':')));
  const auto speaks = [&](wire::schema::Protocol protocol) { return service != nullptr && service->speaks(protocol); };
  const auto sentence = fmt::format("User is not authorized to perform: {}", row.action);
  if (speaks(wire::schema::Protocol::query)) return wire::ApiError(403, "AccessDenied", sentence);
  if (speaks(wire::schema::Protocol::rest_json)) return wire::ApiError(403, "AccessDeniedException", sentence);
  return wire::ApiError(400, "AccessDeniedException", sentence);
}

// The id in the ARN of an account's resource that was named in another way. nullopt: there is none.
template <class R, class Matches>
std::optional<std::string> find_one(const state::World& world, const std::string& account, Matches matches, std::string R::*id) {
  std::optional<std::string> found;
  world.each_of<R>(account, [&](const R& record) {
    if (matches(record)) found = record.*id;
    return !found;
  });
  return found;
}

std::optional<std::string> id_of(const state::World& world, const std::string& account, const NamedResource& named) {
  const auto by_name = [&](const auto& record) { return record.name == named.text; };
  const auto by_id = [&](const auto& record) { return record.id == named.text; };
  if (named.by == NamedBy::id || named.by == NamedBy::prefix) return std::string(named.text);
  if (named.type == "security-group") return find_one<state::SecurityGroup>(world, account, by_name, &state::SecurityGroup::id);
  if (named.type == "launch-template") return find_one<state::LaunchTemplate>(world, account, by_name, &state::LaunchTemplate::id);
  // Their ARNs have the name.
  if (named.type == "key-pair") return find_one<state::KeyPair>(world, account, by_id, &state::KeyPair::name);
  if (named.type == "placement-group") return find_one<state::PlacementGroup>(world, account, by_id, &state::PlacementGroup::name);
  if (named.type == "elastic-ip")
    if (const auto* address = domain::find_elastic_ip(world, std::string(named.text)); address != nullptr && address->account == account)
      return address->allocation_id;
  return std::nullopt;
}

const ResourceUse* use_of(const wire::authorization::Row& row, const NamedResource& named) {
  const auto prefix = named.text.substr(0, named.text.rfind('-'));
  const auto is_meant = [&](const ResourceUse& use) {
    if (named.by != NamedBy::prefix) return use.type->name == named.type;
    return std::find(use.type->prefixes.begin(), use.type->prefixes.end(), prefix) != use.type->prefixes.end();
  };
  const auto found = std::find_if(row.resources.begin(), row.resources.end(), is_meant);
  return found == row.resources.end() ? nullptr : &*found;
}

// "arn:${Partition}:ec2:${Region}:${Account}:instance/${InstanceId}" with everything put in; the last placeholder is the resource's own.
std::string fill_in(std::string_view form, const Context& context, std::string_view id) {
  std::string arn;
  while (!form.empty()) {
    const auto at = form.find("${");
    arn += form.substr(0, at);
    if (at == std::string_view::npos) break;
    const auto end = form.find('}', at);
    const auto name = form.substr(at + 2, end - at - 2);
    arn += name == "Partition" ? context.services.settings.partition
           : name == "Region"  ? context.services.settings.region
           : name == "Account" ? context.account()
                               : std::string_view(id);
    form.remove_prefix(end + 1);
  }
  return arn;
}

}  // namespace

const Evaluator& only_root() {
  static const OnlyRoot evaluator;
  return evaluator;
}

std::vector<Resource> Question::resources() const {
  wire::NamedResources named;
  invocation_.name_resources(named);
  std::vector<Resource> found;
  for (const auto& each : named.found()) {
    const auto* use = use_of(row(), each);
    auto arn = fill_in(use != nullptr ? use->type->arn : of_no_type, context_, id_of(world_, account(), each).value_or("*"));
    if (std::none_of(found.begin(), found.end(), [&](const Resource& known) { return known.arn == arn; }))
      found.push_back({std::move(arn), use});
  }
  for (const auto& use : row().resources)
    if (use.required && std::none_of(found.begin(), found.end(), [&](const Resource& known) { return known.use == &use; }))
      found.push_back({fill_in(use.type->arn, context_, "*"), &use});
  return found;
}

void authorize(const Invocation& invocation, const Context& context, const state::World& world) {
  const auto* row = invocation.action().authorization;
  if (row == nullptr)
    throw std::logic_error(fmt::format("the action {} has no row in models/authorization.json", invocation.action().name));
  if (!context.services.evaluator.allows(Question(invocation, context, world))) throw not_allowed(*row);
}

void Context::transact(const state::Decision& decision) const {
  if (asked == nullptr) throw std::logic_error("a change of work outside of work");
  services.store.transact([&](state::Transaction& transaction) {
    authorize(*asked, *this, transaction.world());
    decision(transaction);
  });
}

ServiceTable make_table(std::string_view service, std::vector<Action> actions) {
  for (auto& action : actions) {
    action.authorization = wire::authorization::find_row(service, action.name);
    if (action.authorization == nullptr)
      throw std::logic_error(fmt::format("the action {} of {} has no row in models/authorization.json", action.name, service));
  }
  return {service, std::move(actions)};
}

}  // namespace brume::service
