#include "domain/instance_types.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <stdexcept>

#include "base/text.hpp"
#include "domain/instance_type_table.hpp"

namespace brume::domain {
namespace {

std::vector<InstanceType>& catalogue() {
  static std::vector<InstanceType> types = [] {
    std::vector<InstanceType> built_in;
    if (const auto added = add_instance_types(built_in, instance_type_table); !added) throw std::logic_error(added.error().message);
    return built_in;
  }();
  return types;
}

auto wrong(std::string_view line, std::string_view how) {
  return fail(ErrorKind::broken, std::string(how) + ": \"" + std::string(line) + "\"");
}

// The forms of earlier tables. Fields that a line lacks keep their defaults.
constexpr size_t least_fields = 9;
constexpr size_t fields_with_network = 12;
constexpr size_t all_fields = 14;
constexpr std::int64_t most_cores = 1024;

// A figure above zero; nullopt: none.
std::optional<double> read_figure(std::string_view text) {
  double figure = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), figure);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size() || !(figure > 0 && figure < 1e6)) return std::nullopt;
  return figure;
}

bool read_compute(InstanceType& type, std::string_view text) {
  if (text == "full") return true;
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return false;
  const auto promise = text.substr(0, equals);
  const auto figures = split(text.substr(equals + 1), '/');
  const auto first = read_figure(figures[0]);
  if (!first) return false;
  if (promise == "credits") {
    type.credits_an_hour = *first;
    type.burstable = true;
    return figures.size() == 1;
  }
  type.compute_units = *first;
  if (figures.size() == 2) type.units_between_bursts = read_figure(figures[1]).value_or(0);
  return promise == "ecu" && (figures.size() == 1 || type.units_between_bursts > 0);
}

// "2,4,8": these numbers. "2-8/2": from the first to the second in such steps; the step is one if omitted.
std::optional<std::vector<std::int64_t>> read_cores(std::string_view text) {
  std::vector<std::int64_t> cores;
  for (const auto part : split(text, ',')) {
    const auto dash = part.find('-');
    const auto slash = part.find('/');
    const auto first = parse_integer(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_integer(part.substr(dash + 1, slash - dash - 1));
    const auto step = slash == std::string_view::npos ? std::optional<std::int64_t>(1) : parse_integer(part.substr(slash + 1));
    if (!first || !last || !step || *first < 1 || *last < *first || *last > most_cores || *step < 1) return std::nullopt;
    for (auto count = *first; count <= *last; count += *step) cores.push_back(count);
  }
  return cores;
}

// Threads of each core, and the numbers of cores that can be chosen. Without the fields each processor is a core, and any number can be
// chosen.
bool read_topology(InstanceType& type, std::string_view threads, std::string_view cores) {
  type.threads_per_core = parse_integer(threads).value_or(0);
  if (type.threads_per_core < 1 || type.processors % type.threads_per_core != 0) return false;
  const auto valid = read_cores(cores);
  if (!valid || valid->back() != type.cores() || !std::is_sorted(valid->begin(), valid->end())) return false;
  type.valid_cores = *valid;
  return true;
}

Result<InstanceType> parse_row(std::string_view line) {
  const auto fields = split(line, '\t');
  if (fields.size() != least_fields && fields.size() != fields_with_network && fields.size() != all_fields)
    return wrong(line, "a line of instance types has 14 fields separated by tabs, or the first 12 or 9");
  const auto processors = parse_integer(fields[1]);
  const auto memory = parse_integer(fields[2]);
  const auto disks = parse_integer(fields[6]);
  const auto disk_size = parse_integer(fields[7]);
  if (!processors || !memory || !disks || !disk_size || *processors < 1 || *memory < 64 || *disks < 0 || *disk_size < 0)
    return wrong(line, "vcpus, memory and storage are numbers");
  InstanceType type;
  type.name = fields[0];
  type.processors = *processors;
  type.memory_mib = *memory;
  for (const auto architecture : split(fields[3], ',')) type.architectures.emplace_back(architecture);
  type.current_generation = fields[4] == "current";
  if (!read_compute(type, fields[5])) return wrong(line, R"(compute is "full", "ecu=4", "ecu=2/0.1" or "credits=6")");
  type.storage_disks = *disks;
  type.storage_gb_each = *disk_size;
  type.network_performance = fields[8];
  if (!read_topology(type, fields.size() == all_fields ? fields[12] : "1",
                     fields.size() == all_fields ? fields[13] : fmt::format("1-{}", type.processors)))
    return wrong(line, "the threads of a core divide the vcpus, and cores are numbers up to vcpus / threads: \"1,2\", \"2-8/2\"");
  if (fields.size() == least_fields) return type;
  const auto interfaces = parse_integer(fields[10]);
  const auto addresses = parse_integer(fields[11]);
  if (!interfaces || !addresses || *interfaces < 1 || *addresses < 1) return wrong(line, "interfaces and addresses are numbers from 1 on");
  type.cluster = fields[9] == "yes";
  type.interfaces = *interfaces;
  type.addresses_per_interface = *addresses;
  return type;
}

}  // namespace

bool InstanceType::may_have_cores(std::int64_t cores) const {
  return std::find(valid_cores.begin(), valid_cores.end(), cores) != valid_cores.end();
}

bool InstanceType::runs(std::string_view architecture) const {
  return std::find(architectures.begin(), architectures.end(), architecture) != architectures.end();
}

Result<void> add_instance_types(std::vector<InstanceType>& types, std::string_view table) {
  for (const auto line : split(table, '\n')) {
    if (trim(line).empty() || line.front() == '#') continue;
    auto row = parse_row(line);
    if (!row) return fail(row.error());
    const auto at =
        std::lower_bound(types.begin(), types.end(), row->name, [](const auto& type, const auto& name) { return type.name < name; });
    if (at != types.end() && at->name == row->name)
      *at = std::move(*row);
    else
      types.insert(at, std::move(*row));
  }
  return {};
}

const std::vector<InstanceType>& instance_types() { return catalogue(); }

Result<void> set_operator_instance_types(std::string_view table) { return add_instance_types(catalogue(), table); }

const InstanceType* find_instance_type(std::string_view name) {
  const auto& types = instance_types();
  const auto at = std::lower_bound(types.begin(), types.end(), name, [](const auto& type, const auto& key) { return type.name < key; });
  return at != types.end() && at->name == name ? &*at : nullptr;
}

}  // namespace brume::domain
