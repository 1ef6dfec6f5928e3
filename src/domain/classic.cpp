#include "domain/classic.hpp"

namespace brume::domain {
namespace {

// Not 12 digits: never an account's.
constexpr std::string_view owner = "ec2-classic";
constexpr std::string_view range = "10.0.0.0/8";

}  // namespace

bool has_classic(const state::World& world, std::string_view account) {
  const auto* found = world.find<state::Account>(account);
  return found != nullptr && found->platform == "classic";
}

const state::Subnet* find_classic_subnet(const state::World& world) { return world.find<state::Subnet>(owner, classic_subnet); }

void ensure_classic_network(state::Transaction& transaction) {
  if (find_classic_subnet(transaction.world()) != nullptr) return;
  state::Vpc network;
  network.account = owner;
  network.id = classic_network;
  network.cidr = range;
  state::Subnet subnet;
  subnet.account = owner;
  subnet.id = classic_subnet;
  subnet.vpc_id = classic_network;
  subnet.cidr = range;
  subnet.gives_public_address = true;
  state::InternetGateway gateway;
  gateway.account = owner;
  gateway.id = "igw-classic";
  gateway.vpc_id = classic_network;
  state::RouteTable table;
  table.account = owner;
  table.id = "rtb-classic";
  table.vpc_id = classic_network;
  table.associations.push_back({"rtbassoc-classic", ""});
  auto& out = table.routes.emplace_back();
  out.cidr = "0.0.0.0/0";
  out.gateway_id = gateway.id;
  transaction.put(std::move(network));
  transaction.put(std::move(subnet));
  transaction.put(std::move(gateway));
  transaction.put(std::move(table));
}

}  // namespace brume::domain
