#include "ec2/common/tags.hpp"

#include <fmt/format.h>

#include "ec2_actions.hpp"

namespace brume::ec2 {
namespace {

class Tags : public ActionsTest {
 protected:
  Tags() {
    add(tag_actions());
    put<state::Volume>(volume);
    put<state::Instance>(instance);
  }
  static constexpr const char* volume = "vol-00000001";
  static constexpr const char* instance = "i-00000001";

  std::string tag(const std::string& rest) { return code("CreateTags", "ResourceId.1=" + std::string(volume) + "&" + rest); }
  std::string untag(const std::string& rest) { return code("DeleteTags", "ResourceId.1=" + std::string(volume) + "&" + rest); }
  // "key=value" of all tags that the filters let through
  std::vector<std::string> listed(const std::string& parameters = {}) {
    const auto answer = call("DescribeTags", parameters);
    const auto keys = all(answer, "key");
    const auto values = all(answer, "value");
    std::vector<std::string> out;
    for (size_t i = 0; i < keys.size(); ++i) out.push_back(keys[i] + "=" + values.at(i));
    return out;
  }
  using List = std::vector<std::string>;
};

TEST_F(Tags, ManyOnManyInOneRequest) {
  EXPECT_EQ(code("CreateTags",
                 fmt::format("ResourceId.1={}&ResourceId.2={}&Tag.1.Key=stack&Tag.1.Value=Production&Tag.2.Key=web&Tag.2.Value=", volume,
                             instance)),
            "");
  const auto answer = call("DescribeTags");
  EXPECT_EQ(all(answer, "resourceId"), (List{instance, instance, volume, volume}));
  EXPECT_EQ(all(answer, "resourceType"), (List{"instance", "instance", "volume", "volume"}));
  EXPECT_EQ(listed(), (List{"stack=Production", "web=", "stack=Production", "web="}));
}

TEST_F(Tags, TheSameKeyAgainChangesTheValueAndCaseCounts) {
  EXPECT_EQ(tag("Tag.1.Key=Owner&Tag.1.Value=a"), "");
  EXPECT_EQ(tag("Tag.1.Key=Owner&Tag.1.Value=b&Tag.2.Key=owner&Tag.2.Value=c"), "");
  EXPECT_EQ(listed(), (List{"Owner=b", "owner=c"}));
}

TEST_F(Tags, WhatATagMayBe) {
  EXPECT_EQ(tag("Tag.1.Key=&Tag.1.Value=x"), "InvalidParameterValue");
  EXPECT_EQ(tag("Tag.1.Value=x"), "InvalidParameterValue");
  EXPECT_EQ(tag("Tag.1.Key=x"), "InvalidParameterValue");
  EXPECT_EQ(message_, "Tag value cannot be null. Use empty string instead.");
  EXPECT_EQ(tag("Tag.1.Key=aws:x&Tag.1.Value=x"), "InvalidParameterValue");
  EXPECT_EQ(tag("Tag.1.Key=AWS:x&Tag.1.Value=x"), "InvalidParameterValue");
  EXPECT_EQ(tag("Tag.1.Key=awsome&Tag.1.Value=aws:x"), "");
  EXPECT_EQ(tag("Tag.1.Key=a&Tag.1.Value=x&Tag.2.Key=a&Tag.2.Value=y"), "InvalidParameterValue");
  std::string key;
  std::string value;
  for (int i = 0; i < 128; ++i) key += "%C3%A9";
  for (int i = 0; i < 256; ++i) value += "%E6%97%A5";
  EXPECT_EQ(tag("Tag.1.Key=" + key + "&Tag.1.Value=" + value), "");
  EXPECT_EQ(tag("Tag.1.Key=" + key + "x&Tag.1.Value=" + value), "InvalidParameterValue");
  EXPECT_EQ(tag("Tag.1.Key=k&Tag.1.Value=" + value + "x"), "InvalidParameterValue");
  version_ = 20111201;
  EXPECT_EQ(tag("Tag.1.Key=k&Tag.1.Value=aws:x"), "InvalidParameterValue");
}

TEST_F(Tags, FiftyAndNotOneMore) {
  std::string many;
  for (int i = 1; i <= 50; ++i) many += fmt::format("&Tag.{0}.Key=k{0}&Tag.{0}.Value=v", i);
  EXPECT_EQ(tag(many.substr(1)), "");
  EXPECT_EQ(tag("Tag.1.Key=another&Tag.1.Value=v"), "TagLimitExceeded");
  EXPECT_EQ(tag("Tag.1.Key=k7&Tag.1.Value=changed"), "");
  EXPECT_EQ(listed().size(), 50u);
}

TEST_F(Tags, TenInTheGuidesApi) {
  version_ = 20111201;
  std::string many;
  for (int i = 1; i <= 10; ++i) many += fmt::format("&Tag.{0}.Key=k{0}&Tag.{0}.Value=v", i);
  EXPECT_EQ(tag(many.substr(1)), "");
  EXPECT_EQ(tag("Tag.1.Key=another&Tag.1.Value=v"), "TagLimitExceeded");
  EXPECT_EQ(tag("Tag.1.Key=k7&Tag.1.Value=changed"), "");
  version_ = 20161115;
  EXPECT_EQ(tag("Tag.1.Key=another&Tag.1.Value=v"), "");
}

TEST_F(Tags, AllOrNothing) {
  EXPECT_EQ(code("CreateTags", fmt::format("ResourceId.1={}&ResourceId.2=i-00000009&Tag.1.Key=a&Tag.1.Value=b", volume)),
            "InvalidInstanceID.NotFound");
  EXPECT_EQ(listed(), List{});
}

TEST_F(Tags, ResourcesThatAreNotThere) {
  const auto missing = [&](const std::string& id) { return code("CreateTags", "ResourceId.1=" + id + "&Tag.1.Key=a&Tag.1.Value=b"); };
  EXPECT_EQ(missing("i-0000000a"), "InvalidInstanceID.NotFound");
  EXPECT_EQ(missing("vol-0000000a"), "InvalidVolume.NotFound");
  EXPECT_EQ(missing("snap-0000000a"), "InvalidSnapshot.NotFound");
  EXPECT_EQ(missing("ami-0000000a"), "InvalidAMIID.NotFound");
  EXPECT_EQ(missing("sg-0000000a"), "InvalidGroup.NotFound");
  EXPECT_EQ(missing("sgr-0000000a"), "InvalidSecurityGroupRuleId.NotFound");
  EXPECT_EQ(missing("key-0000000a"), "InvalidKeyPair.NotFound");
  EXPECT_EQ(missing("vpc-0000000a"), "InvalidVpcID.NotFound");
  EXPECT_EQ(missing("subnet-0000000a"), "InvalidSubnetID.NotFound");
  EXPECT_EQ(missing("eni-0000000a"), "InvalidNetworkInterfaceID.NotFound");
  EXPECT_EQ(missing("i-x"), "InvalidID");
  EXPECT_EQ(message_, "The ID 'i-x' is not valid");
  EXPECT_EQ(missing("igw-0000000a"), "InvalidInternetGatewayID.NotFound");
  EXPECT_EQ(missing("rtb-0000000a"), "InvalidRouteTableID.NotFound");
  EXPECT_EQ(missing("acl-0000000a"), "InvalidNetworkAclID.NotFound");
  EXPECT_EQ(missing("dopt-0000000a"), "InvalidDhcpOptionID.NotFound");
  EXPECT_EQ(missing("eipalloc-0000000a"), "InvalidAllocationID.NotFound");
  EXPECT_EQ(missing("pcx-0000000a"), "InvalidVpcPeeringConnectionID.NotFound");
  EXPECT_EQ(missing("i"), "InvalidID");
  EXPECT_EQ(missing("nonsense"), "InvalidID");
  EXPECT_EQ(code("CreateTags", "Tag.1.Key=a&Tag.1.Value=b"), "MissingParameter");
  EXPECT_EQ(code("CreateTags", "ResourceId.1=i-00000001"), "MissingParameter");
}

TEST_F(Tags, DeleteTellsNoValueFromAnEmptyOne) {
  tag("Tag.1.Key=a&Tag.1.Value=1&Tag.2.Key=b&Tag.2.Value=2&Tag.3.Key=c&Tag.3.Value=");
  EXPECT_EQ(untag("Tag.1.Key=a&Tag.1.Value=other&Tag.2.Key=b&Tag.2.Value="), "");
  EXPECT_EQ(listed(), (List{"a=1", "b=2", "c="}));
  EXPECT_EQ(untag("Tag.1.Key=a&Tag.1.Value=1&Tag.2.Key=c&Tag.2.Value="), "");
  EXPECT_EQ(listed(), List{"b=2"});
  EXPECT_EQ(untag("Tag.1.Key=b&Tag.2.Key=never-there"), "");
  EXPECT_EQ(listed(), List{});
  tag("Tag.1.Key=a&Tag.1.Value=1&Tag.2.Key=b&Tag.2.Value=2");
  EXPECT_EQ(code("DeleteTags", "ResourceId.1=" + std::string(volume)), "");
  EXPECT_EQ(listed(), List{});
  EXPECT_EQ(untag("Tag.1.Key=aws:x"), "InvalidParameterValue");
}

TEST_F(Tags, Filters) {
  tag("Tag.1.Key=stack&Tag.1.Value=Test&Tag.2.Key=Owner&Tag.2.Value=TeamA&Tag.3.Key=empty&Tag.3.Value=");
  code("CreateTags", "ResourceId.1=i-00000001&Tag.1.Key=stack&Tag.1.Value=Production");
  const auto filter = [](int n, const std::string& name, const std::string& value) {
    return fmt::format("&Filter.{0}.Name={1}&Filter.{0}.Value.1={2}", n, name, value);
  };
  EXPECT_EQ(listed(filter(1, "key", "stack") + "&Filter.1.Value.2=x" + filter(2, "value", "*t*")).size(), 2u);
  EXPECT_EQ(listed(filter(1, "key", "stack") + filter(2, "value", "Test")), List{"stack=Test"});
  EXPECT_EQ(listed(filter(1, "value", "")), List{"empty="});
  EXPECT_EQ(listed(filter(1, "resource-type", "instance")), List{"stack=Production"});
  EXPECT_EQ(listed(filter(1, "resource-id", volume)).size(), 3u);
  EXPECT_EQ(listed(filter(1, "tag:Owner", "Team?")), List{"Owner=TeamA"});
  EXPECT_EQ(listed(filter(1, "tag:O*", "*")), List{});
  EXPECT_EQ(code("DescribeTags", "Filter.1.Name=colour&Filter.1.Value.1=x"), "InvalidParameterValue");
}

TEST_F(Tags, PagesEndInTheMiddleOfAResource) {
  std::string many;
  for (int i = 1; i <= 8; ++i) many += fmt::format("&Tag.{0}.Key=k/{0}&Tag.{0}.Value=v", i);
  tag(many.substr(1));
  code("CreateTags", "ResourceId.1=i-00000001&Tag.1.Key=x&Tag.1.Value=y&Tag.2.Key=z&Tag.2.Value=");
  List seen;
  std::string token;
  for (int pages = 0; pages < 5; ++pages) {
    const auto answer = call("DescribeTags", "MaxResults=5" + (token.empty() ? "" : "&NextToken=" + token));
    for (const auto& key : all(answer, "key")) seen.push_back(key);
    token = first(answer, "nextToken");
    for (size_t at; (at = token.find('+')) != std::string::npos;) token.replace(at, 1, "%2B");
    if (token.empty()) break;
  }
  EXPECT_EQ(seen, (List{"x", "z", "k/1", "k/2", "k/3", "k/4", "k/5", "k/6", "k/7", "k/8"}));
}

TEST_F(Tags, TenantsAreApartEvenOnWhatTheyShare) {
  tag("Tag.1.Key=a&Tag.1.Value=1");
  put<state::Image>("ami-00000001", [](state::Image& image) { image.is_public = true; });
  put<state::Image>("ami-00000002");
  EXPECT_EQ(code("CreateTags", "ResourceId.1=ami-00000001&Tag.1.Key=mine&Tag.1.Value=1"), "");
  as_ = stranger;
  EXPECT_EQ(listed(), List{});
  EXPECT_EQ(tag("Tag.1.Key=a&Tag.1.Value=1"), "InvalidVolume.NotFound");
  EXPECT_EQ(untag("Tag.1.Key=a"), "InvalidVolume.NotFound");
  EXPECT_EQ(code("CreateTags", "ResourceId.1=ami-00000002&Tag.1.Key=a&Tag.1.Value=1"), "InvalidAMIID.NotFound");
  EXPECT_EQ(code("CreateTags", "ResourceId.1=ami-00000001&Tag.1.Key=theirs&Tag.1.Value=1"), "");
  EXPECT_EQ(listed(), List{"theirs=1"});
  as_ = account;
  EXPECT_EQ(listed("Filter.1.Name=resource-type&Filter.1.Value.1=image"), List{"mine=1"});
}

// ----- on creation

TEST_F(Tags, OnCreateOnlyTheOnesOfItsType) {
  const std::vector<wire::ec2::TagSpecification> asked = {{"instance", {{"a", "1"}}}, {"volume", {{"b", "2"}}}, {"instance", {{"c", ""}}}};
  check_tag_types(asked, {"instance", "volume"});
  const auto names = [&](state::Transaction& transaction) {
    tag_on_create(transaction, account, "i-0000000b", "instance", asked);
    std::string out;
    for (const auto& one : tags_of(transaction.world(), account, "i-0000000b")) out += *one.key + "=" + *one.value + " ";
    erase_tags(transaction, account, "i-0000000b");
    EXPECT_TRUE(tags_of(transaction.world(), account, "i-0000000b").empty());
    return out;
  };
  std::string got;
  transact([&](state::Transaction& transaction) { got = names(transaction); });
  EXPECT_EQ(got, "a=1 c= ");
}

TEST_F(Tags, OnCreateOtherTypesAreRefused) {
  const auto code_of = [](const std::vector<wire::ec2::TagSpecification>& asked) -> std::string {
    try {
      check_tag_types(asked, {"instance"});
    } catch (const wire::ApiError& error) {
      return error.code;
    }
    return "";
  };
  EXPECT_EQ(code_of({{"volume", {{"a", "1"}}}}), "InvalidParameterValue");
  EXPECT_EQ(code_of({{std::nullopt, {{"a", "1"}}}}), "InvalidParameterValue");
  EXPECT_EQ(code_of({{"instance", {}}}), "InvalidParameterValue");
  EXPECT_EQ(code_of({{"instance", {{"a", "1"}}}}), "");
}

}  // namespace
}  // namespace brume::ec2
