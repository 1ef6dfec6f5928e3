// Flow logs of VPCs, subnets and interfaces, written to folders that are named as EC2 names them in a bucket (control/flow_logs.hpp).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "domain/flow_log_fields.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/client_tokens.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/tags.hpp"
#include "wire/ec2/flow_logs.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::FlowLog;
using state::World;

constexpr size_t most_flow_logs_at_once = 1000;
constexpr size_t most_of_one = 2;  // flow logs of one resource
constexpr std::string_view usual_format =
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} "
    "${action} ${log-status}";

const FilterField<FlowLog> log_filters[] = {
    field<&FlowLog::id>("flow-log-id"),
    field<&FlowLog::resource_id>("resource-id"),
    field<&FlowLog::traffic>("traffic-type"),
    {"deliver-log-status", [](const auto& at, auto& out) { out.add(at.record.error.empty() ? "SUCCESS" : "FAILED"); }},
    {"log-destination-type", [](const auto&, auto& out) { out.add("s3"); }},
    {"log-group-name", [](const auto&, auto&) {}},
};

wire::ec2::FlowLog show_flow_log(const World& world, const FlowLog& log) {
  wire::ec2::FlowLog item;
  item.flow_log_id = log.id;
  item.resource_id = log.resource_id;
  item.traffic_type = log.traffic;
  item.flow_log_status = "ACTIVE";
  item.log_destination_type = "s3";
  item.log_destination = log.destination;
  item.log_format = log.format;
  item.max_aggregation_interval = log.interval;
  item.deliver_logs_status = log.error.empty() ? "SUCCESS" : "FAILED";
  if (!log.error.empty()) item.deliver_logs_error_message = log.error;
  item.creation_time = log.created;
  auto& options = item.destination_options.emplace();
  options.file_format = "plain-text";
  options.hive_compatible_partitions = log.hive;
  options.per_hour_partition = log.hourly;
  item.tags = tags_of(world, log.account, log.id);
  return item;
}

// ----- create

wire::ApiError invalid(std::string message) { return {400, "InvalidParameter", std::move(message)}; }

// A bucket and a folder below it, as a path that cannot lead elsewhere.
void check_destination(const std::string& destination, const std::string& partition) {
  const auto head = fmt::format("arn:{}:s3:::", partition);
  const auto wrong = [&] { return invalid(fmt::format("LogDestination '{}' is not the ARN of a bucket", destination)); };
  if (!destination.starts_with(head)) throw wrong();
  const auto path = std::string_view(destination).substr(head.size());
  const auto bucket = path.substr(0, path.find('/'));
  const auto of = [](std::string_view text, std::string_view more) {
    return std::all_of(text.begin(), text.end(),
                       [&](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || more.find(c) != std::string_view::npos; });
  };
  const bool good = bucket.size() >= 3 && bucket.size() <= 63 && of(bucket, "-.") && bucket.front() != '.' && path.size() <= 512 &&
                    of(path.substr(bucket.size()), "ABCDEFGHIJKLMNOPQRSTUVWXYZ/-._") && path.find("..") == std::string_view::npos &&
                    path.find("//") == std::string_view::npos && path.find("AWSLogs") == std::string_view::npos;
  if (!good) throw wrong();
}

std::string read_format(const std::optional<std::string>& asked) {
  if (!given(asked)) return std::string(usual_format);
  const auto fields = domain::flow_log_fields(*asked);
  if (!fields)
    throw wire::invalid_parameter_value(
        fmt::format("1 validation error detected: Value '{}' at 'logFormat' has an invalid format", *asked));
  return *asked;
}

constexpr std::array<std::string_view, 3> types_built = {"VPC", "Subnet", "NetworkInterface"};
constexpr std::array<std::string_view, 3> other_types = {"TransitGateway", "TransitGatewayAttachment", "RegionalNatGateway"};

template <size_t count>
bool is_one_of(const std::array<std::string_view, count>& values, std::string_view text) {
  return std::find(values.begin(), values.end(), text) != values.end();
}

void check_destination_type(const wire::ec2::CreateFlowLogsRequest& request) {
  const auto type = request.log_destination_type.value_or("cloud-watch-logs");
  if (type != "s3" && type != "cloud-watch-logs" && type != "kinesis-data-firehose")
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter LogDestinationType is invalid. Unknown destination type.", type));
  if (given(request.log_group_name) && type != "cloud-watch-logs")
    throw invalid("LogDestination type must be cloud-watch-logs if LogGroupName is provided.");
  if (!given(request.log_group_name) && !given(request.log_destination))
    throw invalid("LogDestination can't be empty if LogGroupName is not provided.");
  if (given(request.log_group_name) && given(request.log_destination))
    throw invalid("Please only provide LogGroupName or only provide LogDestination.");
  if (type != "s3") return;
  if (given(request.deliver_logs_permission_arn)) throw invalid("DeliverLogsPermissionArn is not applicable for s3 delivery");
  if (given(request.deliver_cross_account_role)) throw invalid("DeliverCrossAccountRole is not applicable for s3 delivery");
}

FlowLog read_log(const Context& context, const wire::ec2::CreateFlowLogsRequest& request) {
  FlowLog log;
  log.account = context.account();
  check_destination_type(request);
  log.destination = request.log_destination.value_or("");
  if (request.log_destination_type == "s3") check_destination(log.destination, context.services.settings.partition);
  if (!given(request.traffic_type)) throw wire::missing_parameter("TrafficType");
  log.traffic = *request.traffic_type;
  if (log.traffic != "ACCEPT" && log.traffic != "REJECT" && log.traffic != "ALL")
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter TrafficType is invalid. It is ACCEPT, REJECT or ALL.", log.traffic));
  log.interval = request.max_aggregation_interval.value_or(600);
  if (log.interval != 60 && log.interval != 600) throw invalid("Invalid Flow Log Max Aggregation Interval");
  log.format = read_format(request.log_format);
  if (const auto& options = request.destination_options) {
    const auto file_format = options->file_format.value_or("plain-text");
    if (file_format != "plain-text" && file_format != "parquet")
      throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter FileFormat is invalid.", file_format));
    log.hive = options->hive_compatible_partitions.value_or(false);
    log.hourly = options->per_hour_partition.value_or(false);
  }
  return log;
}

// Valid requests for what is not built.
void refuse_unbuilt_flow_log_options(const wire::ec2::CreateFlowLogsRequest& request, const FlowLog& log) {
  if (!is_one_of(types_built, *request.resource_type))
    throw wire::unsupported_operation(fmt::format("Flow logs of a {} are not supported.", *request.resource_type));
  if (request.log_destination_type != "s3")
    throw wire::unsupported_operation("Flow logs are delivered to LogDestinationType s3 only, which is a folder here.");
  if (request.destination_options && request.destination_options->file_format.value_or("plain-text") != "plain-text")
    throw wire::unsupported_operation("Flow logs are written as plain text only.");
  for (const auto& name : domain::flow_log_fields(log.format).value_or(std::vector<std::string>()))
    if (domain::flow_log_field_version(name) == 0)
      throw wire::unsupported_operation(fmt::format("The field {} of flow logs is not supported.", name));
}

void check_resource(const World& world, const std::string& account, const std::string& type, const std::string& id) {
  if (type == "VPC")
    find_owned<state::Vpc>(world, account, "vpc", "ResourceId", id);
  else if (type == "Subnet")
    find_owned<state::Subnet>(world, account, "subnet", "ResourceId", id);
  else
    find_owned<state::NetworkInterface>(world, account, "eni", "ResourceId", id);
}

// Throws for the whole request.
void check_others(const World& world, const FlowLog& log) {
  size_t count = 0;
  world.each_indexed<FlowLog>(state::Index::flow_log_by_resource, log.resource_id, [&](const FlowLog& other) {
    ++count;
    if (other.traffic == log.traffic && other.destination == log.destination)
      throw wire::ApiError(400, "FlowLogAlreadyExists",
                           "Error. There is an existing Flow Log with the same configuration and log destination.");
  });
  if (count >= most_of_one)
    throw wire::ApiError(400, "FlowLogsLimitExceeded",
                         fmt::format("{} has {} flow logs, which is the limit", log.resource_id, most_of_one));
}

wire::ec2::UnsuccessfulItem refused(const std::string& id, const wire::ApiError& why) {
  wire::ec2::UnsuccessfulItem item;
  item.resource_id = id;
  auto& error = item.error.emplace();
  error.code = why.code;
  error.message = why.message;
  return item;
}

void check_flow_log_request(const wire::ec2::CreateFlowLogsRequest& request) {
  check_tag_types(request.tag_specifications, {"vpc-flow-log"});
  if (!given(request.resource_type)) throw wire::missing_parameter("ResourceType");
  if (!is_one_of(types_built, *request.resource_type) && !is_one_of(other_types, *request.resource_type))
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter ResourceType is invalid. Valid values: {}, {}.",
                                                    *request.resource_type, fmt::join(types_built, ", "), fmt::join(other_types, ", ")));
  if (request.resource_ids.empty()) throw wire::missing_parameter("ResourceId");
  if (request.resource_ids.size() > most_flow_logs_at_once)
    throw wire::invalid_parameter_value(fmt::format("At most {} resources can be named at once", most_flow_logs_at_once));
}

wire::ec2::CreateFlowLogsResponse create_logs(state::Transaction& transaction, const Context& context,
                                              const wire::ec2::CreateFlowLogsRequest& request) {
  const auto token = request.client_token.value_or("");
  wire::ec2::CreateFlowLogsResponse response;
  if (!token.empty()) response.client_token = token;
  if (const auto made = find_made(transaction, context, "CreateFlowLogs", token); !made.empty()) {
    for (const auto id : split(made, ',')) response.flow_log_ids.emplace_back(id);
    return response;
  }
  check_flow_log_request(request);
  const auto common = read_log(context, request);
  refuse_unbuilt_flow_log_options(request, common);
  for (const auto& id : request.resource_ids) {
    auto log = common;
    log.resource_id = id;
    try {
      check_resource(transaction.world(), log.account, *request.resource_type, id);
    } catch (const wire::ApiError& error) {
      response.unsuccessful.push_back(refused(id, error));
      continue;
    }
    check_others(transaction.world(), log);
    log.id = make_id(transaction.random(), "fl");
    log.created = transaction.now();
    tag_on_create(transaction, log.account, log.id, "vpc-flow-log", request.tag_specifications);
    response.flow_log_ids.push_back(log.id);
    transaction.put(std::move(log));
  }
  if (!response.flow_log_ids.empty())
    remember_made(transaction, context, "CreateFlowLogs", token, fmt::format("{}", fmt::join(response.flow_log_ids, ",")));
  return response;
}

// ----- describe, delete

// Unknown ids are silently ignored.
wire::ec2::DescribeFlowLogsResponse describe_logs(const World& world, const Context& context,
                                                  const wire::ec2::DescribeFlowLogsRequest& request) {
  // This action calls its filters "Filter".
  const struct {
    const std::vector<wire::ec2::Filter>& filters;
    const std::optional<std::int64_t>& max_results;
    const std::optional<std::string>& next_token;
  } asked{request.filter, request.max_results, request.next_token};
  for (const auto& id : request.flow_log_ids) check_id("fl", id);
  wire::ec2::DescribeFlowLogsResponse response;
  const Listing<FlowLog> logs(world, context, asked,
                              {.action = "DescribeFlowLogs", .filters = log_filters, .limits = {.least = 1, .most = 1000}});
  response.next_token = logs.each_where(
      request.flow_log_ids, [](const FlowLog&) { return true; },
      [&](const FlowLog& log) { response.flow_logs.push_back(show_flow_log(world, log)); });
  return response;
}

// If some are unknown the others are deleted; if all are, it is an error.
wire::ec2::DeleteFlowLogsResponse delete_logs(state::Transaction& transaction, const Context& context,
                                              const wire::ec2::DeleteFlowLogsRequest& request) {
  if (request.flow_log_ids.empty()) throw wire::missing_parameter("FlowLogId");
  if (request.flow_log_ids.size() > most_flow_logs_at_once)
    throw wire::invalid_parameter_value(fmt::format("At most {} flow logs can be named at once", most_flow_logs_at_once));
  for (const auto& id : request.flow_log_ids) check_id("fl", id);
  wire::ec2::DeleteFlowLogsResponse response;
  for (const auto& id : request.flow_log_ids) {
    if (transaction.find<FlowLog>(context.account(), id) == nullptr) {
      response.unsuccessful.push_back(refused(id, id_unknown("fl", id)));
      continue;
    }
    erase_tags(transaction, context.account(), id);
    transaction.erase<FlowLog>(state::owned_key(context.account(), id));
  }
  if (response.unsuccessful.size() == request.flow_log_ids.size()) throw ids_unknown("fl", request.flow_log_ids);
  return response;
}

}  // namespace

std::vector<service::Action> flow_log_actions() {
  return {
      service::write_action("CreateFlowLogs", create_logs),
      service::write_action("DeleteFlowLogs", delete_logs),
      service::read_action("DescribeFlowLogs", describe_logs),
  };
}

}  // namespace brume::ec2
