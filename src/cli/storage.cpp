#include <boost/json.hpp>
#include <cstdio>

#include <fmt/format.h>

#include "cli/admin_client.hpp"
#include "cli/commands.hpp"

namespace brume::cli {

namespace json = boost::json;

namespace {

double number(const json::value& object, std::string_view name) { return object.at(name).to_number<double>(); }

// "8.0 GiB"
std::string size(const json::value& object, std::string_view name) {
  const auto mib = number(object, name) / (1 << 20);
  return mib >= 1024 ? fmt::format("{:.1f} GiB", mib / 1024) : fmt::format("{:.1f} MiB", mib);
}

}  // namespace

int storage(const Options& options, bool as_json) {
  auto list = AdminClient(options.home).get("/storage");
  if (!list) return complain(list.error());
  if (as_json) {
    std::printf("%s\n", json::serialize(*list).c_str());
    return 0;
  }
  constexpr const char* row = "{:<32} {:<10} {:>10} {:>11} {:>11} {:>6}  {}\n";
  fmt::print(row, "id", "state", "size", "own", "shared", "files", "used by or made of");
  for (const auto& each : list->as_array()) {
    const auto instance = text(each, "instance");
    const auto of = text(each, "of");
    const auto* folding = each.as_object().if_contains("foldingPercent");
    fmt::print(row, text(each, "id"), text(each, "state"), size(each, "virtualBytes"), size(each, "ownBytes"), size(each, "sharedBytes"),
               json::serialize(each.at("depth")),
               instance + (instance.empty() || of.empty() ? "" : ", ") + (of.empty() ? "" : "of " + of) +
                   (folding == nullptr ? "" : ", files made fewer: " + json::serialize(*folding) + " %"));
  }
  return 0;
}

int storage_counters(const Options& options, bool as_json) {
  auto list = AdminClient(options.home).get("/storage/counters");
  if (!list) return complain(list.error());
  if (as_json) {
    std::printf("%s\n", json::serialize(*list).c_str());
    return 0;
  }
  constexpr const char* row = "{:<32} {:>10} {:>11} {:>10} {:>11} {:>9} {:>8} {:>6} {:>6}  {}\n";
  fmt::print(row, "id", "reads", "read", "writes", "written", "flushes", "failures", "idle", "queue", "instance");
  for (const auto& each : list->as_array()) {
    const auto& totals = each.at("totals");
    const auto watched = number(totals, "watchedNs");
    const auto busy = number(totals, "readNs") + number(totals, "writeNs") + number(totals, "flushNs");
    fmt::print(row, text(each, "id"), number(totals, "reads"), size(totals, "readBytes"), number(totals, "writes"),
               size(totals, "writeBytes"), number(totals, "flushes"), number(totals, "failures"),
               watched > 0 ? fmt::format("{:.0f} %", 100 * number(totals, "idleNs") / watched) : "-",
               watched > 0 ? fmt::format("{:.2f}", busy / watched) : "-", text(each, "instance"));
  }
  return 0;
}

}  // namespace brume::cli
