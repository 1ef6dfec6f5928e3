// Answers: escaping, envelopes, versions, and the schema behind them.
#include <gtest/gtest.h>

#include <string>

#include "wire/ec2/images.hpp"
#include "wire/ec2/instances.hpp"
#include "wire/ec2/key_pairs.hpp"
#include "wire/schema.hpp"
#include "wire/xml_writer.hpp"

namespace brume::wire {
namespace {

std::string escaped(std::string_view text) {
  XmlWriter xml(XmlWriter::newest_version, 1);
  xml.text(text);
  return xml.take();
}

template <class Answer>
std::string members(const Answer& answer, int version = XmlWriter::newest_version) {
  XmlWriter xml(version);
  write(xml, answer);
  return xml.take();
}

TEST(XmlWriter, EscapesWhatXmlCannotHold) {
  EXPECT_EQ(escaped("plain"), "plain");
  EXPECT_EQ(escaped("a<b>&\"c'"), "a&lt;b&gt;&amp;&quot;c&apos;");
  EXPECT_EQ(escaped("tab\tline\n"), "tab\tline\n");
  EXPECT_EQ(escaped("\r\n"), "&#xD;\n");
  EXPECT_EQ(escaped("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_EQ(escaped(std::string_view("\0\x1B", 2)), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(escaped("\xC3"), "\xEF\xBF\xBD");
  EXPECT_EQ(escaped("\xC0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD");                  // overlong
  EXPECT_EQ(escaped("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // surrogate
  EXPECT_EQ(escaped("\xEF\xBF\xBF"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // not a character
}

TEST(XmlWriter, WritesScalars) {
  XmlWriter xml(XmlWriter::newest_version, 1);
  xml.element("s", "a&b");
  xml.element("i", std::int64_t{-5});
  xml.element("b", true);
  xml.element("d", 0.5);
  xml.element("t", Time(milliseconds(1398796238042)));
  xml.element("u", Time(milliseconds(1398796238000)), TimeFormat::unix_seconds);
  xml.element_blob("x", "value");
  xml.open("e", "xmlns:p", "a\"b\n");
  xml.close("e");
  EXPECT_EQ(xml.take(),
            "<s>a&amp;b</s><i>-5</i><b>true</b><d>0.5</d><t>2014-04-29T18:30:38.042Z</t><u>1398796238</u><x>dmFsdWU=</x>"
            "<e xmlns:p=\"a&quot;b&#xA;\"></e>");
  EXPECT_EQ(xml.take(), "");
}

TEST(XmlWriter, CanBeUsedAgainAfterTake) {
  XmlWriter xml;
  xml.element("a", "1");
  EXPECT_EQ(xml.take(), "<a>1</a>");
  xml.element("b", "2");
  EXPECT_EQ(xml.take(), "<b>2</b>");
}

TEST(WireWrite, LeavesOutWhatCameLater) {
  ec2::CreateKeyPairResponse key;
  key.key_name = "k";
  key.key_fingerprint = "f";
  key.key_material = "m";
  key.key_pair_id = "key-1";
  EXPECT_EQ(members(key, 20111201), "<keyName>k</keyName><keyFingerprint>f</keyFingerprint><keyMaterial>m</keyMaterial>");
  EXPECT_EQ(
      members(key, 20161115),
      "<keyName>k</keyName><keyFingerprint>f</keyFingerprint><keyMaterial>m</keyMaterial><keyPairId>key-1</keyPairId><tagSet></tagSet>");
  EXPECT_EQ(members(ec2::DeleteKeyPairResponse{}, 20111201), "<return>true</return>");
}

TEST(WireWrite, InstanceOf2011HasTheGuidesElements) {
  ec2::Instance instance;
  instance.instance_id = "i-1";
  instance.placement.emplace().availability_zone = "us-east-1a";
  instance.network_interfaces.emplace_back();
  instance.ebs_optimized = false;
  instance.ena_support = true;
  EXPECT_EQ(members(instance, 20111201),
            "<instanceId>i-1</instanceId><privateDnsName></privateDnsName><dnsName></dnsName><reason></reason><productCodes></productCodes>"
            "<placement><availabilityZone>us-east-1a</availabilityZone><groupName></groupName></placement><groupSet></groupSet>"
            "<blockDeviceMapping></blockDeviceMapping><clientToken></clientToken>");
  const std::string today = members(instance, 20161115);
  EXPECT_NE(today.find("<networkInterfaceSet>"), std::string::npos);
  EXPECT_NE(today.find("<ebsOptimized>false</ebsOptimized>"), std::string::npos);
  EXPECT_NE(today.find("<enaSupport>true</enaSupport>"), std::string::npos);
  EXPECT_EQ(today.find("licenseSet"), std::string::npos);
}

TEST(Schema, KnowsWhatIsThereAndWhatIsBuilt) {
  const schema::Service* ec2 = schema::find_service("ec2");
  ASSERT_NE(ec2, nullptr);
  EXPECT_EQ(ec2->version, 20161115);
  const schema::Operation* run = schema::find_operation(*ec2, "RunInstances");
  ASSERT_NE(run, nullptr);
  EXPECT_TRUE(run->built());
  EXPECT_EQ(run->family, "instances");
  EXPECT_EQ(run->token, "ClientToken");
  EXPECT_EQ(run->since, 0);
  const schema::Operation* fleet = schema::find_operation(*ec2, "CreateFleet");
  ASSERT_NE(fleet, nullptr);
  EXPECT_FALSE(fleet->built());
  EXPECT_EQ(fleet->since, 20161115);
  EXPECT_EQ(schema::find_operation(*ec2, "DescribeAccountAttributes")->since, 20130201);
  EXPECT_EQ(schema::find_operation(*ec2, "RunInstance"), nullptr);
  EXPECT_EQ(schema::find_operation(*ec2, "runinstances"), nullptr);
  EXPECT_EQ(schema::find_service("ec3"), nullptr);
  EXPECT_EQ(schema::services().size(), 12U);
}

TEST(Schema, EveryReferenceHolds) {
  for (const schema::Service* service : schema::services()) {
    for (const auto& operation : service->operations) {
      EXPECT_EQ(schema::find_operation(*service, operation.name), &operation);
      for (const auto side : {operation.input, operation.output}) {
        if (side != schema::no_shape) {
          ASSERT_LT(side, service->shapes.size());
        }
      }
    }
    for (const auto& shape : service->shapes) {
      ASSERT_LE(shape.first_member + shape.member_count, service->members.size());
      const bool holds = shape.kind == schema::Kind::list || shape.kind == schema::Kind::map;
      EXPECT_EQ(holds, service->shape(shape.element) != nullptr);
      for (const auto& member : service->members_of(shape)) ASSERT_LT(member.shape, service->shapes.size());
    }
  }
}

TEST(Schema, VersionNumbers) {
  EXPECT_EQ(schema::version_number("2011-12-01"), 20111201);
  for (const char* bad : {"", "2011-12-1", "2011/12/01", "latest", "2011-12-0x", "2011-12-01 "})
    EXPECT_EQ(schema::version_number(bad), 0) << bad;
}

}  // namespace
}  // namespace brume::wire
