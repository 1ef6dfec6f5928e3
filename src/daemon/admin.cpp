#include "daemon/admin.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <map>

#include <boost/json.hpp>

#include "base/files.hpp"
#include "base/text.hpp"
#include "daemon/accounts.hpp"
#include "daemon/disk_room.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/images/images.hpp"
#include "ec2/instances/instances.hpp"
#include "wire/api_error.hpp"

namespace brume::daemon {
namespace {

namespace json = boost::json;

wire::HttpResponse reply(const json::value& value, int status = 200) {
  wire::HttpResponse response;
  response.status = status;
  response.content_type = "application/json";
  response.body = json::serialize(value);
  response.body += '\n';
  return response;
}

wire::HttpResponse reply(const wire::ApiError& error) {
  return reply(json::object{{"code", error.code}, {"message", error.message}}, error.status);
}

json::object read_body(const wire::HttpRequest& request) {
  if (request.body.empty()) return {};
  json::parse_options options;
  options.max_depth = 8;
  boost::system::error_code failure;
  auto value = json::parse(request.body, failure, {}, options);
  if (failure || !value.is_object()) throw wire::ApiError(400, "ValidationError", "The body is not a JSON object.");
  return std::move(value.as_object());
}

std::string text_of(const json::object& body, std::string_view name) {
  const auto* value = body.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::int64_t number_of(const json::object& body, std::string_view name) {
  const auto* value = body.if_contains(name);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

json::array keys_of(const state::World& world, const std::string& account) {
  std::vector<const state::AccessKey*> keys;
  world.each<state::AccessKey>("", [&](const state::AccessKey& key) {
    if (key.account == account) keys.push_back(&key);
  });
  std::sort(keys.begin(), keys.end(), [](const auto* a, const auto* b) { return a->created < b->created; });
  json::array list;
  for (const auto* key : keys)
    list.push_back(
        json::object{{"id", key->id}, {"secret", key->secret}, {"active", key->active}, {"created", format_iso8601(key->created)}});
  return list;
}

// In all regions together.
AccountUse use_of_regions(const AdminParts& parts, const std::string& account) {
  AccountUse use;
  for (const auto* region : parts.regions()) use.add(use_of(*region->store.world(), account));
  return use;
}

json::object show_use(const AccountUse& use) {
  return {{"instances", use.instances},
          {"volumes", use.volumes},
          {"volumeGib", use.volume_gib},
          {"snapshots", use.snapshots},
          {"images", use.images},
          {"addresses", use.addresses},
          {"vpcs", use.vpcs}};
}

json::object show_account(const AdminParts& parts, const state::World& world, const state::Account& account) {
  return {{"id", account.id},
          {"uses", show_use(use_of_regions(parts, account.id))},
          {"name", account.name},
          {"created", format_iso8601(account.created)},
          {"enabled", account.enabled},
          {"instanceLimit", account.instance_limit},
          {"platform", account.platform},
          {"products", json::array(account.products.begin(), account.products.end())},
          {"keys", keys_of(world, account.id)}};
}

// What the account may have, and what such an account may have unless something else is said; 0: no limit.
json::array show_quotas(const state::World& world, const service::Settings& settings, const state::Account& account) {
  const auto number = [](std::int64_t limit) { return limit == ec2::unlimited ? 0 : limit; };
  json::array list;
  for (const auto& row : ec2::quota_rows())
    list.push_back(json::object{{"quota", row.name},
                                {"limit", number(ec2::quota_of(world, settings, account.id, row.quota))},
                                {"default", number(ec2::default_quota(world, settings, account.id, row.quota))},
                                {"error", row.error}});
  return list;
}

json::array show_disks(const std::string& home) {
  json::array list;
  for (const auto& disk : look_at_disks(home))
    list.push_back(json::object{{"holds", disk.holds},
                                {"path", disk.path},
                                {"freeBytes", disk.free_bytes},
                                {"totalBytes", disk.total_bytes},
                                {"room", judge_room(disk.free_bytes, disk.total_bytes)}});
  return list;
}

// Instances whose guests stand still because a disk of the host failed or is full.
json::array show_paused(const state::World& world) {
  json::array list;
  world.each<state::Instance>("", [&](const state::Instance& instance) {
    if (instance.impairment.empty() || instance.state != state::InstanceState::running) return;
    list.push_back(json::object{{"id", instance.id},
                                {"account", instance.account},
                                {"since", format_iso8601(instance.impaired_since)},
                                {"reason", instance.impairment}});
  });
  return list;
}

json::array show_image_builds(const AdminParts& parts) {
  json::array list;
  for (const auto& build : parts.image_builds.list())
    list.push_back(json::object{{"recipe", build.recipe},
                                {"state", build.state},
                                {"says", build.says},
                                {"image", build.image_id},
                                {"since", format_iso8601(build.since)}});
  return list;
}

// Instances that have been in one state for too long (OPS-108).
json::array show_stuck(const control::Controller& controller) {
  json::array list;
  for (const auto& one : controller.stuck())
    list.push_back(json::object{
        {"id", one.id}, {"account", one.account}, {"state", one.state}, {"since", format_iso8601(one.since)}, {"reason", one.why}});
  return list;
}

json::object show_status(const AdminParts& parts) {
  const auto world = parts.services.store.world();
  const auto& settings = parts.services.settings;
  std::map<std::string, std::int64_t> states;
  world->each<state::Instance>("", [&](const state::Instance& instance) { ++states[std::string(state::name_of(instance.state))]; });
  json::object instances;
  for (const auto& [name, count] : states) instances[name] = count;
  std::int64_t images = 0;
  world->each<state::Image>("", [&](const state::Image& image) {
    if (image.state != state::ImageState::deregistered) ++images;
  });
  const auto* pool = world->find<state::Setting>("public-pool");
  const auto* ipv6_pool = world->find<state::Setting>("ipv6-pool");
  const auto* first = world->find<state::Setting>("first-account");
  json::object status{{"pid", ::getpid()},
                      {"home", parts.home},
                      {"endpoint", settings.endpoint},
                      {"region", settings.region},
                      {"simulated", settings.simulated},
                      {"accelerator", parts.hypervisor.accelerator},
                      {"acceleratorReason", parts.hypervisor.reason},
                      {"processorShares", parts.hypervisor.processor_shares},
                      {"publicPool", pool == nullptr ? "" : pool->value},
                      {"ipv6Pool", ipv6_pool == nullptr ? "" : ipv6_pool->value},
                      {"resolver", parts.controller.resolver()},
                      {"publicDomain", settings.public_domain},
                      {"firstAccount", first == nullptr ? "" : first->value},
                      {"accounts", world->size<state::Account>()},
                      {"images", images},
                      {"volumes", world->size<state::Volume>()},
                      {"instances", std::move(instances)},
                      {"requests", parts.front_door.counters().requests.load()},
                      {"errors", parts.front_door.counters().errors.load()}};
  if (const auto free = free_bytes(parts.home)) status["freeBytes"] = *free;
  status["disks"] = show_disks(parts.home);
  status["paused"] = show_paused(*world);
  status["imageBuilds"] = show_image_builds(parts);
  status["setAside"] = parts.controller.aside().size();
  status["stuck"] = show_stuck(parts.controller);
  return status;
}

json::object show_image(const AdminParts& parts, const state::World& world, const state::Image& image) {
  json::object shown{{"id", image.id},
                     {"account", image.account},
                     {"name", image.name},
                     {"type", image.type},
                     {"state", std::string(state::name_of(image.state))},
                     {"reason", image.state_reason},
                     {"public", image.is_public}};
  std::string waits_for;
  for (const auto& id : {image.kernel_id, image.ramdisk_id}) {
    const auto* boot = id.empty() ? nullptr : world.find_indexed<state::Image>(state::Index::image_by_id, id);
    if (boot != nullptr && boot->state == state::ImageState::failed)
      shown["state"] = "failed", shown["reason"] = boot->state_reason;
    else if (boot != nullptr && boot->state == state::ImageState::pending && image.state == state::ImageState::available)
      shown["state"] = "pending";
  }
  if (const auto percent = parts.controller.import_progress(image.id)) shown["progress"] = *percent;
  return shown;
}

json::object import_image(const AdminParts& parts, const json::object& body) {
  ec2::ImageImport import;
  import.account = text_of(body, "account");
  import.host = parts.services.settings.host;
  import.name = text_of(body, "name");
  import.description = text_of(body, "description");
  import.disk_file = text_of(body, "disk");
  import.kernel_file = text_of(body, "kernel");
  import.ramdisk_file = text_of(body, "ramdisk");
  import.kernel_arguments = text_of(body, "kernelArguments");
  import.least_size_gib = number_of(body, "sizeGib");
  import.is_public = body.contains("public") && body.at("public").is_bool() && body.at("public").get_bool();
  if (auto device = text_of(body, "rootDeviceName"); !device.empty()) import.root_device_name = device;
  if (auto architecture = text_of(body, "architecture"); !architecture.empty()) import.architecture = architecture;
  if (import.account.empty())
    if (const auto* first = parts.services.store.world()->find<state::Setting>("first-account")) import.account = first->value;
  find_account(*parts.services.store.world(), import.account);
  for (const auto* file : {&import.disk_file, &import.kernel_file, &import.ramdisk_file})
    if (!file->empty() && !path_exists(*file)) throw wire::ApiError(400, "ValidationError", "There is no file " + *file + ".");
  if (import.disk_file.empty()) throw wire::ApiError(400, "ValidationError", "Which disk image?");
  std::string id;
  parts.services.store.transact([&](state::Transaction& transaction) { id = ec2::import_image(transaction, import); });
  return {{"id", id}};
}

void want_image(const AdminParts& parts, const json::object& body) {
  ImageBuild build;
  build.recipe = text_of(body, "recipe");
  build.recipes = text_of(body, "recipes");
  if (const auto* environment = body.if_contains("environment"); environment != nullptr && environment->is_object())
    for (const auto& [name, value] : environment->get_object())
      if (value.is_string()) build.environment.emplace_back(name, value.get_string());
  if (auto wanted = parts.image_builds.want(std::move(build)); !wanted)
    throw wire::ApiError(400, "ValidationError", wanted.error().message);
}

json::array show_images(const AdminParts& parts) {
  const auto world = parts.services.store.world();
  json::array list;
  world->each<state::Image>("", [&](const state::Image& image) {
    if (image.state != state::ImageState::deregistered) list.push_back(show_image(parts, *world, image));
  });
  return list;
}

// The instances of all accounts, for the operator's eyes.
json::array show_instances(const state::World& world) {
  json::array list;
  world.each<state::Instance>("", [&](const state::Instance& instance) {
    const auto* image = world.find_indexed<state::Image>(state::Index::image_by_id, instance.image_id);
    const auto* interface = ec2::primary_interface(world, instance);
    std::string name;
    if (const auto* tags = world.find<state::TagSet>(state::owned_key(instance.account, instance.id)))
      for (const auto& tag : tags->tags)
        if (tag.name == "Name") name = tag.value;
    list.push_back(json::object{{"id", instance.id},
                                {"account", instance.account},
                                {"name", name},
                                {"state", state::name_of(instance.state)},
                                {"reason", instance.state_reason_message},
                                {"type", instance.type},
                                {"image", image == nullptr ? instance.image_id : image->name},
                                {"key", instance.key_name},
                                {"launched", format_iso8601(instance.launched)},
                                {"privateAddress", interface == nullptr ? "" : interface->private_ip},
                                {"publicAddress", interface == nullptr ? "" : ec2::public_ip_of(instance, *interface)}});
  });
  return list;
}

// Every volume, snapshot and instance store with what it costs. What the records know and the engine does not yet is left out.
json::array show_storage(const AdminParts& parts) {
  const auto holdings = parts.controller.storage();
  if (!holdings) throw wire::ApiError(500, "InternalError", holdings.error().message);
  const auto world = parts.services.store.world();
  std::map<std::string, json::object> known;
  world->each<state::Volume>("", [&](const state::Volume& volume) {
    std::string instances;
    for (const auto* attachment : volume.attachments()) instances += (instances.empty() ? "" : " ") + attachment->instance_id;
    known[volume.id] = {{"kind", "volume"},      {"account", volume.account}, {"state", std::string(state::name_of(volume.state))},
                        {"instance", instances}, {"of", volume.snapshot_id},  {"encrypted", volume.encrypted}};
  });
  world->each<state::Snapshot>("", [&](const state::Snapshot& snapshot) {
    known[snapshot.id] = {{"kind", "snapshot"}, {"account", snapshot.account}, {"state", std::string(state::name_of(snapshot.state))},
                          {"instance", ""},     {"of", snapshot.volume_id},    {"encrypted", snapshot.encrypted}};
  });
  json::array list;
  const auto fold = parts.controller.fold_progress();
  for (const auto& held : *holdings) {
    const auto found = known.find(held.id);
    json::object shown = found == known.end() ? json::object{{"kind", "instance store"}} : std::move(found->second);
    if (held.id.starts_with("formatted-"))
      shown["kind"] = "formatted store", shown["instance"] = "";
    else if (found == known.end())
      shown["instance"] = held.id.substr(0, held.id.rfind('-'));
    shown["id"] = held.id;
    shown["virtualBytes"] = held.virtual_bytes;
    shown["ownBytes"] = held.own_bytes;
    shown["sharedBytes"] = held.shared_bytes;
    shown["depth"] = held.depth;
    if (fold && fold->first == held.id) shown["foldingPercent"] = fold->second;
    list.push_back(std::move(shown));
  }
  for (const auto& held : parts.controller.aside())
    list.push_back(json::object{{"kind", "set aside"},
                                {"state", "set aside"},
                                {"account", ""},
                                {"instance", ""},
                                {"of", ""},
                                {"id", held.id},
                                {"virtualBytes", held.virtual_bytes},
                                {"ownBytes", held.own_bytes},
                                {"sharedBytes", held.shared_bytes},
                                {"depth", held.depth}});
  return list;
}

json::object show_totals(const control::DiskTotals& totals) {
  json::object shown;
  for (const auto& [name, member] : control::DiskTotals::members()) shown[name] = totals.*member;
  return shown;
}

json::array show_disk_counters(const AdminParts& parts) {
  json::array list;
  for (const auto& measure : parts.controller.disk_measures()) {
    json::array periods;
    for (const auto& period : measure.periods) {
      auto shown = show_totals(period.sums);
      shown["begin"] = format_iso8601(period.begin);
      periods.push_back(std::move(shown));
    }
    list.push_back(json::object{
        {"id", measure.id}, {"instance", measure.instance}, {"totals", show_totals(measure.totals)}, {"periods", std::move(periods)}});
  }
  return list;
}

// What a request changes of one account: POST or DELETE of /accounts/ID/VERB[/WHAT]. Empty: there is no such thing.
state::Decision account_change(std::string_view method, const std::vector<std::string_view>& parts, const wire::HttpRequest& request) {
  using Change = state::Transaction;
  if (parts.size() < 3) return {};
  const std::string id(parts[1]);
  const auto verb = fmt::format("{} {}{}", method, parts[2], parts.size() > 3 ? "/" : "");
  const std::string what(parts.size() > 3 ? parts[3] : "");
  if (verb == "POST limit") {
    const auto body = read_body(request);
    if (!body.contains("limit")) throw wire::ApiError(400, "ValidationError", "How many?");
    return [id, quota = text_of(body, "quota"), limit = number_of(body, "limit")](Change& t) { set_quota(t, id, quota, limit); };
  }
  if (verb == "POST name") return [id, name = text_of(read_body(request), "name")](Change& t) { rename_account(t, id, name); };
  if (verb == "POST enable") return [id](Change& t) { enable_account(t, id, true); };
  if (verb == "POST disable") return [id](Change& t) { enable_account(t, id, false); };
  if (verb == "POST keys") return [id](Change& t) { create_access_key(t, id); };
  if (verb == "POST products/") return [id, what](Change& t) { subscribe(t, id, what); };
  if (verb == "DELETE products/") return [id, what](Change& t) { unsubscribe(t, id, what); };
  if (verb == "DELETE keys/")
    return [id, what](Change& t) {
      const auto* key = t.find<state::AccessKey>(what);
      if (key == nullptr || key->account != id) throw wire::ApiError(404, "NoSuchEntity", "There is no such access key.");
      t.erase<state::AccessKey>(what);
    };
  return {};
}

}  // namespace

// Out of all regions. It is disabled first, so that nothing new comes while they are looked at.
void Admin::delete_account(const std::string& id) {
  auto& store = parts_.first.store;
  const bool was_enabled = find_account(*store.world(), id).enabled;
  const auto enable = [&](bool enabled) {
    store.transact([&](state::Transaction& transaction) { enable_account(transaction, id, enabled); });
    parts_.accounts_changed();
  };
  enable(false);
  try {
    for (const auto* region : parts_.regions())
      if (const auto use = use_of(*region->store.world(), id); !use.is_idle() && region != &parts_.first)
        throw wire::ApiError(409, "DeleteConflict", "The account " + id + " still has things in " + region->settings.region + ".");
    store.transact([&](state::Transaction& transaction) { daemon::delete_account(transaction, id); });
  } catch (...) {
    enable(was_enabled);
    throw;
  }
  parts_.accounts_changed();
}

wire::HttpResponse Admin::answer_accounts(std::string_view method, const std::vector<std::string_view>& parts,
                                          const wire::HttpRequest& request) {
  const auto is = [&](std::string_view wanted, std::string_view verb, size_t count) {
    return method == wanted && parts.size() == count && (count < 3 || parts[2] == verb);
  };
  auto& store = parts_.first.store;
  const auto change = [&](auto&& decide) {
    store.transact(decide);
    parts_.accounts_changed();
  };
  const auto show = [&](const std::string& id, int status = 200) {
    const auto world = store.world();
    return reply(show_account(parts_, *world, find_account(*world, id)), status);
  };
  if (is("GET", "", 1)) {
    const auto world = store.world();
    json::array list;
    world->each<state::Account>("", [&](const state::Account& account) { list.push_back(show_account(parts_, *world, account)); });
    return reply(list);
  }
  if (is("POST", "", 1)) {
    const auto body = read_body(request);
    const auto platform = text_of(body, "platform");
    std::string id;
    change([&](state::Transaction& t) {
      id = create_account(t, parts_.first.settings, text_of(body, "name"), text_of(body, "id"), platform.empty() ? "vpc" : platform).id;
    });
    return show(id, 201);
  }
  const auto id = parts.size() > 1 ? std::string(parts[1]) : std::string();
  if (is("GET", "", 2)) return show(id);
  if (is("GET", "limits", 3)) {
    const auto world = store.world();
    return reply(show_quotas(*world, parts_.first.settings, find_account(*world, id)));
  }
  if (is("DELETE", "", 2)) {
    delete_account(id);
    return reply(json::object{{"id", id}});
  }
  const auto made = method == "POST" && parts.size() == 3 && parts[2] == "keys";
  if (const auto decide = account_change(method, parts, request)) {
    change(decide);
    return show(id, made ? 201 : 200);
  }
  return reply(wire::ApiError(404, "NotFound", "There is nothing at " + std::string(request.path()) + "."));
}

wire::HttpResponse Admin::answer(const wire::HttpRequest& request) {
  const auto parts = split(request.path().substr(std::min<size_t>(1, request.path().size())), '/');
  const auto is = [&](std::string_view method, std::initializer_list<std::string_view> pattern) {
    return request.method == method && parts.size() == pattern.size() &&
           std::equal(parts.begin(), parts.end(), pattern.begin(), [](auto part, auto wanted) { return wanted == "*" || part == wanted; });
  };
  if (is("GET", {"status"})) return reply(show_status(parts_));
  if (!parts.empty() && parts.front() == "accounts") return answer_accounts(request.method, parts, request);
  if (is("GET", {"images"})) return reply(show_images(parts_));
  if (is("GET", {"instances"})) return reply(show_instances(*parts_.services.store.world()));
  if (is("GET", {"storage"})) return reply(show_storage(parts_));
  if (is("GET", {"storage", "counters"})) return reply(show_disk_counters(parts_));
  if (is("GET", {"image-builds"})) return reply(show_image_builds(parts_));
  if (is("POST", {"image-builds"})) {
    want_image(parts_, read_body(request));
    return reply(show_image_builds(parts_), 201);
  }
  if (is("POST", {"images"})) return reply(import_image(parts_, read_body(request)), 201);
  if (is("GET", {"metadata", "certificate"})) {
    if (parts_.identity_certificate.empty()) throw wire::ApiError(404, "NotFound", "A simulation has no instances that say who they are.");
    return reply(json::object{{"certificate", parts_.identity_certificate}});
  }
  if (is("POST", {"shut-down"})) {
    const auto body = read_body(request);
    const bool with_machines = body.contains("machines") && body.at("machines").is_bool() && body.at("machines").get_bool();
    parts_.shut_down(with_machines);
    return reply(json::object{{"pid", ::getpid()}});
  }
  return reply(wire::ApiError(404, "NotFound", "There is nothing at " + std::string(request.path()) + "."));
}

void Admin::handle(wire::HttpRequest&& request, wire::Responder respond) {
  const auto work = [this, request = std::move(request), respond] {
    try {
      respond(answer(request));
    } catch (const wire::ApiError& error) {
      respond(reply(error));
    } catch (const std::exception& error) {
      respond(reply(wire::ApiError(500, "InternalError", error.what())));
    }
  };
  if (!parts_.workers.submit("", work)) respond(reply(wire::ApiError(503, "Unavailable", "Too much is going on; try again.")));
}

}  // namespace brume::daemon
