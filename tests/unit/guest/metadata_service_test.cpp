// What the service says, asked as a guest asks: over requests, in a World that holds one launched instance of each sort.
#include "guest/metadata_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "base/text.hpp"

namespace brume::guest {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using wire::HttpRequest;
using wire::HttpResponse;

class StillClock final : public Clock {
 public:
  Time now() const override { return time; }
  Time time{milliseconds(1'700'000'000'000)};
};

const std::string account = "123456789012";
const std::string vpc = "vpc-0a";
const std::string mac = "02:29:96:8f:6a:2d";
const std::string macs = "/latest/meta-data/network/interfaces/macs/";

MetadataConfiguration configuration() {
  MetadataConfiguration made;
  made.zones = {{"us-east-1a", "use1-az1"}};
  made.token_key = std::string(32, 'k');
  return made;
}

std::string header(const HttpResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.headers)
    if (key == name) return value;
  return {};
}

class MetadataServiceTest : public testing::Test {
 protected:
  MetadataServiceTest() {
    store_->transact([](state::Transaction& t) {
      state::Vpc network;
      network.account = account;
      network.id = vpc;
      network.cidr = "172.31.0.0/16";
      network.is_default = true;
      t.put(network);
      t.put(state::Subnet{account, "subnet-1", vpc, "172.31.16.0/20", "us-east-1a", true, true, "", "", false});
      t.put(state::SecurityGroup{account, "sg-1", "default", "", vpc, {}, {}});
      t.put(state::SecurityGroup{account, "sg-2", "web servers", "", vpc, {}, {}});
      put_instance(t, "i-full", "172.31.16.5");
      put_instance(t, "i-bare", "172.31.16.6");
    });
    change<state::Instance>("i-full", [](state::Instance& i) {
      i.key_name = "my-public-key";
      i.public_key = "ssh-rsa AAAAB3Nz";
      i.launch_index = 3;
      i.launched = Time(milliseconds(1'323'090'000'123));
    });
    change<state::NetworkInterface>("eni-i-full", [](state::NetworkInterface& n) {
      n.mac = mac;
      n.public_ip = "67.202.51.223";
      n.group_ids = {"sg-1", "sg-2"};
    });
  }

  static void put_instance(state::Transaction& t, const std::string& id, const std::string& address) {
    state::Instance instance;
    instance.account = account;
    instance.id = id;
    instance.reservation_id = "r-fea54097";
    instance.image_id = "ami-2bb65342";
    instance.type = "t3.micro";
    instance.zone = "us-east-1a";
    instance.vpc_id = vpc;
    instance.architecture = "x86_64";
    instance.virtualization_type = "hvm";
    instance.root_device_name = "/dev/sda1";
    instance.interface_ids = {"eni-" + id};
    t.put(instance);
    t.put(make_interface("eni-" + id, "02:00:00:00:00:06", address, id));
  }

  static state::NetworkInterface make_interface(const std::string& id, const std::string& hardware, const std::string& address,
                                                const std::string& instance) {
    state::NetworkInterface interface;
    interface.account = account;
    interface.id = id;
    interface.vpc_id = vpc;
    interface.subnet_id = "subnet-1";
    interface.mac = hardware;
    interface.private_ip = address;
    interface.instance_id = instance;
    return interface;
  }

  template <class Record>
  void change(const std::string& id, const std::function<void(Record&)>& edit) {
    store_->transact([&](state::Transaction& t) {
      Record record = *t.find<Record>(account, id);
      edit(record);
      t.erase<Record>(record.key());  // whatever state it was in
      t.put(record);
    });
  }

  template <class Record>
  void put(Record record) {
    store_->transact([&](state::Transaction& t) { t.put(record); });
  }

  using Headers = std::vector<std::pair<std::string, std::string>>;
  HttpResponse ask(std::string method, std::string target, Headers headers = {}, std::string from = "172.31.16.5",
                   std::string_view in = vpc) {
    HttpRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    request.headers = std::move(headers);
    request.peer_address = std::move(from);
    return service_.answer(request, in);
  }
  HttpResponse get(std::string target, Headers headers = {}) { return ask("GET", std::move(target), std::move(headers)); }
  // The body of a 200 as text/plain, or the status in brackets.
  std::string text(std::string target, std::string from = "172.31.16.5") {
    const auto response = ask("GET", std::move(target), {}, std::move(from));
    if (response.status != 200) return "[" + std::to_string(response.status) + "]";
    EXPECT_EQ(response.content_type, "text/plain");
    return response.body;
  }
  std::string item(const std::string& path) { return text("/latest/meta-data/" + path); }
  std::vector<std::string> listing(std::string target) {
    std::vector<std::string> lines;
    const auto body = text(std::move(target));
    for (const auto line : split(body, '\n')) lines.emplace_back(line);
    return lines;
  }
  std::string token(const std::string& life = "60") {
    return ask("PUT", "/latest/api/token", {{"x-aws-ec2-metadata-token-ttl-seconds", life}}).body;
  }

  StillClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<state::Store> store_ = state::Store::open(state::make_memory_log(), clock_, random_).value();
  MetadataService service_{*store_, configuration(), clock_};
};

TEST_F(MetadataServiceTest, LeavesSayWhatTheInstanceIs) {
  const std::map<std::string, std::string> expected = {
      {"ami-id", "ami-2bb65342"},
      {"ami-launch-index", "3"},
      {"ami-manifest-path", "(unknown)"},
      {"block-device-mapping/ami", "/dev/sda1"},
      {"block-device-mapping/root", "/dev/sda1"},
      {"hostname", "ip-172-31-16-5.ec2.internal"},
      {"instance-action", "none"},
      {"instance-id", "i-full"},
      {"instance-life-cycle", "on-demand"},
      {"instance-type", "t3.micro"},
      {"local-hostname", "ip-172-31-16-5.ec2.internal"},
      {"local-ipv4", "172.31.16.5"},
      {"mac", mac},
      {"placement/availability-zone", "us-east-1a"},
      {"placement/availability-zone-id", "use1-az1"},
      {"placement/region", "us-east-1"},
      {"profile", "default-hvm"},
      {"public-hostname", "ec2-67-202-51-223.compute-1.amazonaws.com"},
      {"public-ipv4", "67.202.51.223"},
      {"public-keys", "0=my-public-key"},
      {"public-keys/", "0=my-public-key"},
      {"public-keys/0", "openssh-key"},
      {"public-keys/0/", "openssh-key"},
      {"public-keys/0/openssh-key", "ssh-rsa AAAAB3Nz my-public-key\n"},
      {"reservation-id", "r-fea54097"},
      {"security-groups", "default\nweb servers"},
      {"services/domain", "amazonaws.com"},
      {"services/partition", "aws"},
      {"system", "nitro"},
  };
  for (const auto& [path, value] : expected) EXPECT_EQ(item(path), value) << path;
}

TEST_F(MetadataServiceTest, AnInstanceThatIsBeingStoppedOrTerminatedIsToldSo) {
  for (const auto state : {state::InstanceState::stopping, state::InstanceState::shutting_down}) {
    change<state::Instance>("i-full", [&](state::Instance& i) { i.state = state; });
    EXPECT_EQ(item("instance-action"), "shutdown") << state::name_of(state);
  }
}

TEST_F(MetadataServiceTest, InterfacesAreListedByMac) {
  EXPECT_EQ(text(macs), mac + "/");
  const std::map<std::string, std::string> expected = {
      {"device-number", "0"},
      {"interface-id", "eni-i-full"},
      {"ipv4-associations/", "67.202.51.223"},
      {"ipv4-associations/67.202.51.223", "172.31.16.5"},
      {"local-hostname", "ip-172-31-16-5.ec2.internal"},
      {"local-ipv4s", "172.31.16.5"},
      {"mac", mac},
      {"network-card", "0"},
      {"owner-id", account},
      {"public-hostname", "ec2-67-202-51-223.compute-1.amazonaws.com"},
      {"public-ipv4s", "67.202.51.223"},
      {"security-group-ids", "sg-1\nsg-2"},
      {"security-groups", "default\nweb servers"},
      {"subnet-id", "subnet-1"},
      {"subnet-ipv4-cidr-block", "172.31.16.0/20"},
      {"vpc-id", vpc},
      {"vpc-ipv4-cidr-block", "172.31.0.0/16"},
      {"vpc-ipv4-cidr-blocks", "172.31.0.0/16"},
  };
  for (const auto& [path, value] : expected) EXPECT_EQ(text(macs + mac + "/" + path), value) << path;
  EXPECT_EQ(text(macs + "02%3A29%3a96:8f:6a:2d/device-number"), "0");
  EXPECT_EQ(text(macs + "02:00:00:00:00:06/device-number"), "[404]");  // another instance's
}

TEST_F(MetadataServiceTest, SecondInterfaceHasItsOwnFolderAndCallsForTheSameInstance) {
  auto second = make_interface("eni-2", "02:99:00:00:00:01", "172.31.16.9", "i-full");
  second.device_index = 1;
  put(second);
  change<state::Instance>("i-full", [](state::Instance& i) { i.interface_ids.push_back("eni-2"); });
  EXPECT_EQ(text(macs), mac + "/\n02:99:00:00:00:01/");
  EXPECT_EQ(text(macs + "02:99:00:00:00:01/device-number"), "1");
  EXPECT_EQ(text("/latest/meta-data/instance-id", "172.31.16.9"), "i-full");
  EXPECT_EQ(text("/latest/meta-data/local-ipv4", "172.31.16.9"), "172.31.16.5");
}

TEST_F(MetadataServiceTest, SecondaryAddressesAndThePublicOnesThatStandForThem) {
  const auto at = macs + mac + "/";
  change<state::NetworkInterface>("eni-i-full", [](state::NetworkInterface& n) {
    n.secondary = {{"172.31.16.20", ""}, {"172.31.16.21", "198.18.0.9"}};
  });
  EXPECT_EQ(text(at + "local-ipv4s"), "172.31.16.5\n172.31.16.20\n172.31.16.21");
  EXPECT_EQ(text(at + "public-ipv4s"), "67.202.51.223\n198.18.0.9");
  EXPECT_EQ(text(at + "ipv4-associations/"), "198.18.0.9\n67.202.51.223");
  EXPECT_EQ(text(at + "ipv4-associations/198.18.0.9"), "172.31.16.21");
  EXPECT_EQ(text(at + "ipv4-associations/67.202.51.223"), "172.31.16.5");
  EXPECT_EQ(item("local-ipv4"), "172.31.16.5");
  EXPECT_EQ(item("public-ipv4"), "67.202.51.223");
  // Whoever calls from a secondary address is the same instance.
  EXPECT_EQ(text("/latest/meta-data/instance-id", "172.31.16.21"), "i-full");
  // An Elastic IP goes to another address: the next request sees it.
  change<state::NetworkInterface>("eni-i-full", [](state::NetworkInterface& n) {
    n.public_ip.clear();
    n.secondary = {{"172.31.16.20", "198.18.0.9"}};
  });
  EXPECT_EQ(text(at + "public-ipv4s"), "198.18.0.9");
  EXPECT_EQ(text(at + "ipv4-associations/198.18.0.9"), "172.31.16.20");
  EXPECT_EQ(text(at + "ipv4-associations/67.202.51.223"), "[404]");
  EXPECT_EQ(text(at + "local-ipv4s"), "172.31.16.5\n172.31.16.20");
  EXPECT_EQ(item("public-ipv4"), "[404]");
  EXPECT_EQ(text("/latest/meta-data/instance-id", "172.31.16.21"), "[404]");
}

TEST_F(MetadataServiceTest, VpcsWithFurtherRangesAndWithoutPublicNames) {
  change<state::Vpc>(vpc, [](state::Vpc& v) {
    v.more = {{"vpc-cidr-assoc-1", "10.4.0.0/16"}};
    v.dns_hostnames = false;
  });
  EXPECT_EQ(text(macs + mac + "/vpc-ipv4-cidr-block"), "172.31.0.0/16");
  EXPECT_EQ(text(macs + mac + "/vpc-ipv4-cidr-blocks"), "172.31.0.0/16\n10.4.0.0/16");
  EXPECT_EQ(text(macs + mac + "/public-hostname"), "[404]");
  EXPECT_EQ(item("public-hostname"), "[404]");
  EXPECT_EQ(item("public-ipv4"), "67.202.51.223");
}

TEST_F(MetadataServiceTest, Ipv6IsToldWhereItIs) {
  for (const auto* name : {"ipv6s", "subnet-ipv6-cidr-blocks", "vpc-ipv6-cidr-blocks"})
    EXPECT_EQ(text(macs + mac + "/" + name), "[404]") << name;
  EXPECT_EQ(item("ipv6"), "[404]");
  change<state::NetworkInterface>("eni-i-full", [](state::NetworkInterface& n) { n.ipv6 = {"2001:db8::5", "2001:db8::6"}; });
  change<state::Subnet>("subnet-1", [](state::Subnet& s) { s.ipv6_cidr = "2001:db8::/64"; });
  change<state::Vpc>(vpc, [](state::Vpc& v) {
    v.ipv6 = {{"vpc-cidr-assoc-2", "2001:db8::/56"}, {"vpc-cidr-assoc-3", "2001:db8:0:100::/56"}};
  });
  EXPECT_EQ(text(macs + mac + "/ipv6s"), "2001:db8::5\n2001:db8::6");
  EXPECT_EQ(text(macs + mac + "/subnet-ipv6-cidr-blocks"), "2001:db8::/64");
  EXPECT_EQ(text(macs + mac + "/vpc-ipv6-cidr-blocks"), "2001:db8::/56\n2001:db8:0:100::/56");
  EXPECT_EQ(item("ipv6"), "2001:db8::5");
}

TEST_F(MetadataServiceTest, WhatDoesNotApplyIsNeitherListedNorFound) {
  const auto lines = text("/latest/meta-data/", "172.31.16.6");
  for (const std::string name :
       {"public-ipv4", "public-hostname", "public-keys", "kernel-id", "ramdisk-id", "tags", "security-groups", "iam"}) {
    EXPECT_THAT(lines, Not(HasSubstr(name)));
    EXPECT_EQ(text("/latest/meta-data/" + name, "172.31.16.6"), "[404]") << name;
    EXPECT_EQ(text("/latest/meta-data/" + name + "/", "172.31.16.6"), "[404]") << name;
  }
  EXPECT_EQ(text("/latest/", "172.31.16.6"), "dynamic\nmeta-data");
  EXPECT_EQ(text("/latest/user-data", "172.31.16.6"), "[404]");
  EXPECT_EQ(text("/latest/meta-data/public-keys/0/openssh-key", "172.31.16.6"), "[404]");
  EXPECT_EQ(text("/latest/meta-data/network/interfaces/macs/02:00:00:00:00:06/ipv4-associations/", "172.31.16.6"), "[404]");
}

TEST_F(MetadataServiceTest, PlacementFollowsTheInstance) {
  EXPECT_EQ(item("placement/group-name") + item("placement/partition-number"), "[404][404]");
  change<state::Instance>("i-full", [](state::Instance& i) { i.placement_group = "parts", i.partition_number = 2; });
  EXPECT_EQ(item("placement/group-name"), "parts");
  EXPECT_EQ(item("placement/partition-number"), "2");
  EXPECT_EQ(item("hibernation/configured"), "false");
}

// Clients take it as "none": there are no roles, no spot instances, no groups that scale, no dedicated hosts, no sealed keys of sessions.
TEST_F(MetadataServiceTest, WhatNoInstanceHereHasIsNotFound) {
  for (const auto* path :
       {"iam/", "iam/info", "iam/security-credentials/", "identity-credentials/ec2/info", "spot/", "spot/instance-action",
        "spot/termination-time", "events/recommendations/rebalance", "autoscaling/target-lifecycle-state", "managed-ssh-keys/signer-cert",
        "placement/host-id", "ancestor-ami-ids", "ipv6", "metrics/vhostmd"})
    EXPECT_EQ(item(path), "[404]") << path;
  for (const auto& folder : listing("/latest/meta-data/"))
    EXPECT_TRUE(folder != "iam/" && folder != "spot/" && folder != "autoscaling/") << folder;
}

// The way of cloud-init's Ec2 data source: whatever a listing names must be there.
TEST_F(MetadataServiceTest, EverythingListedIsThere) {
  put(state::UserData{account, "i-full", "#!/bin/sh\n"});
  put(state::TagSet{account, "i-full", "instance", {{"Name", "web"}, {"a=b", ""}}});
  state::Volume volume;
  volume.account = account;
  volume.id = "vol-1";
  volume.instance_id = "i-full";
  volume.device = "/dev/sdf";
  put(volume);
  change<state::Instance>("i-full", [](state::Instance& i) {
    i.metadata_tags = true;
    i.kernel_id = "aki-1";
    i.ramdisk_id = "ari-1";
    i.placement_group = "close";
    i.volume_ids = {"vol-1"};
    i.instance_stores.resize(2);
    i.instance_stores[0].virtual_name = "ephemeral0", i.instance_stores[0].device = "/dev/sdb";
    i.instance_stores[1].virtual_name = "swap", i.instance_stores[1].device = "sda3";
  });
  std::vector<std::string> versions = listing("/");
  ASSERT_THAT(versions, Contains("latest"));
  size_t leaves = 0;
  for (const auto& version : versions) {
    std::vector<std::string> folders = {"/" + version + "/meta-data/"};
    if (version >= "2009-04-04") folders.push_back("/" + version + "/dynamic/");
    while (!folders.empty()) {
      const auto folder = folders.back();
      folders.pop_back();
      EXPECT_EQ(text(folder), text(folder.substr(0, folder.size() - 1))) << folder;
      for (const auto& line : listing(folder)) {
        if (line.ends_with('/')) {
          folders.push_back(folder + line);
          continue;
        }
        const bool is_key = folder.ends_with("/public-keys/");
        const auto response = get(folder + (is_key ? line.substr(0, line.find('=')) + "/openssh-key" : line));
        EXPECT_EQ(response.status, 200) << folder << line;
        ++leaves;
      }
    }
  }
  EXPECT_GT(leaves, 500u);
  EXPECT_EQ(text("/latest/"), "dynamic\nmeta-data\nuser-data");
  EXPECT_EQ(item("block-device-mapping/"), "ami\nebs1\nephemeral0\nroot\nswap");
  EXPECT_EQ(item("block-device-mapping/ebs1"), "sdf");
  EXPECT_EQ(item("block-device-mapping/ephemeral0"), "sdb");
  EXPECT_EQ(item("block-device-mapping/swap"), "sda3");
  EXPECT_EQ(item("events/maintenance/scheduled"), "[]");
}

TEST_F(MetadataServiceTest, VersionsHaveWhatTheyIntroduced) {
  const auto versions = listing("/");
  EXPECT_EQ(versions.front(), "1.0");
  EXPECT_EQ(versions.back(), "latest");
  for (const std::string name :
       {"2007-01-19", "2009-04-04", "2011-01-01", "2016-09-02", "2018-09-24", "2021-03-23", "2021-07-15", "2022-09-24"})
    EXPECT_THAT(versions, Contains(name));
  EXPECT_EQ(text("/1.0/meta-data/instance-id"), "i-full");
  EXPECT_EQ(text("/1.0/meta-data/instance-type"), "[404]");
  EXPECT_EQ(text("/2007-08-29/meta-data/instance-type"), "t3.micro");
  EXPECT_EQ(text("/2009-04-04/meta-data/mac"), "[404]");
  EXPECT_EQ(text("/2009-04-04/meta-data/network/"), "[404]");
  EXPECT_EQ(text("/2011-01-01/meta-data/mac"), mac);
  EXPECT_EQ(text("/2008-09-01/dynamic/"), "[404]");
  EXPECT_EQ(text("/1.0/"), "meta-data");
  EXPECT_EQ(
      text("/1.0/meta-data/"),
      "ami-id\nami-launch-index\nami-manifest-path\nhostname\ninstance-id\nlocal-ipv4\npublic-keys/\nreservation-id\nsecurity-groups");
  EXPECT_EQ(text("/2011-01-02/meta-data/"), "[404]");
}

TEST_F(MetadataServiceTest, UserDataComesBackByteForByte) {
  const std::string bytes("\0\xff\r\n|{}", 7);
  put(state::UserData{account, "i-full", bytes});
  const auto response = get("/latest/user-data");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "application/octet-stream");
  EXPECT_EQ(response.body, bytes);
  EXPECT_EQ(get("/2011-01-01/user-data").content_type, "application/x-octetstream") << "as the guide spells it";
  EXPECT_EQ(get("/2011-05-01/user-data").content_type, "application/octet-stream");
}

TEST_F(MetadataServiceTest, InAVpcOfTheGuideGroupsAreIdsAndThereIsNoPublicName) {
  const std::string old = "/2011-01-01/meta-data/";
  EXPECT_EQ(text(old + "security-groups"), "default\nweb servers");
  EXPECT_EQ(text(old + "public-hostname"), "ec2-67-202-51-223.compute-1.amazonaws.com");
  change<state::Vpc>(vpc, [](state::Vpc& v) { v.is_default = false; });
  EXPECT_EQ(text(old + "security-groups"), "sg-1\nsg-2");
  EXPECT_EQ(text(old + "public-hostname"), "[404]");
  EXPECT_EQ(text(old + "public-ipv4"), "67.202.51.223");
  EXPECT_THAT(listing(old), Not(Contains("public-hostname")));
  EXPECT_EQ(item("security-groups"), "default\nweb servers");
  EXPECT_EQ(item("public-hostname"), "ec2-67-202-51-223.compute-1.amazonaws.com");
}

TEST_F(MetadataServiceTest, TokensGoNoFurtherThanTheHopLimit) {
  const Headers life = {{"x-aws-ec2-metadata-token-ttl-seconds", "60"}};
  EXPECT_EQ(ask("PUT", "/latest/api/token", life).hop_limit, 1);
  change<state::Instance>("i-full", [](state::Instance& i) { i.metadata_hop_limit = 3; });
  EXPECT_EQ(ask("PUT", "/latest/api/token", life).hop_limit, 3);
  EXPECT_EQ(get("/latest/meta-data/").hop_limit, 0);
}

TEST_F(MetadataServiceTest, IdentityDocumentHasEc2sFields) {
  EXPECT_EQ(text("/latest/dynamic/"), "fws/\ninstance-identity/");
  EXPECT_EQ(text("/latest/dynamic/instance-identity"), "document");
  EXPECT_EQ(text("/latest/dynamic/instance-identity/pkcs7"), "[404]");
  EXPECT_EQ(text("/latest/dynamic/instance-identity/document"), R"({
  "accountId" : "123456789012",
  "architecture" : "x86_64",
  "availabilityZone" : "us-east-1a",
  "billingProducts" : null,
  "devpayProductCodes" : null,
  "marketplaceProductCodes" : null,
  "imageId" : "ami-2bb65342",
  "instanceId" : "i-full",
  "instanceType" : "t3.micro",
  "kernelId" : null,
  "pendingTime" : "2011-12-05T13:00:00Z",
  "privateIp" : "172.31.16.5",
  "ramdiskId" : null,
  "region" : "us-east-1",
  "version" : "2017-09-30"
})");
}

TEST_F(MetadataServiceTest, ProductCodesAreThoseOfTheLaunch) {
  EXPECT_EQ(item("product-codes"), "[404]");
  auto instance = *store_->world()->find<state::Instance>(account, "i-full");
  instance.product_codes = {"774F4FF8"};
  put(instance);
  EXPECT_EQ(item("product-codes"), "774F4FF8");
  EXPECT_EQ(text("/2007-01-19/meta-data/product-codes"), "[404]");
  EXPECT_THAT(text("/latest/dynamic/instance-identity/document"), HasSubstr("\"devpayProductCodes\" : [ \"774F4FF8\" ],\n"));
}

TEST_F(MetadataServiceTest, TagsAreThereOnlyWhenAskedFor) {
  put(state::TagSet{
      account, "i-full", "instance", {{"Name", "web 1"}, {"a b", "1"}, {"a/b", "2"}, {"..", "3"}, {"empty", ""}, {"k@x", "4"}}});
  EXPECT_EQ(item("tags/instance/"), "[404]");
  change<state::Instance>("i-full", [](state::Instance& i) { i.metadata_tags = true; });
  EXPECT_EQ(item("tags/"), "instance/");
  EXPECT_EQ(item("tags/instance/"), "Name\nempty\nk@x");
  EXPECT_EQ(item("tags/instance/Name"), "web 1");
  EXPECT_EQ(item("tags/instance/empty"), "");
  EXPECT_EQ(item("tags/instance/k%40x"), "4");
  EXPECT_EQ(item("tags/instance/a%2Fb"), "[404]");
  EXPECT_EQ(item("tags/instance/%2E%2E"), "[404]");
}

TEST_F(MetadataServiceTest, ValuesFollowTheWorldAtOnce) {
  change<state::NetworkInterface>("eni-i-full", [](state::NetworkInterface& n) {
    n.public_ip = "198.18.0.7";
    n.group_ids = {"sg-2"};
  });
  EXPECT_EQ(item("public-ipv4"), "198.18.0.7");
  EXPECT_EQ(item("security-groups"), "web servers");
}

TEST_F(MetadataServiceTest, OnlyTheCallersOwnDataIsShown) {
  EXPECT_EQ(text("/latest/meta-data/instance-id", "172.31.16.6"), "i-bare");
  EXPECT_EQ(text("/latest/meta-data/instance-id", "::ffff:172.31.16.6"), "i-bare");
  for (const std::string from : {"172.31.16.7", "172.31.16.50", "", "x/y"}) EXPECT_EQ(text("/latest/meta-data/instance-id", from), "[404]");
  EXPECT_EQ(ask("GET", "/latest/meta-data/instance-id", {}, "172.31.16.5", "vpc-0b").status, 404);
  EXPECT_EQ(ask("GET", "/latest/meta-data/instance-id", {{"x-forwarded-for", "172.31.16.6"}, {"host", "172.31.16.6"}}).body, "i-full");
  change<state::NetworkInterface>("eni-i-full", [](state::NetworkInterface& n) { n.instance_id.clear(); });
  EXPECT_EQ(text("/latest/meta-data/instance-id"), "[404]");
}

TEST_F(MetadataServiceTest, TokensOpenASession) {
  const auto made = ask("PUT", "/latest/api/token", {{"x-aws-ec2-metadata-token-ttl-seconds", "21600"}});
  EXPECT_EQ(made.status, 200);
  EXPECT_EQ(made.content_type, "text/plain");
  EXPECT_EQ(header(made, "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"), "21600");

  change<state::Instance>("i-full", [](state::Instance& i) { i.metadata_tokens_required = true; });
  EXPECT_EQ(item("instance-id"), "[401]");
  EXPECT_EQ(text("/"), "[401]");
  clock_.time += seconds(21599);
  const auto answered = get("/latest/meta-data/instance-id", {{"x-aws-ec2-metadata-token", made.body}});
  EXPECT_EQ(answered.status, 200);
  EXPECT_EQ(answered.body, "i-full");
  EXPECT_EQ(header(answered, "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"), "1");
  EXPECT_EQ(get("/latest/meta-data/none", {{"x-aws-ec2-metadata-token", made.body}}).status, 404);
  clock_.time += seconds(1);
  EXPECT_EQ(get("/latest/meta-data/instance-id", {{"x-aws-ec2-metadata-token", made.body}}).status, 401);
}

TEST_F(MetadataServiceTest, BadTokensAreRefusedEvenWhereNoneIsNeeded) {
  const auto mine = token();
  EXPECT_EQ(get("/latest/meta-data/", {{"x-aws-ec2-metadata-token", mine}}).status, 200);
  EXPECT_EQ(get("/latest/meta-data/", {{"x-aws-ec2-metadata-token", "x"}}).status, 401);
  EXPECT_EQ(get("/latest/meta-data/", {{"x-aws-ec2-metadata-token", ""}}).status, 200);
  EXPECT_EQ(ask("GET", "/latest/meta-data/", {{"x-aws-ec2-metadata-token", mine}}, "172.31.16.6").status, 401);
}

TEST_F(MetadataServiceTest, TokenRequestsAreChecked) {
  for (const std::string life : {"", "0", "-1", "21601", "6h", "1.5", "99999999999999999999"})
    EXPECT_EQ(ask("PUT", "/latest/api/token", {{"x-aws-ec2-metadata-token-ttl-seconds", life}}).status, 400) << life;
  EXPECT_EQ(ask("PUT", "/latest/api/token").status, 400);
  EXPECT_EQ(ask("PUT", "/latest/api/token", {{"x-aws-ec2-metadata-token-ttl-seconds", "1"}, {"x-forwarded-for", ""}}).status, 403);
  for (const std::string method : {"GET", "HEAD", "POST", "DELETE", "BREW"}) {
    const auto response = ask(method, "/latest/api/token");
    EXPECT_EQ(response.status, 405) << method;
    EXPECT_EQ(header(response, "Allow"), "OPTIONS, PUT");
  }
  EXPECT_EQ(ask("PUT", "/2021-07-15/api/token", {{"x-aws-ec2-metadata-token-ttl-seconds", "1"}}).status, 405);
}

TEST_F(MetadataServiceTest, MethodsOtherThanReadingAreRefused) {
  const auto head = ask("HEAD", "/latest/meta-data/instance-id");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "i-full");  // for its length; the server sends none of it
  for (const std::string method : {"POST", "PUT", "DELETE", "PATCH", "get", ""}) {
    const auto response = ask(method, "/latest/meta-data/instance-id");
    EXPECT_EQ(response.status, 405) << method;
    EXPECT_EQ(header(response, "Allow"), "GET, HEAD, OPTIONS");
  }
  const auto options = ask("OPTIONS", "/latest/meta-data/");
  EXPECT_EQ(options.status, 200);
  EXPECT_EQ(header(options, "Allow"), "GET, HEAD, OPTIONS");
}

TEST_F(MetadataServiceTest, DisabledEndpointRefusesAll) {
  change<state::Instance>("i-full", [](state::Instance& i) { i.metadata_enabled = false; });
  EXPECT_EQ(text("/"), "[403]");
  EXPECT_EQ(item("instance-id"), "[403]");
  EXPECT_EQ(ask("PUT", "/latest/api/token", {{"x-aws-ec2-metadata-token-ttl-seconds", "1"}}).status, 403);
}

TEST_F(MetadataServiceTest, OddPathsAreAnsweredCleanly) {
  EXPECT_EQ(text("//latest///meta-data//instance-id"), "i-full");
  EXPECT_EQ(text("/latest/meta-data/instance-id/"), "i-full");
  EXPECT_EQ(text("/latest/meta-data/instance-id?x=y"), "i-full");
  EXPECT_EQ(text("http://169.254.169.254/latest/meta-data/instance-id"), "i-full");
  EXPECT_EQ(text("/latest/meta-data/instance%2did"), "i-full");
  for (const std::string path :
       {"/latest/meta-data/../user-data", "/latest/./meta-data", "/latest/meta-data/instance-id/x", "/latest/meta-data%2f",
        "/latest/meta-data/%00", "/Latest/", "/latest/META-DATA/", "/latest/meta-data/{mac}", "/latest/api/",
        "/latest/meta-data/network/interfaces/macs/{mac}/mac", "/favicon.ico", "/2007", "/1.0/x"})
    EXPECT_EQ(text(path), "[404]") << path;
  for (const std::string path : {"/latest/%", "/latest/%2", "/latest/%zz", "", "latest", "*"}) EXPECT_EQ(text(path), "[400]") << path;
  EXPECT_EQ(text("/" + std::string(5000, 'a')), "[414]");
  std::string deep;
  for (int i = 0; i < 2000; ++i) deep += "/a";
  EXPECT_EQ(text(deep), "[404]");
}

TEST_F(MetadataServiceTest, RefusalsAreEc2sSmallPage) {
  const auto response = get("/latest/meta-data/none");
  EXPECT_EQ(response.content_type, "text/html");
  EXPECT_EQ(header(response, "Server"), "EC2ws");
  EXPECT_THAT(response.body, HasSubstr("<title>404 - Not Found</title>"));
  EXPECT_THAT(MetadataService::page(401).body, HasSubstr("<h1>401 - Unauthorized</h1>"));
}

TEST_F(MetadataServiceTest, ShortTokenKeysAreRefused) {
  auto short_key = configuration();
  short_key.token_key.pop_back();
  EXPECT_THROW(MetadataService(*store_, short_key, clock_), std::invalid_argument);
}

TEST(MetadataItems, EveryRowNamesAKnownVersionAndIsUnique) {
  const auto versions = metadata_versions();
  EXPECT_TRUE(std::is_sorted(versions.begin(), versions.end()));
  std::set<std::string_view> paths;
  for (const auto& item : metadata_items()) {
    EXPECT_NE(std::find(versions.begin(), versions.end(), item.since), versions.end()) << item.path;
    EXPECT_TRUE(paths.insert(item.path).second) << item.path;
  }
}

}  // namespace
}  // namespace brume::guest
