// From records to what the network engine is told: prefix lists, DHCP options, and which VPCs and groups a change is about.
#include "control/vpc_specs.hpp"

#include "base/random.hpp"
#include "base/time.hpp"
#include "domain/classic.hpp"

namespace brume::control {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

class StillClock final : public Clock {
 public:
  Time now() const override { return Time(milliseconds(1'700'000'000'000)); }
};

class VpcSpecs : public testing::Test {
 protected:
  VpcSpecs() {
    store_->watch([this](const state::Commit& commit) { changes_ = commit.changes; });
    vpc_.account = list_.account = table_.account = group_.account = gateway_.account = "123456789012";
    vpc_.id = table_.vpc_id = group_.vpc_id = gateway_.vpc_id = "vpc-1";
    vpc_.cidr = "10.0.0.0/16";
    list_.id = "pl-1";
    list_.entries = {{"192.0.2.0/24", ""}, {"198.51.100.0/24", ""}};
    gateway_.id = "igw-1";
    table_.id = "rtb-1";
    table_.associations = {{"rtbassoc-1", ""}};
    state::RouteEntry route;
    route.prefix_list_id = "pl-1";
    route.gateway_id = "igw-1";
    table_.routes = {route};
    group_.id = "sg-1";
    state::SecurityRule rule;
    rule.protocol = "tcp";
    rule.from_port = rule.to_port = 22;
    rule.prefix_list_id = "pl-1";
    group_.ingress = {rule};
    put(vpc_), put(list_), put(table_), put(group_), put(gateway_);
  }

  template <class Record>
  void put(const Record& record) {
    store_->transact([&](state::Transaction& transaction) { transaction.put(record); });
  }
  std::vector<std::string> routes() const {
    std::vector<std::string> out;
    for (const auto& table : specify(*store_->world(), vpc_, Domains{}).route_tables)
      for (const auto& route : table.routes) out.push_back(route.cidr);
    return out;
  }
  std::vector<std::string> permitted() const {
    std::vector<std::string> out;
    for (const auto& permission : specify(*store_->world(), group_).ingress) {
      EXPECT_EQ(permission.protocol, "tcp");
      EXPECT_EQ(permission.from_port, 22);
      EXPECT_EQ(permission.group_id, "");
      out.push_back(permission.cidr);
    }
    return out;
  }

  // `count` of each kind of thing in the VPC, and as many addresses besides.
  void fill(const std::string& vpc_id, int count) {
    store_->transact([&](state::Transaction& transaction) {
      for (int i = 0; i < count; ++i) {
        const auto number = vpc_id + "-" + std::to_string(i);
        state::Subnet subnet;
        subnet.account = vpc_.account, subnet.id = "subnet-" + number, subnet.vpc_id = vpc_id, subnet.cidr = "10.0.0.0/24";
        transaction.put(subnet);
        state::NetworkInterface interface;
        interface.account = vpc_.account, interface.id = "eni-" + number, interface.vpc_id = vpc_id, interface.subnet_id = subnet.id;
        transaction.put(interface);
        state::NatGateway nat;
        nat.account = vpc_.account, nat.id = "nat-" + number, nat.vpc_id = vpc_id, nat.state = state::NatState::available;
        transaction.put(nat);
        state::VpnGateway gateway;
        gateway.account = vpc_.account, gateway.id = "vgw-" + number, gateway.vpc_id = vpc_id;
        transaction.put(gateway);
        state::VpnConnection connection;
        connection.account = vpc_.account, connection.id = "vpn-" + number, connection.vpn_gateway_id = gateway.id;
        connection.customer_gateway_id = "cgw-1";
        transaction.put(connection);
        state::SecurityGroup group;
        group.account = vpc_.account, group.id = "sg-" + number, group.vpc_id = vpc_id;
        transaction.put(group);
        state::FlowLog log;
        log.account = vpc_.account, log.id = "fl-" + number, log.resource_id = i % 2 == 0 ? subnet.id : interface.id;
        transaction.put(log);
        state::ElasticIp address;
        address.account = vpc_.account, address.allocation_id = "eipalloc-" + number;
        address.public_ip = "198.18.0." + std::to_string(i + 1);
        transaction.put(address);
      }
    });
  }

  StillClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<state::Store> store_ = state::Store::open(state::make_memory_log(), clock_, random_).value();
  std::vector<state::Change> changes_;
  state::Vpc vpc_;
  state::PrefixList list_;
  state::RouteTable table_;
  state::SecurityGroup group_;
  state::InternetGateway gateway_;
};

TEST_F(VpcSpecs, APrefixListIsItsRanges) {
  EXPECT_THAT(routes(), ElementsAre("192.0.2.0/24", "198.51.100.0/24"));
  EXPECT_THAT(permitted(), ElementsAre("192.0.2.0/24", "198.51.100.0/24"));
}

TEST_F(VpcSpecs, AChangedPrefixListTouchesWhatNamesIt) {
  auto other = group_;
  other.id = "sg-2";
  other.ingress.clear();
  put(other);
  list_.entries = {{"203.0.113.0/24", ""}};
  put(list_);
  ASSERT_EQ(changes_.size(), 1u);
  EXPECT_THAT(groups_touched_by(*store_->world(), changes_.front()), ElementsAre("123456789012/sg-1"));
  EXPECT_THAT(vpcs_touched_by(*store_->world(), changes_.front()), ElementsAre("vpc-1"));
  EXPECT_THAT(routes(), ElementsAre("203.0.113.0/24"));
  EXPECT_THAT(permitted(), ElementsAre("203.0.113.0/24"));
}

TEST_F(VpcSpecs, AnEmptyPrefixListPermitsNothing) {
  list_.entries.clear();
  put(list_);
  EXPECT_THAT(routes(), ElementsAre());
  EXPECT_THAT(permitted(), ElementsAre());
}

// Without a set guests are told EC2's own; with one, what it says and nothing else.
TEST_F(VpcSpecs, ADhcpOptionSetIsAllThatGuestsAreTold) {
  EXPECT_TRUE(specify(*store_->world(), vpc_, Domains{}).dhcp.is_own);
  state::DhcpOptions options;
  options.account = vpc_.account;
  options.id = vpc_.dhcp_options_id = "dopt-1";
  options.options = {{"domain-name", {"ec2.internal"}}, {"domain-name-servers", {"AmazonProvidedDNS"}}};
  put(options), put(vpc_);
  const auto own = specify(*store_->world(), vpc_, Domains{}).dhcp;
  EXPECT_FALSE(own.is_own);
  EXPECT_EQ(own.domain, "ec2.internal");
  EXPECT_THAT(own.name_servers, ElementsAre("10.0.0.2"));
  options.options = {
      {"domain-name", {"corp.example"}}, {"domain-name-servers", {"192.0.2.1", "AmazonProvidedDNS"}}, {"ntp-servers", {"192.0.2.3"}}};
  put(options);
  const auto theirs = specify(*store_->world(), vpc_, Domains{}).dhcp;
  EXPECT_EQ(theirs.domain, "corp.example");
  EXPECT_THAT(theirs.name_servers, ElementsAre("192.0.2.1", "10.0.0.2"));
  EXPECT_THAT(theirs.time_servers, ElementsAre("192.0.2.3"));
}

TEST_F(VpcSpecs, PublicAddressesHaveNamesWhereTheVpcSaysSo) {
  EXPECT_TRUE(specify(*store_->world(), vpc_, Domains{}).names_public_addresses);
  EXPECT_EQ(specify(*store_->world(), vpc_, {"corp", "cloud.example"}).names.public_domain, "cloud.example");
  EXPECT_EQ(specify(*store_->world(), vpc_, {"corp", "cloud.example"}).domain, "corp");
  vpc_.dns_support = false;
  EXPECT_FALSE(specify(*store_->world(), vpc_, Domains{}).names_public_addresses);
  vpc_.dns_support = true;
  vpc_.dns_hostnames = false;
  EXPECT_FALSE(specify(*store_->world(), vpc_, Domains{}).names_public_addresses);
}

// What a look at one VPC visits follows what is in it, not what the account or the installation has besides.
TEST_F(VpcSpecs, AVpcIsSpecifiedByWhatIsInIt) {
  state::CustomerGateway customer;
  customer.account = vpc_.account, customer.id = "cgw-1", customer.ip_address = "192.0.2.1";
  put(customer);
  table_.propagating_gateways = {"vgw-vpc-1-0"};
  put(table_);
  // Peered: then groups and names are looked at as well.
  state::VpcPeering peering;
  peering.account = peering.peer_account = vpc_.account;
  peering.id = "pcx-1", peering.vpc_id = "vpc-1", peering.peer_vpc_id = "vpc-2", peering.state = state::PeeringState::active;
  peering.accepter_shows_names = true;
  auto peer = vpc_;
  peer.id = "vpc-2";
  put(peering), put(peer);
  fill("vpc-1", 3);
  const auto visits = [&] {
    const auto before = state::visited_records;
    const auto spec = specify(*store_->world(), vpc_, Domains{});
    EXPECT_EQ(spec.subnets.size(), 3u);
    EXPECT_EQ(spec.nats.size(), 3u);
    EXPECT_EQ(spec.vpns.size(), 3u);
    EXPECT_TRUE(spec.flow_logs);
    return state::visited_records - before;
  };
  const auto alone = visits();
  fill("vpc-3", 200);
  EXPECT_EQ(visits(), alone);
  // A VPC without logs beside others with many.
  auto quiet = vpc_;
  quiet.id = "vpc-4";
  put(quiet);
  const auto before = state::visited_records;
  EXPECT_FALSE(specify(*store_->world(), quiet, Domains{}).flow_logs);
  EXPECT_LT(state::visited_records - before, 5u);
}

TEST_F(VpcSpecs, AReverseRecordIsAmongTheNames) {
  state::ElasticIp address;
  address.account = "210987654321";
  address.allocation_id = "eipalloc-1";
  address.public_ip = "198.18.0.5";
  put(address);
  EXPECT_FALSE(touches_names(changes_.front()));
  EXPECT_THAT(vpcs_touched_by(*store_->world(), changes_.front()), ElementsAre());
  address.domain_name = "mail.example.com";
  put(address);
  EXPECT_TRUE(touches_names(changes_.front()));
  EXPECT_THAT(specify_names(*store_->world(), "d").reverse,
              ElementsAre(std::pair<const std::string, std::string>("198.18.0.5", "mail.example.com")));
}

TEST_F(VpcSpecs, AGatewayThatIsDetachedLeadsNowhere) {
  EXPECT_TRUE(specify(*store_->world(), vpc_, Domains{}).internet_gateway);
  gateway_.vpc_id.clear();
  put(gateway_);
  EXPECT_THAT(vpcs_touched_by(*store_->world(), changes_.front()), UnorderedElementsAre("", "vpc-1"));
  const auto spec = specify(*store_->world(), vpc_, Domains{});
  EXPECT_FALSE(spec.internet_gateway);
  EXPECT_EQ(spec.route_tables.front().routes.front().target, network::RouteSpec::Target::nowhere);
}

// The network is nobody's: its members are of many accounts, and find its range and its way out all the same.
TEST_F(VpcSpecs, Ec2ClassicIsOneNetworkOfAllAccounts) {
  store_->transact([](state::Transaction& transaction) { domain::ensure_classic_network(transaction); });
  const auto world = store_->world();
  const auto* network = world->find_indexed<state::Vpc>(state::Index::vpc_by_id, domain::classic_network);
  ASSERT_NE(network, nullptr);
  const auto spec = specify(*world, *network, Domains{});
  EXPECT_TRUE(spec.internet_gateway);
  ASSERT_EQ(spec.subnets.size(), 1u);
  EXPECT_EQ(spec.subnets.front().cidr, "10.0.0.0/8");
  ASSERT_EQ(spec.route_tables.size(), 1u);
  EXPECT_EQ(spec.route_tables.front().id, spec.subnets.front().route_table_id);
  EXPECT_EQ(spec.route_tables.front().routes.front().target, network::RouteSpec::Target::internet);
  state::NetworkInterface interface;
  interface.account = vpc_.account;
  interface.id = "eni-1";
  interface.vpc_id = domain::classic_network;
  interface.subnet_id = domain::classic_subnet;
  interface.private_ip = "10.0.0.4";
  EXPECT_EQ(specify(*world, interface, 1).subnet_cidr, "10.0.0.0/8");
}

TEST_F(VpcSpecs, AGroupOfEc2ClassicLetsEverythingOut) {
  group_.vpc_id = domain::classic_network;
  group_.egress.clear();
  put(group_);
  const auto spec = specify(*store_->world(), group_);
  ASSERT_EQ(spec.egress.size(), 1u);
  EXPECT_EQ(spec.egress.front().protocol, "-1");
  EXPECT_EQ(spec.egress.front().cidr, "0.0.0.0/0");
  group_.vpc_id = "vpc-1";
  put(group_);
  EXPECT_TRUE(specify(*store_->world(), group_).egress.empty());
}

TEST_F(VpcSpecs, AnotherPrivateAddressIsSomethingToDo) {
  state::NetworkInterface before;
  before.private_ip = "10.0.0.4";
  auto now = before;
  EXPECT_TRUE(specifies_the_same(before, now));
  now.private_ip = "10.0.0.5";
  EXPECT_FALSE(specifies_the_same(before, now));
}

class PeeredSpecs : public VpcSpecs {
 protected:
  PeeredSpecs() {
    peer_.account = peering_.peer_account = interface_.account = "210987654321";
    peer_.id = peering_.peer_vpc_id = interface_.vpc_id = "vpc-2";
    peer_.cidr = "10.2.0.0/16";
    peer_.more = {{"vpc-cidr-assoc-1", "10.3.0.0/16"}};
    peering_.account = vpc_.account;
    peering_.id = "pcx-1";
    peering_.vpc_id = vpc_.id;
    peering_.state = state::PeeringState::active;
    interface_.id = "eni-2";
    interface_.private_ip = "10.2.0.5";
    interface_.secondary = {{"10.2.0.6", ""}};
    interface_.group_ids = {"sg-2"};
    state::RouteEntry route;
    route.cidr = "10.2.0.0/16";
    route.peering_id = peering_.id;
    table_.routes = {route};
    auto& rule = group_.ingress.front();
    rule.prefix_list_id.clear();
    rule.group_account = peer_.account;
    rule.group_id = "sg-2";
    rule.peering_id = peering_.id;
    rule.group_vpc_id = peer_.id;
    put(peer_), put(table_), put(group_), put(interface_), put(peering_);
  }
  network::VpcSpec spec() const { return specify(*store_->world(), vpc_, Domains{}); }

  state::Vpc peer_;
  state::VpcPeering peering_;
  state::NetworkInterface interface_;
};

TEST_F(PeeredSpecs, AnActivePeeringIsALinkARouteAndTheMembersOfItsGroups) {
  const auto made = spec();
  ASSERT_EQ(made.peerings.size(), 1U);
  EXPECT_EQ(made.peerings[0].id, "pcx-1");
  EXPECT_EQ(made.peerings[0].peer_vpc_id, "vpc-2");
  EXPECT_THAT(made.peerings[0].peer_cidrs, ElementsAre("10.2.0.0/16", "10.3.0.0/16"));
  EXPECT_EQ(made.route_tables[0].routes[0].target, network::RouteSpec::Target::peering);
  EXPECT_EQ(made.route_tables[0].routes[0].id, "pcx-1");
  ASSERT_EQ(made.peer_groups.size(), 1U);
  EXPECT_EQ(made.peer_groups[0].id, "sg-2");
  EXPECT_EQ(made.peer_groups[0].peering_id, "pcx-1");
  EXPECT_THAT(made.peer_groups[0].addresses, ElementsAre("10.2.0.5", "10.2.0.6"));
  // The other side's view of it.
  const auto other = specify(*store_->world(), peer_, Domains{});
  ASSERT_EQ(other.peerings.size(), 1U);
  EXPECT_EQ(other.peerings[0].peer_vpc_id, "vpc-1");
  EXPECT_TRUE(other.peer_groups.empty());
}

TEST_F(PeeredSpecs, OneThatIsNotActiveLeadsNowhere) {
  for (const auto state : {state::PeeringState::pending_acceptance, state::PeeringState::deleted}) {
    store_->transact([&](state::Transaction& transaction) { transaction.erase<state::VpcPeering>(peering_.key()); });
    changes_.clear();
    peering_.state = state;
    put(peering_);
    EXPECT_THAT(vpcs_touched_by(*store_->world(), changes_.front()), UnorderedElementsAre("vpc-1", "vpc-2"));
    EXPECT_TRUE(spec().peerings.empty());
    EXPECT_TRUE(spec().peer_groups.empty());
    EXPECT_EQ(spec().route_tables[0].routes[0].target, network::RouteSpec::Target::nowhere);
    EXPECT_TRUE(peers_of(*store_->world(), "vpc-1").empty());
  }
}

TEST_F(PeeredSpecs, AChangeOfAVpcTouchesItsPeers) {
  peer_.more.clear();
  put(peer_);
  EXPECT_THAT(vpcs_touched_by(*store_->world(), changes_.front()), UnorderedElementsAre("vpc-1", "vpc-2"));
}

// What one side shows, the other goes by, as long as both have EC2's names and the addresses lead somewhere.
TEST_F(PeeredSpecs, APeersPublicNamesArePrivateAddressesWhereItShowsThem) {
  const auto names = [&] {
    std::vector<std::string> out;
    const auto made = spec();
    for (const auto& one : made.peerings.at(0).names) out.push_back(one.private_ip + " " + one.public_ip);
    return out;
  };
  interface_.public_ip = "198.18.0.5";
  interface_.secondary = {{"10.2.0.6", "198.18.0.6"}, {"10.2.0.7", ""}};
  vpc_.dns_hostnames = peer_.dns_hostnames = vpc_.dns_support = peer_.dns_support = true;
  put(interface_), put(vpc_), put(peer_);
  peering_.requester_shows_names = true;  // vpc-1's own
  put(peering_);
  EXPECT_THAT(names(), ElementsAre());
  peering_.accepter_shows_names = true;
  put(peering_);
  EXPECT_THAT(names(), ElementsAre());
  state::InternetGateway gateway;
  gateway.account = peer_.account;
  gateway.id = "igw-2";
  gateway.vpc_id = peer_.id;
  put(gateway);
  EXPECT_THAT(vpcs_touched_by(*store_->world(), changes_.front()), UnorderedElementsAre("vpc-1", "vpc-2"));
  EXPECT_THAT(names(), ElementsAre("10.2.0.5 198.18.0.5", "10.2.0.6 198.18.0.6"));
  EXPECT_TRUE(specify(*store_->world(), peer_, Domains{}).peerings.at(0).names.empty());  // vpc-1 has no public address
  for (auto* vpc : {&vpc_, &peer_}) {
    vpc->dns_hostnames = false;
    put(*vpc);
    EXPECT_THAT(names(), ElementsAre()) << vpc->id;
    vpc->dns_hostnames = true;
    put(*vpc);
  }
  peering_.accepter_shows_names = false;
  put(peering_);
  EXPECT_THAT(vpcs_touched_by(*store_->world(), changes_.front()), UnorderedElementsAre("vpc-1", "vpc-2"));
  EXPECT_THAT(names(), ElementsAre());
}

}  // namespace
}  // namespace brume::control
