#include "daemon/simulation.hpp"

#include <array>

#include "daemon/accounts.hpp"
#include "wire/api_error.hpp"
#include "wire/signature.hpp"

namespace brume::daemon {
namespace {

constexpr std::string_view image_owner = "000000000001";

wire::HttpResponse plain(int status, std::string text) { return {status, "text/plain", {}, std::move(text)}; }

}  // namespace

void register_simulated_images(state::Transaction& transaction) {
  struct Row {
    std::string_view name, architecture, device;
    std::int64_t size_gib;
  };
  static constexpr std::array rows = {Row{"tiny", "x86_64", "/dev/sda1", 1}, Row{"debian-12-amd64", "x86_64", "/dev/xvda", 8},
                                      Row{"ubuntu-24.04-amd64", "x86_64", "/dev/sda1", 8},
                                      Row{"fedora-40-x86_64", "x86_64", "/dev/sda1", 6}, Row{"classic-linux-i386", "i386", "/dev/sda1", 8}};
  for (const auto& row : rows) {
    state::Snapshot snapshot;
    snapshot.account = image_owner;
    snapshot.id = make_id(transaction.random(), "snap");
    snapshot.state = "pending";
    snapshot.started = transaction.now();
    state::Image image;
    image.account = image_owner;
    image.id = make_id(transaction.random(), "ami");
    image.name = row.name;
    image.description = "simulated: nothing boots";
    image.owner_alias = "amazon";
    image.location = "amazon/" + image.name;
    image.architecture = row.architecture;
    image.root_device_name = row.device;
    image.is_public = true;
    image.state = "pending";  // control brings it in as it does any image
    image.import_source = "simulated";
    image.created = transaction.now();
    state::BlockDevice root;
    root.device = image.root_device_name;
    root.snapshot_id = snapshot.id;
    root.size_gib = row.size_gib;
    root.volume_type = "gp2";
    image.block_devices.push_back(std::move(root));
    transaction.put(std::move(snapshot));
    transaction.put(std::move(image));
  }
}

void reset_simulation(const service::Services& services, const wire::HttpRequest& request, const wire::Responder& respond) {
  if (!services.settings.simulated) return respond(plain(403, "This is not a simulation: nothing is reset.\n"));
  if (request.method != "POST") return respond(plain(405, "POST empties the account.\n"));
  const auto key_id = wire::SignatureVerifier::claimed_access_key(request, {});
  const auto world = services.store.world();
  const auto* key = world->find<state::AccessKey>(key_id);
  const std::string account = key == nullptr ? std::string(simulated_account) : key->account;
  services.store.submit(
      [&settings = services.settings, account](state::Transaction& transaction) { empty_account(transaction, settings, account); },
      [respond](std::exception_ptr failure) { respond(failure ? plain(500, "The reset failed.\n") : plain(200, "reset\n")); });
}

}  // namespace brume::daemon
