#include "ec2/launch/launch_templates.hpp"

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "domain/arns.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/client_tokens.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/images/image_aliases.hpp"
#include "ec2/instances/instances.hpp"
#include "ec2/launch/launch_template_data.hpp"
#include "wire/ec2/launch_templates.hpp"
#include "wire/query_tree.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::LaunchTemplate;
using state::LaunchTemplateVersion;
using wire::ec2::RequestLaunchTemplateData;

constexpr std::int64_t version_limit = 10000;  // of a template
constexpr size_t versions_of_a_request = 200;
constexpr size_t description_limit = 255;
constexpr PageLimits page_limits{1, 200};

// ----- finding

wire::ApiError name_not_found(std::string_view name) {
  return {400, "InvalidLaunchTemplateName.NotFoundException",
          fmt::format("The specified launch template, with template name {}, does not exist.", name)};
}

const LaunchTemplate* find_by_name(const state::World& world, const std::string& account, const std::string& name) {
  const LaunchTemplate* found = nullptr;
  world.each_of<LaunchTemplate>(account, [&](const LaunchTemplate& each) {
    if (each.name == name) found = &each;
    return found == nullptr;
  });
  return found;
}

const LaunchTemplate& find_template(const state::World& world, const std::string& account, const std::optional<std::string>& id,
                                    const std::optional<std::string>& name) {
  if (id && name) throw wire::invalid_parameter_combination("A launch template is named by its ID or by its name, not by both.");
  if (!id && !name) throw wire::missing_parameter("LaunchTemplateId or LaunchTemplateName");
  if (id) check_id("lt", *id);
  const auto* found = id ? world.find<LaunchTemplate>(account, *id) : find_by_name(world, account, *name);
  if (found == nullptr) throw id ? id_unknown("lt", *id) : name_not_found(*name);
  return *found;
}

wire::ApiError version_not_found(const LaunchTemplate& of, std::string_view version) {
  return {400, "InvalidLaunchTemplateId.VersionNotFound",
          fmt::format("Could not find the specified version {} for the launch template with ID {}.", version, of.id)};
}

const LaunchTemplateVersion* version_numbered(const state::World& world, const LaunchTemplate& of, std::int64_t number) {
  return world.find<LaunchTemplateVersion>(of.account, LaunchTemplateVersion::id_of(of.id, number));
}

// Version numbers are never reused, so the newest remaining one has to be searched.
std::int64_t newest(const state::World& world, const LaunchTemplate& of) {
  for (auto number = of.latest_version; number > 0; --number)
    if (version_numbered(world, of, number) != nullptr) return number;
  return 0;
}

// "$Latest", "$Default" or a number.
std::int64_t read_version(const state::World& world, const LaunchTemplate& of, const std::string& text) {
  if (text == "$Latest") return newest(world, of);
  if (text == "$Default") return of.default_version;
  const auto number = parse_integer(text);
  if (!number || *number < 1)
    throw wire::invalid_parameter_value(
        fmt::format("Invalid value '{}' for a launch template version: a number, $Latest or $Default.", text));
  return *number;
}

const LaunchTemplateVersion& find_version(const state::World& world, const LaunchTemplate& of, const std::string& text) {
  const auto* found = version_numbered(world, of, read_version(world, of, text));
  if (found == nullptr) throw version_not_found(of, text);
  return *found;
}

template <class Visitor>
void each_version(const state::World& world, const LaunchTemplate& of, Visitor&& visit) {
  world.each<LaunchTemplateVersion>(state::owned_key(of.account, of.id) + "/", visit);
}

// ----- showing

std::string root_of(const Context& context) { return domain::root_arn(context.services.settings.partition, context.account()); }

wire::ec2::LaunchTemplate describe(const state::World& world, const Context& context, const LaunchTemplate& of) {
  wire::ec2::LaunchTemplate item;
  item.launch_template_id = of.id;
  item.launch_template_name = of.name;
  item.create_time = of.created;
  item.created_by = root_of(context);
  item.default_version_number = of.default_version;
  item.latest_version_number = newest(world, of);
  item.tags = tags_of(world, of.account, of.id);
  return item;
}

wire::ec2::LaunchTemplateVersion describe_version(const state::World& world, const Context& context, const LaunchTemplate& of,
                                                  const LaunchTemplateVersion& version, bool resolve_alias) {
  wire::ec2::LaunchTemplateVersion item;
  item.launch_template_id = of.id;
  item.launch_template_name = of.name;
  item.version_number = version.number;
  if (!version.description.empty()) item.version_description = version.description;
  item.create_time = version.created;
  item.created_by = root_of(context);
  item.default_version = version.number == of.default_version;
  item.launch_template_data = show_template_data(read_template_data(version.parameters));
  if (auto& image = item.launch_template_data->image_id; image && resolve_alias) image = resolve_image_alias(world, context, *image);
  return item;
}

// ----- making

void check_name(const Context& context, const state::World& world, const std::string& name) {
  const bool fine = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("().-/_").find(c) != std::string_view::npos;
  });
  if (!fine || name.size() < 3 || name.size() > 128)
    throw wire::ApiError(400, "InvalidLaunchTemplateName.MalformedException",
                         "A launch template name has 3 to 128 characters: letters, digits, and ( ) . - / _");
  if (find_by_name(world, context.account(), name) != nullptr)
    throw wire::ApiError(400, "InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.");
  std::int64_t count = 0;
  world.each_of<LaunchTemplate>(context.account(), [&](const LaunchTemplate&) { ++count; });
  check_quota(world, context, Quota::launch_templates, count);
}

void check_description(const std::optional<std::string>& description) {
  if (description && description->size() > description_limit)
    throw wire::invalid_parameter_value(fmt::format("VersionDescription has at most {} characters.", description_limit));
}

LaunchTemplateVersion make_version(state::Transaction& transaction, const LaunchTemplate& of, const std::optional<std::string>& description,
                                   Parameters parameters) {
  LaunchTemplateVersion version;
  version.account = of.account;
  version.template_id = of.id;
  version.number = of.latest_version;
  version.description = description.value_or("");
  version.created = transaction.now();
  version.parameters = std::move(parameters);
  transaction.put(version);
  return version;
}

Parameters sent_data(const Context& context) {
  return context.parameters == nullptr ? Parameters() : template_parameters(context.parameters->pairs());
}

wire::ec2::CreateLaunchTemplateResponse create_template(state::Transaction& transaction, const Context& context,
                                                        const wire::ec2::CreateLaunchTemplateRequest& request) {
  const auto token = request.client_token.value_or("");
  wire::ec2::CreateLaunchTemplateResponse response;
  if (const auto made = find_made(transaction, context, "CreateLaunchTemplate", token); !made.empty()) {
    const auto* earlier = transaction.find<LaunchTemplate>(context.account(), made);
    if (earlier == nullptr) throw id_unknown("lt", made);
    response.launch_template = describe(transaction.world(), context, *earlier);
    return response;
  }
  check_name(context, transaction.world(), *request.launch_template_name);
  check_description(request.version_description);
  check_tag_types(request.tag_specifications, {"launch-template"});
  check_template_data(*request.launch_template_data);
  LaunchTemplate of;
  of.account = context.account();
  of.id = make_id(transaction.random(), "lt");
  of.name = *request.launch_template_name;
  of.created = transaction.now();
  tag_on_create(transaction, of.account, of.id, "launch-template", request.tag_specifications);
  make_version(transaction, of, request.version_description, sent_data(context));
  transaction.put(of);
  if (!token.empty()) remember_made(transaction, context, "CreateLaunchTemplate", token, of.id);
  response.launch_template = describe(transaction.world(), context, of);
  return response;
}

wire::ec2::CreateLaunchTemplateVersionResponse create_version(state::Transaction& transaction, const Context& context,
                                                              const wire::ec2::CreateLaunchTemplateVersionRequest& request) {
  const auto& world = transaction.world();
  auto of = find_template(world, context.account(), request.launch_template_id, request.launch_template_name);
  const bool resolve = request.resolve_alias.value_or(false);
  const auto token = request.client_token.value_or("");
  wire::ec2::CreateLaunchTemplateVersionResponse response;
  if (const auto made = find_made(transaction, context, "CreateLaunchTemplateVersion", token); !made.empty()) {
    const auto* earlier = transaction.find<LaunchTemplateVersion>(context.account(), made);
    if (earlier == nullptr) throw version_not_found(of, "that this client token made");
    response.launch_template_version = describe_version(world, context, of, *earlier, resolve);
    return response;
  }
  check_description(request.version_description);
  auto parameters = sent_data(context);
  if (request.source_version) parameters = overlaid(parameters, find_version(world, of, *request.source_version).parameters);
  check_template_data(*request.launch_template_data);
  std::int64_t count = 0;
  each_version(world, of, [&](const LaunchTemplateVersion&) { ++count; });
  if (count >= version_limit)
    throw wire::ApiError(400, "ResourceLimitExceeded", fmt::format("A launch template has at most {} versions.", version_limit));
  ++of.latest_version;
  const auto version = make_version(transaction, of, request.version_description, std::move(parameters));
  transaction.put(of);
  if (!token.empty())
    remember_made(transaction, context, "CreateLaunchTemplateVersion", token, LaunchTemplateVersion::id_of(of.id, version.number));
  response.launch_template_version = describe_version(transaction.world(), context, of, version, resolve);
  return response;
}

wire::ec2::ModifyLaunchTemplateResponse modify_template(state::Transaction& transaction, const Context& context,
                                                        const wire::ec2::ModifyLaunchTemplateRequest& request) {
  auto of = find_template(transaction.world(), context.account(), request.launch_template_id, request.launch_template_name);
  if (request.default_version) {
    const auto& asked = *request.default_version;
    const auto* version = version_numbered(transaction.world(), of, read_version(transaction.world(), of, asked));
    if (version == nullptr)
      throw wire::ApiError(400, "InvalidLaunchTemplateId.VersionNotFound",
                           fmt::format("The launch template version {} is not found for the specified launch template.", asked));
    of.default_version = version->number;
  }
  transaction.put(of);
  wire::ec2::ModifyLaunchTemplateResponse response;
  response.launch_template = describe(transaction.world(), context, of);
  return response;
}

// ----- deleting

wire::ec2::DeleteLaunchTemplateResponse delete_template(state::Transaction& transaction, const Context& context,
                                                        const wire::ec2::DeleteLaunchTemplateRequest& request) {
  const auto of = find_template(transaction.world(), context.account(), request.launch_template_id, request.launch_template_name);
  wire::ec2::DeleteLaunchTemplateResponse response;
  response.launch_template = describe(transaction.world(), context, of);
  std::vector<std::string> keys;
  each_version(transaction.world(), of, [&](const LaunchTemplateVersion& version) { keys.push_back(version.key()); });
  for (const auto& key : keys) transaction.erase<LaunchTemplateVersion>(key);
  erase_tags(transaction, of.account, of.id);
  transaction.erase<LaunchTemplate>(of.key());
  return response;
}

// Each version by itself: those that cannot be deleted are listed with the reason.
wire::ec2::DeleteLaunchTemplateVersionsResponse delete_versions(state::Transaction& transaction, const Context& context,
                                                                const wire::ec2::DeleteLaunchTemplateVersionsRequest& request) {
  const auto& of = find_template(transaction.world(), context.account(), request.launch_template_id, request.launch_template_name);
  if (request.versions.empty()) throw wire::missing_parameter("LaunchTemplateVersion");
  if (request.versions.size() > versions_of_a_request)
    throw wire::invalid_parameter_value(fmt::format("A request names at most {} versions.", versions_of_a_request));
  wire::ec2::DeleteLaunchTemplateVersionsResponse response;
  for (const auto& text : request.versions) {
    const auto number = read_version(transaction.world(), of, text);
    const auto* version = version_numbered(transaction.world(), of, number);
    const auto fail = [&](std::string_view code, std::string message) {
      auto& item = response.unsuccessfully_deleted_launch_template_versions.emplace_back();
      item.launch_template_id = of.id;
      item.launch_template_name = of.name;
      item.version_number = number;
      item.response_error.emplace().code = std::string(code);
      item.response_error->message = std::move(message);
    };
    if (version == nullptr) {
      fail("launchTemplateVersionDoesNotExist", fmt::format("There is no version {}.", number));
      continue;
    }
    if (number == of.default_version) {
      fail("unexpectedError", "The default version cannot be deleted: make another version the default first.");
      continue;
    }
    transaction.erase<LaunchTemplateVersion>(version->key());
    auto& item = response.successfully_deleted_launch_template_versions.emplace_back();
    item.launch_template_id = of.id;
    item.launch_template_name = of.name;
    item.version_number = number;
  }
  return response;
}

// ----- describing

const FilterField<LaunchTemplate> template_filters[] = {
    field<&LaunchTemplate::created>("create-time"),
    field<&LaunchTemplate::name>("launch-template-name"),
};

wire::ec2::DescribeLaunchTemplatesResponse describe_templates(const state::World& world, const Context& context,
                                                              const wire::ec2::DescribeLaunchTemplatesRequest& request) {
  wire::ec2::DescribeLaunchTemplatesResponse response;
  const Listing<LaunchTemplate> templates(world, context, request,
                                          {.action = "DescribeLaunchTemplates", .filters = template_filters, .limits = page_limits});
  const auto show = [&](const LaunchTemplate& each) { response.launch_templates.push_back(describe(world, context, each)); };
  const auto& names = request.launch_template_names;
  if (names.empty()) {
    response.next_token = templates.each(request.launch_template_ids, "lt", show);
    return response;
  }
  if (!request.launch_template_ids.empty())
    throw wire::invalid_parameter_combination("Launch templates are named by their IDs or by their names, not by both.");
  for (const auto& name : names)
    if (find_by_name(world, context.account(), name) == nullptr)
      throw wire::ApiError(400, "InvalidLaunchTemplateName.NotFoundException",
                           "At least one of the launch templates specified in the request does not exist.");
  response.next_token = templates.each_where(
      [&](const LaunchTemplate& each) { return std::find(names.begin(), names.end(), each.name) != names.end(); }, show);
  return response;
}

struct VersionRecord {
  const LaunchTemplate& of;
  const LaunchTemplateVersion& version;
  RequestLaunchTemplateData data;
};

template <class Text>
void add_if_set(FilterValues& out, const Text& text) {
  if (text) out.add(*text);
}

const FilterField<VersionRecord> version_filters[] = {
    {"create-time", [](const auto& at, auto& out) { out.add(at.record.version.created); }},
    {"ebs-optimized", [](const auto& at, auto& out) { add_if_set(out, at.record.data.ebs_optimized); }},
    {"http-endpoint",
     [](const auto& at, auto& out) {
       if (at.record.data.metadata_options) add_if_set(out, at.record.data.metadata_options->http_endpoint);
     }},
    {"http-protocol-ipv4",
     [](const auto& at, auto& out) {
       if (at.record.data.metadata_options) add_if_set(out, at.record.data.metadata_options->http_endpoint);
     }},
    {"http-tokens",
     [](const auto& at, auto& out) {
       if (at.record.data.metadata_options) add_if_set(out, at.record.data.metadata_options->http_tokens);
     }},
    {"host-resource-group-arn",
     [](const auto& at, auto& out) {
       if (at.record.data.placement) add_if_set(out, at.record.data.placement->host_resource_group_arn);
     }},
    {"iam-instance-profile",
     [](const auto& at, auto& out) {
       if (at.record.data.iam_instance_profile) add_if_set(out, at.record.data.iam_instance_profile->arn);
     }},
    {"image-id", [](const auto& at, auto& out) { add_if_set(out, at.record.data.image_id); }},
    {"instance-type", [](const auto& at, auto& out) { add_if_set(out, at.record.data.instance_type); }},
    {"is-default-version", [](const auto& at, auto& out) { out.add(at.record.version.number == at.record.of.default_version); }},
    {"kernel-id", [](const auto& at, auto& out) { add_if_set(out, at.record.data.kernel_id); }},
    {"license-configuration-arn", [](const auto&, auto&) {}},
    {"network-card-index",
     [](const auto& at, auto& out) {
       for (const auto& interface : at.record.data.network_interfaces) add_if_set(out, interface.network_card_index);
     }},
    {"ram-disk-id", [](const auto& at, auto& out) { add_if_set(out, at.record.data.ram_disk_id); }},
};

// Newest first: keys that sort in reverse.
std::string listing_key(const LaunchTemplateVersion& version) {
  return LaunchTemplateVersion::id_of(version.template_id, 9'999'999'999 - version.number);
}

std::optional<std::int64_t> read_bound(const std::optional<std::string>& text, std::string_view name) {
  if (!text) return std::nullopt;
  const auto number = parse_integer(*text);
  if (!number) throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter {} is invalid. It is a number.", *text, name));
  return number;
}

using Versions = std::map<std::string, VersionRecord>;  // by listing_key: a version that is requested twice is listed once

void add_version(Versions& versions, const LaunchTemplate& of, const LaunchTemplateVersion& version) {
  versions.emplace(listing_key(version), VersionRecord{of, version, read_template_data(version.parameters)});
}

Versions versions_of_one(const state::World& world, const LaunchTemplate& of,
                         const wire::ec2::DescribeLaunchTemplateVersionsRequest& request) {
  Versions versions;
  const auto least = read_bound(request.min_version, "MinVersion");
  const auto most = read_bound(request.max_version, "MaxVersion");
  if (!request.versions.empty() && (least || most))
    throw wire::invalid_parameter_combination("Versions cannot be given together with MinVersion or MaxVersion.");
  for (const auto& text : request.versions) add_version(versions, of, find_version(world, of, text));
  if (request.versions.empty())
    each_version(world, of, [&](const LaunchTemplateVersion& version) {
      if (version.number >= least.value_or(1) && version.number <= most.value_or(version.number)) add_version(versions, of, version);
    });
  return versions;
}

Versions versions_of_all(const state::World& world, const Context& context,
                         const wire::ec2::DescribeLaunchTemplateVersionsRequest& request) {
  // EC2's answer has the names of its command line's options, whoever asks.
  static constexpr const char* ways =
      "To describe the launch template data for all your launch templates, for ‘--versions’ specify ‘$Latest’, ‘$Default’, or both, and "
      "omit ‘--launch-template-id’, ‘--launch-template-name’, and version numbers. To describe the launch template data for a specific "
      "launch template, specify ‘--launch-template-id’ or ‘--launch-template-name’, and for ‘--versions’ specify one or more of the "
      "following values: ‘$Latest’, ‘$Default’, or one or more version numbers.";
  if (request.versions.empty()) throw wire::ApiError(400, "MissingParameter", ways);
  for (const auto& text : request.versions)
    if (text != "$Latest" && text != "$Default") throw wire::invalid_parameter_value(ways);
  Versions versions;
  world.each_of<LaunchTemplate>(context.account(), [&](const LaunchTemplate& of) {
    for (const auto& text : request.versions) add_version(versions, of, find_version(world, of, text));
  });
  return versions;
}

wire::ec2::DescribeLaunchTemplateVersionsResponse describe_versions(const state::World& world, const Context& context,
                                                                    const wire::ec2::DescribeLaunchTemplateVersionsRequest& request) {
  const FilterSet<VersionRecord> filters(version_filters, request.filters, &context);
  Page page(context, "DescribeLaunchTemplateVersions", request.max_results, request.next_token, page_limits);
  const auto versions =
      request.launch_template_id || request.launch_template_name
          ? versions_of_one(world, find_template(world, context.account(), request.launch_template_id, request.launch_template_name),
                            request)
          : versions_of_all(world, context, request);
  wire::ec2::DescribeLaunchTemplateVersionsResponse response;
  for (const auto& [key, record] : versions) {
    if (key <= page.after() || !filters.match(world, record, {}, {})) continue;
    if (!page.take(key)) break;
    response.launch_template_versions.push_back(
        describe_version(world, context, record.of, record.version, request.resolve_alias.value_or(false)));
  }
  response.next_token = page.next_token();
  return response;
}

wire::ec2::GetLaunchTemplateDataResponse get_data(const state::World& world, const Context& context,
                                                  const wire::ec2::GetLaunchTemplateDataRequest& request) {
  const auto* instance = find_instances(world, context.account(), {*request.instance_id}).front();
  if (instance->state == state::InstanceState::terminated)
    throw wire::ApiError(400, "IncorrectInstanceState", fmt::format("The instance '{}' is terminated.", instance->id));
  wire::ec2::GetLaunchTemplateDataResponse response;
  response.launch_template_data = template_data_of(world, *instance);
  return response;
}

// For resources that an on-demand launch does not make.
bool is_of_another_launch(std::string_view resource_type) {
  return resource_type == "spot-instances-request" || resource_type == "elastic-gpu";
}

}  // namespace

wire::ec2::RunInstancesRequest with_launch_template(const state::World& world, const Context& context,
                                                    const wire::ec2::LaunchTemplateSpecification& specification, UsedTemplate& used) {
  const auto& of = find_template(world, context.account(), specification.launch_template_id, specification.launch_template_name);
  const auto& version = find_version(world, of, specification.version.value_or("").empty() ? "$Default" : *specification.version);
  used = {of.id, version.number};
  Parameters asked;
  // A caller from inside gets the template as it is.
  if (context.parameters != nullptr)
    for (const auto& [name, value] : context.parameters->pairs()) asked.push_back({name, value});
  std::vector<std::pair<std::string, std::string>> merged;
  for (auto& [name, value] : overlaid(asked, version.parameters))
    merged.emplace_back(name == "RamDiskId" ? std::string("RamdiskId") : std::move(name), std::move(value));
  const wire::QueryTree tree(std::move(merged));
  wire::ec2::RunInstancesRequest request;
  read(tree.root(), request);
  std::erase_if(request.tag_specifications, [](const auto& each) { return is_of_another_launch(each.resource_type.value_or("")); });
  return request;
}

std::vector<service::Action> launch_template_actions() {
  using namespace wire::ec2;
  return {
      service::write_action<CreateLaunchTemplateRequest>("CreateLaunchTemplate", create_template),
      service::write_action<CreateLaunchTemplateVersionRequest>("CreateLaunchTemplateVersion", create_version),
      service::write_action<ModifyLaunchTemplateRequest>("ModifyLaunchTemplate", modify_template),
      service::write_action<DeleteLaunchTemplateRequest>("DeleteLaunchTemplate", delete_template),
      service::write_action<DeleteLaunchTemplateVersionsRequest>("DeleteLaunchTemplateVersions", delete_versions),
      service::read_action<DescribeLaunchTemplatesRequest>("DescribeLaunchTemplates", describe_templates),
      service::read_action<DescribeLaunchTemplateVersionsRequest>("DescribeLaunchTemplateVersions", describe_versions),
      service::read_action<GetLaunchTemplateDataRequest>("GetLaunchTemplateData", get_data),
  };
}

}  // namespace brume::ec2
