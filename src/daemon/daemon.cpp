#include "daemon/daemon.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "base/files.hpp"
#include "base/ipv4.hpp"
#include "base/log.hpp"
#include "control/controller.hpp"
#include "control/host_services.hpp"
#include "daemon/accounts.hpp"
#include "daemon/admin.hpp"
#include "daemon/built_image.hpp"
#include "daemon/disk_room.hpp"
#include "daemon/health.hpp"
#include "daemon/home_check.hpp"
#include "daemon/hosts.hpp"
#include "daemon/installation_key.hpp"
#include "daemon/processor_shares.hpp"
#include "daemon/service_settings.hpp"
#include "daemon/simulation.hpp"
#include "daemon/snapshot_access.hpp"
#include "daemon/volume_limits.hpp"
#include "domain/instance_types.hpp"
#include "ebs/snapshot_blocks.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/paging.hpp"
#include "ec2/network/default_network.hpp"
#include "guest/metadata_service.hpp"
#include "quotas/service_quotas.hpp"
#include "service/front_door.hpp"
#include "ssm/parameters.hpp"
#include "sts/identity.hpp"
#include "wire/http/host_name.hpp"
#include "wire/http/server.hpp"
#include "wire/identity/signature.hpp"

namespace brume::daemon {
namespace {

std::vector<std::string> look_up_name(const std::string& name) {
  addrinfo wanted{};
  wanted.ai_family = AF_INET;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(name.c_str(), nullptr, &wanted, &found) != 0) return {};
  std::vector<std::string> addresses;
  for (const auto* one = found; one != nullptr; one = one->ai_next)
    addresses.push_back(format_ipv4(ntohl(reinterpret_cast<const sockaddr_in*>(one->ai_addr)->sin_addr.s_addr)));
  ::freeaddrinfo(found);
  return addresses;
}

}  // namespace

// Of one region, which is a world of its own: state, machines, disks, networks, threads. In the order of building; destroyed the other
// way round.
class Daemon::Region {
 public:
  // `daemon`: all regions, the first one first; it outlives the parts.
  Region(const Configuration& c, Daemon& daemon) : configuration(c), settings(make_settings(c)), daemon_(daemon) {}
  ~Region() { stop(false); }

  Result<void> open_home();
  Result<void> open_state();
  Result<void> open_engines();
  Result<void> register_host();
  Result<guest::MetadataConfiguration> configure_metadata();
  Result<void> build_controller();
  Result<void> build_services();
  void build_front_door(unsigned reader_threads);
  void build_operators_part(const std::string& identity_certificate);
  Result<void> set_up_first_start();
  // Listens where clients will find it; serve then answers.
  Result<void> listen();
  void keep_port() const;
  Result<void> serve();
  // In a region after the first: its accounts and keys are those of the first.
  void follow_first();
  void stop(bool with_machines);
  void ask_to_end(bool with_machines);
  bool wait_for_end();  // whether with machines

  Configuration configuration;
  service::Settings settings;
  SystemClock clock;
  SystemRandom random;
  std::optional<HomeCheck> home;  // none: a simulation
  std::unique_ptr<state::Store> store;
  std::unique_ptr<compute::Hypervisor> hypervisor;
  std::unique_ptr<block::BlockEngine> block;
  std::unique_ptr<network::NetworkEngine> network;
  std::unique_ptr<service::WorkerPool> workers;
  std::unique_ptr<wire::HttpServer> server;
  std::unique_ptr<guest::MetadataService> metadata;
  std::unique_ptr<control::Controller> controller;
  std::unique_ptr<control::HostServices> this_host;
  std::unique_ptr<control::HostServices> hosts;  // whichever has it
  std::unique_ptr<service::Services> services;
  std::unique_ptr<service::AuditLog> audit;  // null: a simulation
  std::unique_ptr<service::FrontDoor> front_door;
  std::unique_ptr<ImageBuilds> image_builds;
  std::unique_ptr<Admin> admin;
  AnyImages any_images;
  std::unique_ptr<Health> health;

 private:
  Region& first() { return *daemon_.regions_.front(); }
  Region& region_of(const wire::HttpRequest& request);
  void serve_metadata(const std::string& vpc_id, Descriptor listening);
  void close_metadata(const std::string& vpc_id);
  void route(wire::HttpRequest&& request, const wire::Responder& respond);

  Daemon& daemon_;
  Descriptor listening_;
  std::mutex accounts_mutex_;  // one that follows the first region at a time, or an older look could come after a newer one
  std::mutex mutex_;
  std::condition_variable end_asked_;
  bool ending_ = false;
  bool end_with_machines_ = false;
  bool stopped_ = false;
  bool records_are_proven_ = true;
  std::map<std::string, std::uint64_t> metadata_listeners_;  // by VPC id
};

Result<void> Daemon::Region::open_home() {
  if (configuration.is_further)
    if (auto made = make_folders(first().configuration.path("regions"), 0711); !made) return made;
  if (configuration.simulate && !configuration.is_further) {
    std::string folder = "/tmp/brume-simulation-XXXXXX";
    if (const char* temporary = std::getenv("TMPDIR")) folder = std::string(temporary) + "/brume-simulation-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) return fail_system("cannot make a temporary folder", errno);
    configuration.home = folder;
    return {};
  }
  // Machines run as users of their own and must get at their disks; what is secret has mode 0600 inside.
  if (auto made = make_folders(configuration.home, 0711); !made) return made;
  if (!configuration.simulate) home.emplace(configuration.home, configuration.adopt_state);
  return {};
}

Result<void> Daemon::Region::open_state() {
  if (home)
    if (auto good = home->before_opening(); !good) return good;
  auto log = state::open_sqlite_log(configuration.path("state.db"));
  if (!log) return fail(log.error());
  auto opened = state::Store::open(std::move(*log), clock, random);
  if (!opened) return fail(opened.error());
  store = std::move(*opened);
  if (!home) return {};
  const auto records = home->judge(*store->world());
  if (!records) return fail(records.error());
  records_are_proven_ = *records == Records::proven;
  service::AuditSettings audited;
  audited.reads = configuration.audit_reads;
  auto stream = service::AuditLog::open(configuration.path("audit"), audited);
  if (!stream) return fail(stream.error());
  audit = std::move(*stream);
  return {};
}

Result<void> Daemon::Region::open_engines() {
  if (configuration.simulate) {
    hypervisor = compute::make_simulated_hypervisor(clock);
    block = block::make_simulated_block_engine();
    // Of IPv6 a range for documentation (RFC 3849): nothing is there.
    const auto ipv6 = configuration.ipv6_pool.empty() ? "2001:db8::/40" : configuration.ipv6_pool == "none" ? "" : configuration.ipv6_pool;
    network = network::make_simulated_network_engine(configuration.public_pool.empty() ? "10.0.0.0/8" : configuration.public_pool, ipv6);
    return {};
  }
  if (::geteuid() != 0) return fail(ErrorKind::refused, "brumed needs root for networks and machines; brumed --simulate does not");
  auto made_hypervisor = compute::make_qemu_hypervisor({.folder = configuration.path("machines"),
                                                        .accelerator = configuration.accelerator,
                                                        .pause_on_disk_trouble = configuration.disk_trouble == "pause"},
                                                       clock);
  if (!made_hypervisor) return fail(made_hypervisor.error());
  hypervisor = std::move(*made_hypervisor);
  auto made_block = block::make_file_block_engine(configuration.path("blocks"));
  if (!made_block) return fail(made_block.error());
  block = std::move(*made_block);
  auto made_network = network::make_host_network_engine({configuration.path("network"), configuration.public_pool, configuration.region,
                                                         configuration.uplink, configuration.resolver, configuration.ipv6_pool});
  if (!made_network) return fail(made_network.error());
  network = std::move(*made_network);
  return {};
}

Result<void> Daemon::Region::register_host() {
  try {
    store->transact([&](state::Transaction& transaction) {
      settings.host = take_host(transaction, settings.host_name, measure_capacity(configuration));
    });
  } catch (const std::exception& error) {
    return fail(ErrorKind::system, std::string("cannot write the record of this host: ") + error.what());
  }
  return {};
}

void Daemon::Region::serve_metadata(const std::string& vpc_id, Descriptor listening) {
  auto handler = [this, vpc_id](wire::HttpRequest&& request, const wire::Responder& respond) {
    respond(metadata->answer(request, vpc_id));
  };
  auto refusal = [](int status, std::string_view) { return guest::MetadataService::page(status); };
  wire::HttpLimits limits;
  limits.body_bytes = 1024;
  limits.connections = 4096;
  limits.connections_of_peer = 256;  // one guest cannot keep its neighbours out
  auto listener = server->serve(std::move(listening), handler, refusal, limits);
  if (!listener) return log::error("guest", "cannot serve metadata in {}: {}", vpc_id, listener.error().message);
  const std::lock_guard lock(mutex_);
  metadata_listeners_[vpc_id] = listener->id;
}

void Daemon::Region::close_metadata(const std::string& vpc_id) {
  std::uint64_t listener = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto at = metadata_listeners_.find(vpc_id);
    if (at == metadata_listeners_.end()) return;
    listener = at->second;
    metadata_listeners_.erase(at);
  }
  server->close(listener);
}

Result<guest::MetadataConfiguration> Daemon::Region::configure_metadata() {
  auto key = load_key(configuration.path("metadata.key"), random);
  if (!key) return fail(key.error());
  guest::MetadataConfiguration metadata_configuration;
  metadata_configuration.region = settings.region;
  metadata_configuration.partition = settings.partition;
  metadata_configuration.private_domain = settings.private_domain;
  metadata_configuration.public_domain = settings.public_domain;
  metadata_configuration.zones = settings.zones;
  metadata_configuration.token_key = *key;
  // A simulation serves no metadata.
  if (!configuration.simulate) {
    auto signer = guest::IdentitySigner::open(configuration.path("identity"), settings.region, clock.now());
    if (!signer) return fail(signer.error());
    metadata_configuration.signer = std::move(*signer);
  }
  return metadata_configuration;
}

Result<void> Daemon::Region::build_controller() {
  auto volume_key = load_key(configuration.path("volumes.key"), random);
  if (!volume_key) return fail(volume_key.error());
  control::ControllerSettings controller_settings;
  controller_settings.domains = {settings.private_domain, settings.public_domain};
  // No hook for its freshness: this process alone writes the log, which is locked.
  controller_settings.host = settings.host;
  const double units =
      configuration.compute_units > 0 ? configuration.compute_units : default_compute_units(hypervisor->describe().accelerator);
  controller_settings.cpu_plan = [units](const state::Instance& instance) { return plan_processors(instance, units); };
  const auto which = volume_limits_named(configuration.volume_limits).value_or(VolumeLimits::provisioned);
  controller_settings.disk_limits = [which](const state::Volume& volume) { return limit_volume(volume, which); };
  controller_settings.volume_key = std::move(*volume_key);
  if (!configuration.simulate) controller_settings.disk_counters_file = configuration.path("disk-counters");
  controller_settings.flow_log_folder = configuration.path("flow-logs");
  controller_settings.region = settings.region;
  controller_settings.records_are_proven = records_are_proven_;
  controller_settings.patience.keep_terminated = seconds(configuration.keep_terminated_seconds);
  controller = std::make_unique<control::Controller>(
      *store, control::Engines{*hypervisor, *block, *network}, clock, controller_settings,
      control::MetadataDoor{[this](const std::string& vpc, Descriptor listening) { serve_metadata(vpc, std::move(listening)); },
                            [this](const std::string& vpc) { close_metadata(vpc); }});
  return {};
}

Result<void> Daemon::Region::build_services() {
  const auto metadata_configuration = configure_metadata();
  if (!metadata_configuration) return fail(metadata_configuration.error());
  if (const auto types = configuration.path("instance-types.tsv"); path_exists(types)) {
    auto table = read_file(types);
    auto added = table ? domain::set_operator_instance_types(*table) : Result<void>(fail(table.error()));
    if (!added) return fail(added.error().within(types));
  }
  const auto threads = std::clamp(std::thread::hardware_concurrency(), 2U, 16U);
  workers = std::make_unique<service::WorkerPool>(threads + 2, 4096);
  server = std::make_unique<wire::HttpServer>(threads);
  metadata = std::make_unique<guest::MetadataService>(*store, *metadata_configuration, clock);
  if (auto built = build_controller(); !built) return built;
  this_host = std::make_unique<control::LocalHost>(*controller);
  hosts = std::make_unique<control::HostRouter>(*store, settings.host,
                                                [this](const std::string& id) { return id == settings.host ? this_host.get() : nullptr; });
  const auto console = [this](const std::string& id, size_t limit) -> std::optional<service::ConsoleText> {
    auto text = hosts->console(id, limit);
    if (!text) return std::nullopt;
    return service::ConsoleText{std::move(text->text), text->written};
  };
  const auto tunnels = [this](const std::string& vpc_id) {
    std::vector<service::TunnelStatus> shown;
    for (const auto& one : hosts->tunnels(vpc_id)) shown.push_back({one.outside_ip, one.up, one.since});
    return shown;
  };
  settings.no_tunnels = network->why_no_tunnels();
  const auto screen = [this](const std::string& id, bool wake) { return hosts->screenshot(id, wake); };
  services = std::make_unique<service::Services>(service::Services{*store, clock, random, settings, console, ec2::token_key(*store), screen,
                                                                   snapshot_blocks(*hosts), look_up_name, tunnels});
  build_front_door(threads + 1);
  build_operators_part(metadata_configuration->signer ? metadata_configuration->signer->certificate() : std::string());
  return {};
}

void Daemon::Region::build_front_door(unsigned reader_threads) {
  service::FrontDoorSettings front_door_settings;
  front_door_settings.simulated = configuration.simulate;
  front_door_settings.reader_threads = reader_threads;
  front_door_settings.throttle = configuration.throttle;
  front_door_settings.audit = audit.get();
  std::vector<service::ServiceTable> tables;
  tables.push_back(ec2::make_service());
  tables.push_back(sts::make_service());
  tables.push_back(ssm::make_service());
  tables.push_back(quotas::make_service());
  tables.push_back(ebs::make_service());
  front_door = std::make_unique<service::FrontDoor>(*services, std::move(tables), *workers, front_door_settings);
}

void Daemon::Region::build_operators_part(const std::string& identity_certificate) {
  const auto shut_down = [this](bool with_machines) { first().ask_to_end(with_machines); };
  const auto accounts_changed = [this] {
    for (auto& region : daemon_.regions_)
      if (region->configuration.is_further) region->follow_first();
  };
  health = std::make_unique<Health>(
      std::vector<std::pair<std::string, Health::Check>>{
          {"state", [this] { return check_state(*store); }},
          {"disk", [this] { return check_disks(configuration.home); }},
          {"control",
           [this] { return controller->is_at_work(seconds(2)) ? std::string("ok") : std::string("the reconcilers do not come to look"); }}},
      *workers, [] { return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch()); });
  // A simulation leaves nothing behind on the host.
  image_builds =
      std::make_unique<ImageBuilds>(ImageBuilds::Parts{configuration.home, configuration.simulate ? "" : configuration.image_cache, clock,
                                                       [this](const std::string& folder) { return add_built_image(*services, folder); }});
  const auto regions = [this] {
    std::vector<const service::Services*> all;
    for (const auto& region : daemon_.regions_) all.push_back(region->services.get());
    return all;
  };
  admin = std::make_unique<Admin>(AdminParts{*services, *first().services, *controller, *workers, *front_door, *image_builds,
                                             hypervisor->describe(), configuration.home, identity_certificate, shut_down, accounts_changed,
                                             regions});
}

Result<void> Daemon::Region::set_up_first_start() {
  const auto pool = network->public_pool();
  const auto kept = fmt::format("{}", fmt::join(network->kept_addresses(), ","));
  const auto ipv6_pool = network->ipv6_pool();
  try {
    store->transact([&](state::Transaction& transaction) {
      if (home) home->keep_id(transaction);
      transaction.put(state::Setting{"public-pool", pool});
      transaction.put(state::Setting{"public-pool-kept", kept});
      transaction.put(state::Setting{"ipv6-pool", ipv6_pool});
      ec2::complete_networks(transaction, settings);
      if (configuration.is_further) {
        if (configuration.simulate) register_simulated_images(transaction, settings);
        return follow_accounts(transaction, settings, *first().store->world());
      }
      set_common_quotas(transaction, configuration.quotas);
      if (transaction.find<state::Setting>("first-account") != nullptr) return;
      const auto account =
          create_account(transaction, settings, "first", configuration.simulate ? std::string(simulated_account) : std::string());
      transaction.put(state::Setting{"first-account", account.id});
      if (configuration.simulate) register_simulated_images(transaction, settings);
      transaction.when_durable([id = account.id] { log::info("daemon", "made the first account, {}", id); });
    });
  } catch (const std::exception& error) {
    return fail(ErrorKind::system, std::string("cannot make the first account: ") + error.what());
  }
  return home ? home->note(*store->world()) : Result<void>();
}

void Daemon::Region::follow_first() {
  const std::lock_guard lock(accounts_mutex_);
  const auto world = first().store->world();
  store->transact([&](state::Transaction& transaction) { follow_accounts(transaction, settings, *world); });
}

// NET-067: every call targets one region. It is the one in the scope of a version 4 signature, which the signature then vouches for;
// else the one that the name of the host says ("ec2.eu-west-1.…"); else the one whose port was asked.
Daemon::Region& Daemon::Region::region_of(const wire::HttpRequest& request) {
  if (daemon_.regions_.size() == 1) return *this;
  const auto asked = wire::claimed_scope(request).region;
  const auto host = wire::read_host(request.header("host"));
  for (auto& region : daemon_.regions_)
    if (region->settings.region == asked) return *region;
  for (auto& region : daemon_.regions_)
    if (host.names_region(region->settings.region)) return *region;
  return *this;
}

void Daemon::Region::route(wire::HttpRequest&& request, const wire::Responder& respond) {
  if (request.path() == "/ping") return respond({200, "text/plain", {}, "ok\n"});
  if (request.path() == "/_brume/reset") {
    std::vector<const service::Services*> regions;
    for (const auto& each : daemon_.regions_) regions.push_back(each->services.get());
    return reset_simulation(regions, request, respond);
  }
  if (request.path() == "/health") return health->answer(respond);
  auto& region = region_of(request);
  if (!configuration.any_image) return region.front_door->handle(std::move(request), respond);
  const auto kept = std::make_shared<wire::HttpRequest>(std::move(request));
  region.any_images.provide(*region.services, *region.workers, *kept,
                            [&region, kept, respond] { region.front_door->handle(std::move(*kept), respond); });
}

// For the next start, when nobody names one.
void Daemon::Region::keep_port() const {
  const auto path = configuration.path("port");
  const auto text = std::to_string(configuration.port) + "\n";
  if (const auto kept = read_file(path, 64); kept && *kept == text) return;
  if (auto written = write_file(path, text, 0644); !written) log::warning("daemon", "{}", written.error().message);
}

Result<void> Daemon::Region::listen() {
  auto listening = wire::listen_tcp(configuration.address, configuration.port);
  if (!listening) return fail(listening.error().within("cannot serve the API (choose another port with --port)"));
  listening_ = std::move(*listening);
  if (!configuration.simulate && configuration.port != 0) keep_port();
  // Who listens everywhere is reached on this host by the loopback address; nobody connects to 0.0.0.0.
  auto reached_at = configuration.address;
  if (reached_at == "0.0.0.0") reached_at = "127.0.0.1";
  if (reached_at == "::") reached_at = "::1";
  if (reached_at.find(':') != std::string::npos) reached_at = "[" + reached_at + "]";
  settings.endpoint = (configuration.tls ? "https://" : "http://") + reached_at + ":" + std::to_string(wire::port_of(listening_));
  return {};
}

Result<void> Daemon::Region::serve() {
  auto handler = [this](wire::HttpRequest&& request, const wire::Responder& respond) { route(std::move(request), respond); };
  auto refusal = [this](int status, std::string_view reason) { return front_door->refuse(status, reason); };
  Result<wire::HttpServer::Listener> listener;
  if (configuration.tls) {
    const wire::TlsFiles files{configuration.path("tls/certificate.pem"), configuration.path("tls/key.pem")};
    if (!path_exists(files.certificate)) {
      if (auto made = make_folders(configuration.path("tls"), 0700); !made) return made;
      if (auto made = wire::make_certificate(files, {"localhost", "127.0.0.1", settings.host_name, configuration.address}, clock.now());
          !made)
        return made;
    }
    listener = server->serve_encrypted(std::move(listening_), files, handler, refusal);
  } else {
    listener = server->serve(std::move(listening_), handler, refusal);
  }
  if (!listener) return fail(listener.error());
  auto admin_socket = wire::listen_unix(configuration.path("admin.sock"));
  if (!admin_socket) return fail(admin_socket.error());
  auto admin_listener = server->serve(
      std::move(*admin_socket),
      [this](wire::HttpRequest&& request, const wire::Responder& respond) { admin->handle(std::move(request), respond); },
      [this](int status, std::string_view reason) { return front_door->refuse(status, reason); });
  if (!admin_listener) return fail(admin_listener.error());
  image_builds->resume();
  return {};
}

void Daemon::Region::ask_to_end(bool with_machines) {
  const std::lock_guard lock(mutex_);
  ending_ = true;
  end_with_machines_ = with_machines;
  end_asked_.notify_all();
}

bool Daemon::Region::wait_for_end() {
  std::unique_lock lock(mutex_);
  end_asked_.wait(lock, [this] { return ending_; });
  return end_with_machines_;
}

void Daemon::Region::stop(bool with_machines) {
  if (std::exchange(stopped_, true)) return;
  if (server) server->stop();
  image_builds.reset();
  if (controller) {
    controller->stop();
    if (with_machines) controller->power_off(power_off_patience);
  }
  if (workers) workers->stop();
  if (front_door) front_door->stop();
  if (store) store->stop();
  if (store && home)
    if (auto noted = home->note(*store->world()); !noted) log::warning("daemon", "{}", noted.error().message);
  if (configuration.simulate && configuration.home.find("brume-simulation-") != std::string::npos) {
    std::error_code ignored;
    std::filesystem::remove_all(configuration.home, ignored);
  } else if (server) {
    ::unlink(configuration.path("admin.sock").c_str());
  }
}

Daemon::Daemon() = default;
Daemon::~Daemon() { stop(false); }

void Daemon::stop(bool with_machines) {
  // No region is asked any more when the first one goes: each serves for all.
  for (auto& region : regions_)
    if (region->server) region->server->stop();
  for (auto region = regions_.rbegin(); region != regions_.rend(); ++region) (*region)->stop(with_machines);
}

Result<void> Daemon::build(const Configuration& configuration) {
  auto& region = *regions_.emplace_back(std::make_unique<Region>(configuration, *this));
  for (const auto step : {&Region::open_home, &Region::open_state, &Region::open_engines, &Region::register_host, &Region::build_services,
                          &Region::set_up_first_start, &Region::listen})
    if (auto done = (region.*step)(); !done)
      return fail(configuration.is_further ? done.error().within("region " + configuration.region) : done.error());
  return {};
}

Result<void> Daemon::begin(const Configuration& configuration) {
  if (auto built = build(configuration); !built) return built;
  // The first one's home may be a temporary folder, which it knows by now.
  const auto whole = regions_.front()->configuration;
  for (size_t n = 0; n < whole.more_regions.size(); ++n)
    if (auto built = build(whole.of_further(n)); !built) return built;
  std::vector<service::RegionEndpoint> regions;
  for (const auto& region : regions_) regions.push_back({region->settings.region, region->settings.endpoint});
  for (auto& region : regions_) region->settings.regions = regions;
  for (auto& region : regions_)
    if (auto served = region->serve(); !served) return served;
  for (auto& region : regions_)
    if (auto started = region->controller->start(); !started) return started;
  if (configuration.simulate)
    for (auto& region : regions_) await_simulated_images(*region->store);
  return {};
}

// After a start that failed: what it made on the host goes. What was there before, with machines that may run in it, stays.
void Daemon::take_back() {
  stop(false);
  for (auto& region : regions_)
    if (region->network && !region->network->was_on_host())
      if (auto removed = region->network->remove_everything(); !removed) log::error("network", "{}", removed.error().message);
}

Result<std::unique_ptr<Daemon>> Daemon::start(const Configuration& configuration) {
  log::set_level(configuration.verbose ? log::Level::debug : log::Level::info);
  // Files that the parts make are nobody else's unless they say so.
  ::umask(0077);
  auto daemon = std::unique_ptr<Daemon>(new Daemon);
  if (auto begun = daemon->begin(configuration); !begun) {
    daemon->take_back();
    return fail(configuration.simulate ? begun.error() : explain_start(begun.error(), configuration.home));
  }
  const auto description = daemon->regions_.front()->hypervisor->describe();
  log::info("daemon", "machines run on {}: {}", description.accelerator, description.reason);
  return daemon;
}

std::string Daemon::endpoint() const { return regions_.front()->settings.endpoint; }

void Daemon::run() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  // Blocked in main before any thread began, so only this thread takes them.
  std::thread waiter([&] {
    int number = 0;
    ::sigwait(&signals, &number);
    regions_.front()->ask_to_end(false);
  });
  stop(regions_.front()->wait_for_end());
  // Wakes the waiter when it was the operator who asked.
  ::pthread_kill(waiter.native_handle(), SIGTERM);
  waiter.join();
}

}  // namespace brume::daemon
