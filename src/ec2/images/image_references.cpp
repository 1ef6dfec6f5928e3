// DescribeImageReferences: which of the account's resources name an image: instances, and the newest versions of launch templates. Requests
// may also ask for parameters of the Systems Manager and recipes of the Image Builder; no account has any.
#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "domain/arns.hpp"
#include "ec2/common/paging.hpp"
#include "ec2/images/images.hpp"
#include "wire/ec2/images.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using wire::ec2::DescribeImageReferencesRequest;

constexpr size_t most_images = 10;
constexpr std::int64_t usual_depth = 10;
constexpr std::int64_t most_depth = 10'000;
constexpr std::string_view kinds[] = {"ec2:Instance", "ec2:LaunchTemplate", "imagebuilder:ContainerRecipe", "imagebuilder:ImageRecipe",
                                      "ssm:Parameter"};
constexpr std::string_view states[] = {"pending", "running", "shutting-down", "terminated", "stopping", "stopped"};

// Where to look, and how many.
struct Search {
  std::set<std::string, std::less<>> kinds;
  std::set<std::string, std::less<>> states;  // of instances; empty: any
  std::int64_t depth = usual_depth;           // versions of a template
};

wire::ApiError invalid_option(std::string_view name, std::string_view value) {
  return wire::invalid_parameter_value(fmt::format("Value ({}) for the option {} is invalid.", value, name));
}

void read_option(const std::string& kind, const wire::ec2::ResourceTypeOption& option, Search& search) {
  const auto name = option.option_name.value_or("");
  if (kind == "ec2:Instance" && name == "state-name") {
    for (const auto& value : option.option_values) {
      if (std::find(std::begin(states), std::end(states), value) == std::end(states)) throw invalid_option(name, value);
      search.states.insert(value);
    }
  } else if (kind == "ec2:LaunchTemplate" && name == "version-depth" && option.option_values.size() == 1) {
    const auto depth = parse_integer(option.option_values.front());
    if (!depth || *depth < 1 || *depth > most_depth) throw invalid_option(name, option.option_values.front());
    search.depth = *depth;
  } else {
    throw wire::invalid_parameter_value(fmt::format("The option {} is not one of {}, or not said once.", name, kind));
  }
}

Search read_search(const DescribeImageReferencesRequest& request) {
  Search search;
  if (request.include_all_resource_types.value_or(false))
    search.kinds.insert(std::begin(kinds), std::end(kinds));
  else if (request.resource_types.empty())
    throw wire::invalid_parameter_combination("Either IncludeAllResourceTypes or ResourceType has to be specified.");
  for (const auto& asked : request.resource_types) {
    if (!asked.resource_type) throw wire::missing_parameter("ResourceType.ResourceType");
    const auto& kind = *asked.resource_type;
    if (std::find(std::begin(kinds), std::end(kinds), kind) == std::end(kinds))
      throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter ResourceType is invalid. Unknown value.", kind));
    search.kinds.insert(kind);
    for (const auto& option : asked.resource_type_options) read_option(kind, option, search);
  }
  return search;
}

// "ami-…/kind/id" → its ARN, in the order in which they are shown.
using References = std::map<std::string, std::string>;

class Finder {
 public:
  Finder(const state::World& world, const Context& context, const std::vector<std::string>& images)
      : world_(world), context_(context), images_(images.begin(), images.end()) {}

  void look_at_instances(const Search& search) {
    if (!search.kinds.contains(kinds[0])) return;
    world_.each_of<state::Instance>(context_.account(), [&](const state::Instance& instance) {
      if (search.states.empty() || search.states.contains(state::name_of(instance.state)))
        note(instance.image_id, kinds[0], "instance", instance.id);
    });
  }
  void look_at_templates(const Search& search) {
    if (!search.kinds.contains(kinds[1])) return;
    std::map<std::string, std::vector<const state::LaunchTemplateVersion*>> templates;
    world_.each_of<state::LaunchTemplateVersion>(
        context_.account(), [&](const state::LaunchTemplateVersion& version) { templates[version.template_id].push_back(&version); });
    for (const auto& [id, versions] : templates) {
      const auto first = versions.end() - std::min<std::ptrdiff_t>(search.depth, std::ssize(versions));
      std::for_each(first, versions.end(), [&](const auto* version) {
        for (const auto& parameter : version->parameters)
          if (parameter.name == "ImageId") note(parameter.value, kinds[1], "launch-template", id);
      });
    }
  }
  const References& found() const { return found_; }

 private:
  void note(const std::string& image, std::string_view kind, std::string_view noun, const std::string& id) {
    if (!images_.contains(image)) return;
    const auto& settings = context_.services.settings;
    found_[fmt::format("{}/{}/{}", image, kind, id)] =
        domain::arn_of(settings.partition, "ec2", settings.region, context_.account(), fmt::format("{}/{}", noun, id));
  }

  const state::World& world_;
  const Context& context_;
  std::set<std::string, std::less<>> images_;
  References found_;
};

wire::ec2::DescribeImageReferencesResponse describe_image_references(const state::World& world, const Context& context,
                                                                     const DescribeImageReferencesRequest& request) {
  if (request.image_ids.size() > most_images)
    throw wire::invalid_parameter_value(fmt::format("At most {} images can be specified.", most_images));
  for (const auto& id : request.image_ids) find_image(world, context.account(), id);
  const auto search = read_search(request);
  Finder finder(world, context, request.image_ids);
  finder.look_at_instances(search);
  finder.look_at_templates(search);
  Page page(context, "DescribeImageReferences", request.max_results, request.next_token);
  wire::ec2::DescribeImageReferencesResponse response;
  for (auto at = finder.found().upper_bound(page.after()); at != finder.found().end() && page.take(at->first); ++at) {
    const auto parts = split(at->first, '/');
    auto& item = response.image_references.emplace_back();
    item.image_id = std::string(parts[0]);
    item.resource_type = std::string(parts[1]);
    item.arn = at->second;
  }
  response.next_token = page.next_token();
  return response;
}

}  // namespace

std::vector<service::Action> image_reference_actions() {
  return {service::read_action<DescribeImageReferencesRequest>("DescribeImageReferences", describe_image_references)};
}

}  // namespace brume::ec2
