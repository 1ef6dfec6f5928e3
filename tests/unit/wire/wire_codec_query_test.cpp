// Query parameters: parsing, the tree, typed reading, and what bad input gets.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "wire/api_error.hpp"
#include "wire/ec2/images.hpp"
#include "wire/ec2/instances.hpp"
#include "wire/ec2/key_pairs.hpp"
#include "wire/ec2/security_groups.hpp"
#include "wire/query_tree.hpp"

namespace brume::wire {
namespace {

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const ApiError& error) {
    return error.code + ": " + error.message;
  }
  return "no error";
}

std::string parse_error(std::string_view text, QueryLimits limits = {}) {
  return error_of([&] { QueryTree(text, {}, limits).root(); });
}

template <class Request>
Request read_all(std::string_view text) {
  const QueryTree tree(text);
  Request request;
  read(tree.root(), request);
  tree.require_all_read();
  return request;
}

std::vector<std::string> items_of(const QueryTree& tree, std::string_view list) {
  std::vector<std::string> out;
  for (QueryItems items(tree.root().child(list)); items.next();) read_value(items.node(), out.emplace_back());
  return out;
}

TEST(QueryTree, DecodesAndKeepsTheOrderSent) {
  const QueryTree tree("Version=2011-12-01&B=%41+%2b&A", "C=%C3%A9&&D=a=b");
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"Version", "2011-12-01"}, {"B", "A +"}, {"A", ""}, {"C", "\xC3\xA9"}, {"D", "a=b"}};
  EXPECT_EQ(tree.pairs(), expected);
  EXPECT_EQ(tree.find("Version"), "2011-12-01");
  EXPECT_EQ(tree.find("Action"), "");
  EXPECT_EQ(QueryTree("").pairs().size(), 0U);
  EXPECT_FALSE(QueryTree("").root());
}

TEST(QueryTree, RefusesWhatIsMalformed) {
  for (const char* text : {"A=%", "A=%4", "A=%4g", "A=%g4", "%zz=1", "A=1&B=%"}) {
    EXPECT_EQ(parse_error(text), "MalformedQueryString: The query string contains a malformed percent escape") << text;
  }
  EXPECT_EQ(parse_error("A=%41"), "no error");
  EXPECT_EQ(parse_error("=1").substr(0, 20), "MalformedQueryString");
  EXPECT_EQ(parse_error("A=1&A=1"), "no error");
  EXPECT_EQ(parse_error("A=1&A=2"), "MalformedQueryString: The parameter A is given more than once, with different values");
}

TEST(QueryTree, HoldsItsLimits) {
  std::string many;
  for (int i = 0; i < 20; ++i) many += "P" + std::to_string(i) + "=1&";
  EXPECT_EQ(parse_error(many, {.parameters = 20}), "no error");
  EXPECT_EQ(parse_error(many, {.parameters = 19}), "MalformedQueryString: The query string contains more than 19 parameters");
  EXPECT_EQ(parse_error(std::string(256, 'a')), "no error");
  EXPECT_EQ(parse_error(std::string(257, 'a')).substr(0, 20), "MalformedQueryString");
  EXPECT_EQ(parse_error("a.b.c.d.e.f.g.h.i.j.k.l"), "no error");
  EXPECT_EQ(parse_error("a.b.c.d.e.f.g.h.i.j.k.l.m").substr(0, 20), "MalformedQueryString");
}

TEST(QueryTree, ListsComeInNumericOrderWithGaps) {
  EXPECT_EQ(items_of(QueryTree("L.10=k&L.2=b&L.1=a&L.30=z"), "L"), (std::vector<std::string>{"a", "b", "k", "z"}));
  EXPECT_EQ(items_of(QueryTree("L.1=b&L.0=a"), "L"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(items_of(QueryTree("L.99999999999999999999999=b&L.7=a"), "L"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(items_of(QueryTree("L=only"), "L"), (std::vector<std::string>{"only"}));
  EXPECT_EQ(items_of(QueryTree("L="), "L"), std::vector<std::string>());
  EXPECT_EQ(items_of(QueryTree("L.x=1&Lx.1=2&K.1=3"), "L"), std::vector<std::string>());
}

TEST(QueryTree, NamesThatStartAlikeStayApart) {
  const QueryTree tree("Ebs.Size=1&EbsOptimized=true&Ebs=x&Ebs-a.Size=2&Ebs.Size.Deep=3");
  const QueryNode ebs = tree.root().child("Ebs");
  EXPECT_EQ(ebs.value(), "x");
  EXPECT_EQ(ebs.child("Size").value(), "1");
  EXPECT_EQ(ebs.child("Size").child("Deep").value(), "3");
  EXPECT_EQ(tree.root().child("Ebs-a").child("Size").value(), "2");
  EXPECT_FALSE(tree.root().child("Eb"));
  EXPECT_EQ(ebs.child("Size").child("Deep").path(), "Ebs.Size.Deep");
}

TEST(QueryTree, UnreadParametersAreUnknownButForTheCommonOnes) {
  const QueryTree common(
      "Action=A&Version=V&AWSAccessKeyId=K&Signature=S&SignatureMethod=M&SignatureVersion=2&Timestamp=T&Expires=E&SecurityToken=X"
      "&X-Amz-Date=D&x-amz-signature=Q");
  EXPECT_NO_THROW(common.require_all_read());
  const QueryTree tree("Z.Second=1&A.First=2&Known=3");
  std::optional<std::string> known;
  EXPECT_TRUE(read_member(tree.root(), "Known", known));
  EXPECT_EQ(error_of([&] { tree.require_all_read(); }), "UnknownParameter: The parameter Z.Second is not recognized");
}

TEST(QueryTree, TenThousandParametersAreNotQuadratic) {
  std::string text;
  for (int i = 10'000; i > 0; --i) text += "InstanceId." + std::to_string(i) + "=i-" + std::to_string(i) + "&";
  const auto start = std::chrono::steady_clock::now();
  const auto request = read_all<ec2::DescribeInstancesRequest>(text);
  const auto taken = std::chrono::steady_clock::now() - start;
  ASSERT_EQ(request.instance_ids.size(), 10'000U);
  EXPECT_EQ(request.instance_ids.front(), "i-1");
  EXPECT_EQ(request.instance_ids.back(), "i-10000");
  EXPECT_LT(taken, std::chrono::seconds(2));  // some 10 ms; quadratic would be minutes under a sanitizer
}

// What anybody may send, unsigned: names of as many parts as there may be. The parts of a name are looked at once, not in each comparison.
TEST(QueryTree, NestedNamesAreSortedAsTheirPartsAre) {
  const std::vector<std::string> sorted = {
      "0", "00", "1",   "1.0",   "1.1.2", "1.1.10", "1.a", "01",   "2",  "10",   "99999999999999999999",
      "",  "A",  "A.1", "A.2.B", "A.10",  "A.10.C", "A.B", "A-.1", "AB", "AB.1", "B"};
  // In another order than theirs, each with its place as value.
  std::vector<std::pair<std::string, std::string>> pairs;
  for (size_t i = 0; i < sorted.size(); ++i) {
    const size_t at = i * 7 % sorted.size();
    pairs.emplace_back("L." + sorted[at], std::to_string(at));
  }
  const QueryTree tree(pairs);
  std::vector<std::string> items;
  for (QueryItems list(tree.root().child("L")); list.next();) items.push_back(list.node().path());
  EXPECT_EQ(items, (std::vector<std::string>{"L.0", "L.00", "L.1", "L.01", "L.2", "L.10", "L.99999999999999999999"}));
  for (size_t i = 0; i < sorted.size(); ++i) {
    auto node = tree.root().child("L");
    for (const auto part : split(sorted[i], '.')) node = node.child(part);
    EXPECT_EQ(node.value(), std::to_string(i)) << sorted[i];
  }
}

TEST(QueryRead, RunInstancesOf2011) {
  const auto request = read_all<ec2::RunInstancesRequest>(
      "Action=RunInstances&Version=2011-12-01&ImageId=ami-60a54009&MaxCount=3&MinCount=1&Placement.AvailabilityZone=us-east-1b"
      "&Monitoring.Enabled=true&SecurityGroup.1=websrv&SecurityGroup.2=default&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fsda1"
      "&BlockDeviceMapping.1.Ebs.DeleteOnTermination=false&BlockDeviceMapping.1.Ebs.VolumeSize=80&ClientToken=t");
  EXPECT_EQ(request.image_id, "ami-60a54009");
  EXPECT_EQ(request.max_count, 3);
  EXPECT_EQ(request.min_count, 1);
  ASSERT_TRUE(request.placement);
  EXPECT_EQ(request.placement->availability_zone, "us-east-1b");
  EXPECT_EQ(request.monitoring->enabled, true);
  EXPECT_EQ(request.security_groups, (std::vector<std::string>{"websrv", "default"}));
  ASSERT_EQ(request.block_device_mappings.size(), 1U);
  EXPECT_EQ(request.block_device_mappings[0].ebs->volume_size, 80);
  EXPECT_EQ(request.block_device_mappings[0].ebs->delete_on_termination, false);
  EXPECT_FALSE(request.key_name);
  EXPECT_EQ(request.client_token, "t");
}

TEST(QueryRead, RulesAndAliases) {
  const auto request = read_all<ec2::AuthorizeSecurityGroupIngressRequest>(
      "GroupName=default&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=-1&IpPermissions.1.ToPort=22"
      "&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0%2F0&IpPermissions.1.Groups.1.GroupName=other&IpPermissions.1.Groups.1.UserId=1");
  ASSERT_EQ(request.ip_permissions.size(), 1U);
  EXPECT_EQ(request.ip_permissions[0].from_port, -1);
  EXPECT_EQ(request.ip_permissions[0].ip_ranges.at(0).cidr_ip, "0.0.0.0/0");
  EXPECT_EQ(request.ip_permissions[0].user_id_group_pairs.at(0).group_name, "other");
  EXPECT_EQ(read_all<ec2::DescribeImagesRequest>("User.1=amazon&Owner.1=self").owners, (std::vector<std::string>{"self", "amazon"}));
}

TEST(QueryRead, BlobsAndMissingParameters) {
  const auto request = read_all<ec2::ImportKeyPairRequest>("KeyName=k&PublicKeyMaterial=c3NoLXJzYQ%3D%3D");
  EXPECT_EQ(request.public_key_material, "ssh-rsa");
  EXPECT_EQ(error_of([] { read_all<ec2::ImportKeyPairRequest>("KeyName=k"); }),
            "MissingParameter: The request must contain the parameter PublicKeyMaterial");
  // The action says what EC2 says of it.
  EXPECT_EQ(error_of([] { read_all<ec2::TerminateInstancesRequest>(""); }), "no error");
  EXPECT_EQ(error_of([] { read_all<ec2::RunInstancesRequest>("MinCount=1&MaxCount=1&Monitoring.X=1"); }),
            "MissingParameter: The request must contain the parameter Monitoring.Enabled");
  EXPECT_EQ(error_of([] { read_all<ec2::ImportKeyPairRequest>("KeyName=k&PublicKeyMaterial=%21%21"); }),
            "InvalidParameterValue: Value (!!) for parameter PublicKeyMaterial is invalid. Expected base64-encoded content.");
}

TEST(QueryRead, BadScalarsSayWhere) {
  const auto run = [](const std::string& more) {
    return error_of([&] { read_all<ec2::RunInstancesRequest>("MinCount=1&MaxCount=1&" + more); });
  };
  EXPECT_EQ(run("BlockDeviceMapping.2.Ebs.VolumeSize=8G"),
            "InvalidParameterValue: Value (8G) for parameter BlockDeviceMapping.2.Ebs.VolumeSize is invalid. Expected an integer.");
  EXPECT_EQ(run("EbsOptimized=maybe"),
            "InvalidParameterValue: Value (maybe) for parameter EbsOptimized is invalid. Expected true or false.");
  EXPECT_EQ(run("EbsOptimized=TRUE"), "no error");
  EXPECT_EQ(run("EbsOptimized=0"), "no error");
  EXPECT_EQ(run("Ipv6AddressCount=99999999999").substr(0, 21), "InvalidParameterValue");
  EXPECT_EQ(run("Ipv6AddressCount=").substr(0, 21), "InvalidParameterValue");
  EXPECT_EQ(run("ImageId.1=x"), "UnknownParameter: The parameter ImageId.1 is not recognized");
}

TEST(QueryRead, TimesAndNumbers) {
  const auto time_of = [](std::string_view text, TimeFormat format) {
    const QueryTree tree(text);
    Time time{};
    return error_of([&] { read_value(tree.root().child("T"), time, format); }) == "no error" ? time.time_since_epoch().count() : -1;
  };
  EXPECT_EQ(time_of("T=2014-04-29T18%3A30%3A38Z", TimeFormat::iso8601), 1398796238000);
  EXPECT_EQ(time_of("T=1398796238.5", TimeFormat::unix_seconds), 1398796238500);
  EXPECT_EQ(time_of("T=Tue, 29 Apr 2014 18:30:38 GMT", TimeFormat::http_date), 1398796238000);
  for (const char* bad : {"T=", "T=yesterday", "T=2014-13-29T18:30:38Z", "T=1e300", "T=NaN", "T=Tue, 29 Foo 2014 18:30:38 GMT"}) {
    for (const auto format : {TimeFormat::iso8601, TimeFormat::unix_seconds, TimeFormat::http_date}) {
      EXPECT_EQ(time_of(bad, format), -1) << bad;
    }
  }
  double number = 0;
  const QueryTree tree("A=10.8&B=-Infinity&C=1e400&D=0x10");
  EXPECT_TRUE(read_value(tree.root().child("A"), number));
  EXPECT_EQ(number, 10.8);
  EXPECT_TRUE(read_value(tree.root().child("B"), number));
  EXPECT_LT(number, -1e308);
  EXPECT_NE(error_of([&] { read_value(tree.root().child("C"), number); }), "no error");
  EXPECT_NE(error_of([&] { read_value(tree.root().child("D"), number); }), "no error");
}

}  // namespace
}  // namespace brume::wire
