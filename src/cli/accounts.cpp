#include <boost/json.hpp>
#include <cstdio>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/admin_client.hpp"
#include "cli/commands.hpp"

namespace brume::cli {

namespace json = boost::json;

namespace {

// The one place where a secret is printed, for the person who asked for the key.
int show_keys(const json::value& account) {
  std::printf("account     %s  %s\n", text(account, "id").c_str(), text(account, "name").c_str());
  for (const auto& key : account.at("keys").as_array())
    std::printf("access key  %s\nsecret      %s\n", text(key, "id").c_str(), text(key, "secret").c_str());
  return 0;
}

// "2 instances, 3 volumes (24 GiB), 1 address": kinds of which there is none are left out.
std::string uses(const json::value& use) {
  std::string line;
  const auto add = [&](const char* member, const char* one, const char* many, const std::string& more = {}) {
    const auto count = use.at(member).as_int64();
    if (count > 0) line += (line.empty() ? "" : ", ") + std::to_string(count) + " " + (count == 1 ? one : many) + more;
  };
  add("instances", "instance", "instances");
  add("volumes", "volume", "volumes", " (" + std::to_string(use.at("volumeGib").as_int64()) + " GiB)");
  add("snapshots", "snapshot", "snapshots");
  add("images", "image", "images");
  add("addresses", "address", "addresses");
  add("vpcs", "VPC", "VPCs");
  return line.empty() ? "nothing" : line;
}

// The disks of the host, and the guests that wait for room on one.
void show_room(const json::value& status) {
  constexpr double gib = 1 << 30;
  for (const auto& disk : status.at("disks").as_array()) {
    const auto room = text(disk, "room");
    const char* means = room == "full"  ? "; FULL: nothing new is made, guests that write to it may stand still"
                        : room == "low" ? "; nearly full"
                                        : "";
    std::printf("disk         %.1f of %.1f GiB free for %s, %s%s\n", disk.at("freeBytes").to_number<double>() / gib,
                disk.at("totalBytes").to_number<double>() / gib, text(disk, "holds").c_str(), text(disk, "path").c_str(), means);
  }
  for (const auto& guest : status.at("paused").as_array())
    std::printf("paused       %s since %s: %s; it goes on by itself\n", text(guest, "id").c_str(), text(guest, "since").c_str(),
                text(guest, "reason").c_str());
  if (const auto* aside = status.as_object().if_contains("setAside"); aside != nullptr && aside->to_number<std::int64_t>() > 0)
    std::printf(
        "set aside    %lld volumes and snapshots that no record knew, in %s/blocks/aside: removed after 30 days ('brume storage')\n",
        aside->to_number<long long>(), text(status, "home").c_str());
  if (const auto* stuck = status.as_object().if_contains("stuck"))  // an older daemon does not say
    for (const auto& one : stuck->as_array())
      std::printf("stuck        %s %s since %s: %s\n", text(one, "id").c_str(), text(one, "state").c_str(), text(one, "since").c_str(),
                  text(one, "reason").c_str());
}

// A shell evaluates what this prints and ignores our exit code, so the text itself makes the shell fail. Variables of a cloud that is gone
// are unset. Without an endpoint its tools would turn to AWS itself, so they get one that leads nowhere (RFC 6761).
int refuse_environment(const Error& error) {
  std::printf("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_CA_BUNDLE\nexport AWS_ENDPOINT_URL=http://no-brume-runs.invalid\nfalse\n");
  return complain(error);
}

}  // namespace

Result<std::string> home_of_region(const Options& options, const std::string& region) {
  auto own = options.home + "/regions/" + region;
  if (region.find('/') == std::string::npos && path_exists(own)) return own;
  const auto first = AdminClient(options.home).get("/status");
  if (first && text(*first, "region") == region) return options.home;
  return fail(ErrorKind::not_found, "there is no region " + region + " in " + options.home);
}

int account_create(const Options& options, const std::string& name, const std::string& id, const std::string& platform) {
  auto made = AdminClient(options.home).post("/accounts", json::object{{"name", name}, {"id", id}, {"platform", platform}});
  return made ? show_keys(*made) : complain(made.error());
}

int account_list(const Options& options, bool as_json) {
  auto list = AdminClient(options.home).get("/accounts");
  if (!list) return complain(list.error());
  for (auto& account : list->as_array())
    for (auto& key : account.at("keys").as_array()) key.as_object().erase("secret");
  if (as_json) {
    std::printf("%s\n", json::serialize(*list).c_str());
    return 0;
  }
  for (const auto& account : list->as_array()) {
    std::printf("%s\t%s\t%s\t%s%s", text(account, "id").c_str(), text(account, "created").c_str(), text(account, "name").c_str(),
                account.at("enabled").as_bool() ? "" : "DISABLED, ", uses(account.at("uses")).c_str());
    for (const auto& key : account.at("keys").as_array()) std::printf("\t%s", text(key, "id").c_str());
    std::printf("\n");
  }
  return 0;
}

int account_add_key(const Options& options, const std::string& account) {
  auto made = AdminClient(options.home).post("/accounts/" + account + "/keys", json::object{});
  return made ? show_keys(*made) : complain(made.error());
}

int account_limit(const Options& options, const std::string& account, const std::vector<std::string>& said) {
  const AdminClient admin(options.home);
  if (said.empty()) {
    auto list = admin.get("/accounts/" + account + "/limits");
    if (!list) return complain(list.error());
    const auto shown = [](std::int64_t limit) { return limit == 0 ? std::string("none") : std::to_string(limit); };
    for (const auto& row : list->as_array()) {
      const auto limit = row.at("limit").as_int64();
      const auto usual = row.at("default").as_int64();
      std::printf("%s\t%s%s\n", text(row, "quota").c_str(), shown(limit).c_str(),
                  limit == usual ? "" : ("\tdefault: " + shown(usual)).c_str());
    }
    return 0;
  }
  // A single word is the number of instances, which needs no name.
  const auto& limit = said.back();
  std::int64_t number = limit == "default" ? -1 : 0;
  if (limit != "default" && limit != "none") {
    const auto read = parse_integer(limit);
    if (!read || *read < 1) return complain("a limit is a number from 1 on, 'none' or 'default'");
    number = *read;
  }
  auto changed = admin.post("/accounts/" + account + "/limit",
                            json::object{{"quota", said.size() > 1 ? said.front() : "instances"}, {"limit", number}});
  return changed ? 0 : complain(changed.error());
}

int account_rename(const Options& options, const std::string& account, const std::string& name) {
  auto changed = AdminClient(options.home).post("/accounts/" + account + "/name", json::object{{"name", name}});
  return changed ? 0 : complain(changed.error());
}

int account_enable(const Options& options, const std::string& account, bool enabled) {
  auto changed = AdminClient(options.home).post("/accounts/" + account + (enabled ? "/enable" : "/disable"), json::object{});
  return changed ? 0 : complain(changed.error());
}

int account_delete(const Options& options, const std::string& account) {
  auto gone = AdminClient(options.home).remove("/accounts/" + account);
  return gone ? 0 : complain(gone.error());
}

int account_subscribe(const Options& options, const std::string& account, const std::string& product_code) {
  auto changed = AdminClient(options.home).post("/accounts/" + account + "/products/" + product_code, json::object{});
  return changed ? 0 : complain(changed.error());
}

int account_unsubscribe(const Options& options, const std::string& account, const std::string& product_code) {
  auto changed = AdminClient(options.home).remove("/accounts/" + account + "/products/" + product_code);
  return changed ? 0 : complain(changed.error());
}

int account_delete_key(const Options& options, const std::string& account, const std::string& key) {
  auto left = AdminClient(options.home).remove("/accounts/" + account + "/keys/" + key);
  return left ? 0 : complain(left.error());
}

int environment(const Options& options, const std::string& account) {
  const AdminClient admin(options.home);
  auto status = admin.get("/status");
  auto credentials = status ? admin.credentials(account) : Result<Credentials>(fail(status.error()));
  if (!credentials) return refuse_environment(credentials.error());
  std::printf("export AWS_ENDPOINT_URL=%s\nexport AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY=%s\nexport AWS_DEFAULT_REGION=%s\n",
              text(*status, "endpoint").c_str(), credentials->access_key_id.c_str(), credentials->secret.c_str(),
              text(*status, "region").c_str());
  if (text(*status, "endpoint").starts_with("https:")) std::printf("export AWS_CA_BUNDLE=%s/tls/certificate.pem\n", options.home.c_str());
  return 0;
}

int status(const Options& options, bool as_json) {
  auto shown = AdminClient(options.home).get("/status");
  if (!shown) return complain(shown.error());
  if (as_json) {
    std::printf("%s\n", json::serialize(*shown).c_str());
    return 0;
  }
  const auto& s = *shown;
  if (s.at("simulated").as_bool()) std::printf("SIMULATION   instances, networks and disks are only pretended\n");
  std::printf("endpoint     %s  (region %s)\n", text(s, "endpoint").c_str(), text(s, "region").c_str());
  std::printf("home         %s  (process %lld)\n", text(s, "home").c_str(), static_cast<long long>(s.at("pid").as_int64()));
  const bool fast = text(s, "accelerator") == "kvm";
  std::printf("machines     %s (%s)\n",
              fast ? "at full speed: this host's processor runs them (KVM)" : "slow: emulated in software, many times slower than with KVM",
              text(s, "acceleratorReason").c_str());
  if (const auto shares = text(s, "processorShares"); !shares.empty())
    std::printf("processors   shares of the types are %s\n", shares.c_str());
  std::printf("public pool  %s\n", text(s, "publicPool").c_str());
  if (!text(s, "ipv6Pool").empty()) std::printf("IPv6 pool    %s\n", text(s, "ipv6Pool").c_str());
  if (const auto resolver = text(s, "resolver"); !resolver.empty())
    std::printf("names        ec2-….%s: nameserver %s\n", text(s, "publicDomain").c_str(), resolver.c_str());
  std::printf("accounts     %s\n", json::serialize(s.at("accounts")).c_str());
  std::printf("images       %s\n", json::serialize(s.at("images")).c_str());
  for (const auto& build : s.at("imageBuilds").as_array()) {
    if (text(build, "state") == "built") continue;
    std::printf("image build  %s: %s since %s%s%s\n", text(build, "recipe").c_str(), text(build, "state").c_str(),
                text(build, "since").c_str(), text(build, "says").empty() ? "" : ", ", text(build, "says").c_str());
  }
  std::printf("instances   ");
  for (const auto& [name, count] : s.at("instances").as_object())
    std::printf(" %s %s", json::serialize(count).c_str(), std::string(name).c_str());
  std::printf("\n");
  show_room(s);
  return 0;
}

int metadata_certificate(const Options& options) {
  auto shown = AdminClient(options.home).get("/metadata/certificate");
  if (!shown) return complain(shown.error());
  std::printf("%s", text(*shown, "certificate").c_str());
  return 0;
}

}  // namespace brume::cli
