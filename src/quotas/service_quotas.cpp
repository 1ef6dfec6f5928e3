#include "quotas/service_quotas.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "domain/arns.hpp"
#include "ec2/accounts/quotas.hpp"
#include "wire/servicequotas/quotas.hpp"

namespace brume::quotas {
namespace {

using ec2::QuotaRow;
using service::Context;
using state::World;
namespace answers = wire::servicequotas;

constexpr std::int64_t most_of_a_page = 100;
// A quota is a number: who has no limit is shown one that nobody reaches.
constexpr std::int64_t shown_for_none = 1'000'000;

struct ServiceName {
  std::string_view code, name;
};
constexpr std::array services = {ServiceName{"ebs", "Amazon Elastic Block Store (Amazon EBS)"},
                                 ServiceName{"ec2", "Amazon Elastic Compute Cloud (Amazon EC2)"},
                                 ServiceName{"vpc", "Amazon Virtual Private Cloud (Amazon VPC)"}};

const ServiceName& find_service(std::string_view code) {
  const auto found = std::find_if(services.begin(), services.end(), [&](const auto& one) { return one.code == code; });
  if (found == services.end())
    throw wire::ApiError(400, "NoSuchResourceException",
                         fmt::format("The request failed because there are no quotas of the service {}.", code));
  return *found;
}

const QuotaRow& find_row(std::string_view service, std::string_view code) {
  find_service(service);
  for (const auto& row : ec2::quota_rows())
    if (row.service == service && row.code == code) return row;
  throw wire::ApiError(400, "NoSuchResourceException",
                       fmt::format("The request failed because the service {} has no quota {}.", service, code));
}

answers::ServiceQuota show(const World& world, const Context& context, const QuotaRow& row, bool is_default) {
  const auto& settings = context.services.settings;
  const auto value = is_default ? ec2::default_quota(world, settings, context.account(), row.quota)
                                : ec2::quota_of(world, settings, context.account(), row.quota);
  answers::ServiceQuota item;
  item.service_code = std::string(row.service);
  item.service_name = std::string(find_service(row.service).name);
  item.quota_code = std::string(row.code);
  item.quota_name = std::string(row.title);
  item.quota_arn = domain::arn_of(settings.partition, "servicequotas", settings.region, is_default ? "" : context.account(),
                                  fmt::format("{}/{}", row.service, row.code));
  item.value = static_cast<double>(std::min(value, shown_for_none));
  item.unit = "None";
  item.adjustable = true;
  item.global_quota = false;
  return item;
}

// From `all`, which are in the order of their codes, a page's; `after` is what the token says. Returns the token of the next one.
template <class Items, class Code, class Take>
std::optional<std::string> page(const Items& all, const std::optional<std::int64_t>& max_results, const std::optional<std::string>& token,
                                Code&& code_of, Take&& take) {
  const auto most = max_results.value_or(most_of_a_page);
  if (most < 1 || most > most_of_a_page)
    throw wire::ApiError(400, "IllegalArgumentException", fmt::format("MaxResults is from 1 to {}.", most_of_a_page));
  const auto after = token ? from_base64(*token) : std::string();
  if (!after) throw wire::ApiError(400, "InvalidPaginationTokenException", "The token is none of this list's.");
  std::int64_t taken = 0;
  std::string last;
  for (const auto& item : all) {
    if (code_of(item) <= *after) continue;
    if (taken++ == most) return to_base64(last);
    take(item);
    last = code_of(item);
  }
  return std::nullopt;
}

std::vector<const QuotaRow*> rows_of(std::string_view service) {
  find_service(service);
  std::vector<const QuotaRow*> found;
  for (const auto& row : ec2::quota_rows())
    if (row.service == service) found.push_back(&row);
  std::sort(found.begin(), found.end(), [](const auto* a, const auto* b) { return a->code < b->code; });
  return found;
}

answers::ListServicesResponse list_services(const World&, const Context&, const answers::ListServicesRequest& request) {
  answers::ListServicesResponse response;
  response.next_token = page(
      services, request.max_results, request.next_token, [](const auto& one) { return one.code; },
      [&](const ServiceName& one) {
        auto& item = response.services.emplace_back();
        item.service_code = std::string(one.code);
        item.service_name = std::string(one.name);
      });
  return response;
}

template <class Response, class Request>
Response list(const World& world, const Context& context, const Request& request, bool is_default) {
  auto rows = rows_of(*request.service_code);
  if constexpr (requires { request.quota_code; })
    if (request.quota_code) std::erase_if(rows, [&](const auto* row) { return row->code != *request.quota_code; });
  Response response;
  response.next_token = page(
      rows, request.max_results, request.next_token, [](const auto* row) { return row->code; },
      [&](const QuotaRow* row) { response.quotas.push_back(show(world, context, *row, is_default)); });
  return response;
}

answers::ListServiceQuotasResponse list_service_quotas(const World& world, const Context& context,
                                                       const answers::ListServiceQuotasRequest& request) {
  return list<answers::ListServiceQuotasResponse>(world, context, request, false);
}

answers::ListAWSDefaultServiceQuotasResponse list_default_quotas(const World& world, const Context& context,
                                                                 const answers::ListAWSDefaultServiceQuotasRequest& request) {
  return list<answers::ListAWSDefaultServiceQuotasResponse>(world, context, request, true);
}

answers::GetServiceQuotaResponse get_service_quota(const World& world, const Context& context,
                                                   const answers::GetServiceQuotaRequest& request) {
  answers::GetServiceQuotaResponse response;
  response.quota = show(world, context, find_row(*request.service_code, *request.quota_code), false);
  return response;
}

answers::GetAWSDefaultServiceQuotaResponse get_default_quota(const World& world, const Context& context,
                                                             const answers::GetAWSDefaultServiceQuotaRequest& request) {
  answers::GetAWSDefaultServiceQuotaResponse response;
  response.quota = show(world, context, find_row(*request.service_code, *request.quota_code), true);
  return response;
}

}  // namespace

service::ServiceTable make_service() {
  return service::make_table("servicequotas", {
                                                  service::read_action("ListServices", list_services),
                                                  service::read_action("ListServiceQuotas", list_service_quotas),
                                                  service::read_action("ListAWSDefaultServiceQuotas", list_default_quotas),
                                                  service::read_action("GetServiceQuota", get_service_quota),
                                                  service::read_action("GetAWSDefaultServiceQuota", get_default_quota),
                                              });
}

}  // namespace brume::quotas
