#include "ssm/parameters.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "domain/arns.hpp"
#include "ec2/images/image_aliases.hpp"
#include "wire/ssm/parameters.hpp"

namespace brume::ssm {
namespace {

using ec2::PublicParameter;
using service::Context;

constexpr size_t names_of_a_request = 10;
constexpr std::int64_t page_limit = 10;

wire::ssm::Parameter show(const Context& context, const PublicParameter& parameter, std::string_view asked) {
  const auto& settings = context.services.settings;
  wire::ssm::Parameter item;
  item.name = parameter.name;
  item.type = "String";
  item.value = parameter.image->id;
  item.version = parameter.version;
  item.last_modified_date = parameter.image->created;
  item.arn = domain::arn_of(settings.partition, "ssm", settings.region, "", "parameter" + parameter.name);
  item.data_type = "aws:ec2:image";
  if (asked.size() > parameter.name.size()) item.selector = std::string(asked.substr(parameter.name.size()));  // ":2"
  return item;
}

// A parameter may be named by its ARN, too.
std::string_view name_in(std::string_view asked) {
  const auto at = asked.find(":parameter/");
  return asked.starts_with("arn:") && at != std::string_view::npos ? asked.substr(at + 10) : asked;
}

wire::ssm::GetParameterResponse get_parameter(const state::World& world, const Context& context,
                                              const wire::ssm::GetParameterRequest& request) {
  const auto asked = name_in(*request.name);
  const auto found = ec2::find_public_parameter(world, asked);
  if (!found) {
    const auto path = asked.substr(0, asked.find(':'));
    if (path.size() < asked.size() && ec2::find_public_parameter(world, path))
      throw wire::ApiError(400, "ParameterVersionNotFound",
                           fmt::format("Systems Manager could not find version {} of {}.", asked.substr(path.size() + 1), path));
    throw wire::ApiError(400, "ParameterNotFound", fmt::format("There is no parameter {}.", asked));
  }
  wire::ssm::GetParameterResponse response;
  response.parameter = show(context, *found, asked);
  return response;
}

wire::ssm::GetParametersResponse get_parameters(const state::World& world, const Context& context,
                                                const wire::ssm::GetParametersRequest& request) {
  if (request.names.size() > names_of_a_request)
    throw wire::ApiError(400, "ValidationException", fmt::format("A request names at most {} parameters.", names_of_a_request));
  wire::ssm::GetParametersResponse response;
  for (const auto& name : request.names) {
    if (const auto found = ec2::find_public_parameter(world, name_in(name)))
      response.parameters.push_back(show(context, *found, name_in(name)));
    else
      response.invalid_parameters.push_back(name);
  }
  return response;
}

wire::ssm::GetParametersByPathResponse get_parameters_by_path(const state::World& world, const Context& context,
                                                              const wire::ssm::GetParametersByPathRequest& request) {
  auto path = *request.path;
  if (!path.starts_with('/')) throw wire::ApiError(400, "ValidationException", "The parameter path begins with a slash.");
  if (!path.ends_with('/')) path += '/';
  if (!request.parameter_filters.empty())
    throw wire::ApiError(400, "InvalidFilterKey", "Public parameters have nothing to be filtered by.");
  const auto most = request.max_results.value_or(page_limit);
  if (most < 1 || most > page_limit)
    throw wire::ApiError(400, "ValidationException", fmt::format("MaxResults is from 1 to {}.", page_limit));
  // The token is the name after which to go on: the list is public.
  std::string after;
  if (request.next_token) {
    const auto decoded = from_base64(*request.next_token);
    if (!decoded || !decoded->starts_with('/')) throw wire::ApiError(400, "InvalidNextToken", "The specified token isn't valid.");
    after = *decoded;
  }
  wire::ssm::GetParametersByPathResponse response;
  std::string last;
  for (const auto& parameter : ec2::public_parameters(world)) {
    if (!parameter.name.starts_with(path) || parameter.name <= after) continue;
    if (!request.recursive.value_or(false) && parameter.name.find('/', path.size()) != std::string::npos) continue;
    if (static_cast<std::int64_t>(response.parameters.size()) == most) {
      response.next_token = to_base64(last);
      break;
    }
    response.parameters.push_back(show(context, parameter, parameter.name));
    last = parameter.name;
  }
  return response;
}

}  // namespace

service::ServiceTable make_service() {
  using namespace wire::ssm;
  return service::make_table("ssm", {
                                        service::read_action<GetParameterRequest>("GetParameter", get_parameter),
                                        service::read_action<GetParametersRequest>("GetParameters", get_parameters),
                                        service::read_action<GetParametersByPathRequest>("GetParametersByPath", get_parameters_by_path),
                                    });
}

}  // namespace brume::ssm
