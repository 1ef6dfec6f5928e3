#include "control/flow_log_lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/ipv4.hpp"
#include "base/process.hpp"
#include "domain/flow_log_fields.hpp"

namespace brume::control {
namespace {

std::string text_of_seconds(Time time) { return fmt::to_string(std::chrono::duration_cast<seconds>(time.time_since_epoch()).count()); }

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

}  // namespace

FlowLogLines::FlowLogLines(const std::string& format, const std::string& region) : region_(region) {
  fields_ = domain::flow_log_fields(format).value_or(std::vector<std::string>());
  int version = 2;
  for (const auto& name : fields_) {
    version = std::max(version, domain::flow_log_field_version(name));
    text_ += (text_.empty() ? "" : " ") + name;
  }
  version_ = fmt::to_string(version);
  text_ += "\n";
}

void FlowLogLines::add(const state::NetworkInterface& interface, const network::FlowRecord& flow, Time first, Time last) {
  write({interface, &flow, first, last, "OK"});
}

void FlowLogLines::add_status(const state::NetworkInterface& interface, std::string_view status, Time begin, Time end) {
  write({interface, nullptr, begin, end, status});
}

void FlowLogLines::write(const Line& line) {
  bool first = true;
  for (const auto& name : fields_) {
    if (!std::exchange(first, false)) text_ += ' ';
    text_ += field(line, name);
  }
  text_ += '\n';
  empty_ = false;
}

std::string FlowLogLines::field(const Line& line, const std::string& name) const {
  const auto& interface = line.interface;
  if (name == "version") return version_;
  if (name == "account-id") return interface.account;
  if (name == "interface-id") return interface.id;
  if (name == "vpc-id") return interface.vpc_id;
  if (name == "subnet-id") return interface.subnet_id;
  if (name == "instance-id") return or_dash(interface.instance_id);
  if (name == "region") return region_;
  if (name == "start") return text_of_seconds(line.start);
  if (name == "end") return text_of_seconds(line.end);
  if (name == "log-status") return std::string(line.status);
  if (line.flow == nullptr) return "-";
  const auto& [source, destination, source_port, destination_port, protocol] = line.flow->addresses;
  const bool egress = line.flow->egress;
  // These two show the primary of the interface's own addresses, whichever was in the packet.
  if (name == "srcaddr") return egress ? interface.private_ip : format_ipv4(source);
  if (name == "dstaddr") return egress ? format_ipv4(destination) : interface.private_ip;
  if (name == "pkt-srcaddr") return format_ipv4(source);
  if (name == "pkt-dstaddr") return format_ipv4(destination);
  if (name == "srcport") return fmt::to_string(source_port);
  if (name == "dstport") return fmt::to_string(destination_port);
  if (name == "protocol") return fmt::to_string(protocol);
  if (name == "type") return "IPv4";
  if (name == "packets") return fmt::to_string(line.flow->packets);
  if (name == "bytes") return fmt::to_string(line.flow->bytes);
  if (name == "flow-direction") return egress ? "egress" : "ingress";
  if (name == "action") return line.flow->accepted ? "ACCEPT" : "REJECT";
  return "-";
}

Result<void> FlowLogLines::pack(const std::string& path) const {
  Command gzip;
  gzip.program = "gzip";
  gzip.arguments = {"-n", "-c"};
  gzip.input = text_;
  gzip.output_file = path;
  if (auto packed = run_checked(gzip); !packed) return fail(packed.error());
  return {};
}

}  // namespace brume::control
