// The fields are enumerated through fields() itself: a new one cannot be forgotten here.
#include "state/codec.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "state/fields.hpp"
#include "state/kinds.hpp"

namespace brume::state {
namespace {

constexpr size_t kind_count = static_cast<size_t>(Kind::count);

// Gives every field a value of its own that is not its default.
class Filler {
 public:
  void operator()(std::string_view name, std::string& value) { value = text(name); }
  void operator()(std::string_view, bool& value) { value = !value; }
  void operator()(std::string_view, std::int64_t& value) { value = ++number_ % 2 == 0 ? -number_ * 1'000'000'007 : number_; }
  void operator()(std::string_view, Time& value) { value = Time(milliseconds(1'322'000'000'123 + ++number_)); }
  void operator()(std::string_view name, std::vector<std::string>& values) { values = {text(name), "", text(name)}; }
  template <class E>
  requires std::is_enum_v<E>
  void operator()(std::string_view, E& value) {
    ++number_;
    value = value == static_cast<E>(1) ? static_cast<E>(0) : static_cast<E>(1);
  }
  template <class T>
  void operator()(std::string_view, std::vector<T>& values) {
    values.assign(3, T{});
    values[0].fields(*this);
    values[2].fields(*this);  // the middle one keeps its defaults
  }
  void bytes(std::string_view, std::string& value) {
    for (int i = 0; i < 512; ++i) value += static_cast<char>(i);
    value += std::to_string(++number_);
  }

 private:
  std::string text(std::string_view name) {
    return std::string(name) + " \"quoted\" \\ / \x01\n\t\x7f é 雲 \xff\xc3 ," + std::to_string(++number_) + std::string(1, '\0') + "]}";
  }
  std::int64_t number_ = 0;
};

// The fields as a list of texts, for comparing.
class Lister {
 public:
  std::vector<std::string> found;

  void operator()(std::string_view name, std::string& value) { add(name, value); }
  void operator()(std::string_view name, bool& value) { add(name, value ? "yes" : "no"); }
  void operator()(std::string_view name, std::int64_t& value) { add(name, std::to_string(value)); }
  void operator()(std::string_view name, Time& value) { add(name, std::to_string(value.time_since_epoch().count())); }
  void operator()(std::string_view name, std::vector<std::string>& values) {
    add(name, std::to_string(values.size()));
    for (auto& value : values) add(name, value);
  }
  template <class E>
  requires std::is_enum_v<E>
  void operator()(std::string_view name, E& value) { add(name, std::to_string(static_cast<std::int64_t>(value))); }
  template <class T>
  void operator()(std::string_view name, std::vector<T>& values) {
    add(name, std::to_string(values.size()));
    for (auto& value : values) value.fields(*this);
  }
  void bytes(std::string_view name, std::string& value) { add(name, value); }

 private:
  void add(std::string_view name, const std::string& value) { found.push_back(std::string(name) + "=" + value); }
};

template <class R>
std::vector<std::string> fields_of(R record) {
  Lister lister;
  record.fields(lister);
  return lister.found;
}

template <class R>
R decoded(std::string_view json) {
  const auto result = decode(R::kind, json);
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message) << "\n" << json;
  return result ? *static_cast<const R*>(result->get()) : R{};
}

template <class Visitor>
void for_each_kind(Visitor visit) {
  for (size_t i = 0; i < kind_count; ++i) with_record_type(static_cast<Kind>(i), visit);
}

TEST(Codec, EveryKindComesBackWithEveryFieldSet) {
  for_each_kind([]<class R>(std::type_identity<R>) {
    SCOPED_TRACE(name_of(R::kind));
    R record;
    Filler filler;
    record.fields(filler);
    const auto before = fields_of(record);
    const auto fresh = fields_of(R{});
    for (size_t i = 0; i < fresh.size() && i < before.size() && fresh.size() == before.size(); ++i) EXPECT_NE(before[i], fresh[i]);
    const auto json = encode(record);
    EXPECT_EQ(fields_of(decoded<R>(json)), before);
    EXPECT_EQ(encode(decoded<R>(json)), json);
    EXPECT_EQ(json.find('\n'), std::string::npos);
  });
}

TEST(Codec, FieldNamesAreUniqueWithinARecord) {
  for_each_kind([]<class R>(std::type_identity<R>) {
    std::set<std::string> names;
    for (const auto& field : form_of<R>().fields) EXPECT_TRUE(names.insert(field.name).second) << name_of(R::kind) << ' ' << field.name;
  });
}

// Where the visited fields lie in their record.
class Layout {
 public:
  explicit Layout(const void* record) : start_(reinterpret_cast<std::uintptr_t>(record)) {}
  template <class T>
  void operator()(std::string_view name, T& value) {
    places_[reinterpret_cast<std::uintptr_t>(&value) - start_] = {std::string(name), sizeof(T), alignof(T)};
  }
  void bytes(std::string_view name, std::string& value) { (*this)(name, value); }

  // Between two fields there is room for padding only, so no member is missing (but for a bool that hides in the padding).
  void expect_complete(size_t size, size_t alignment) const {
    size_t end = 0;
    for (const auto& [start, place] : places_) {
      EXPECT_LT(start - end, place.alignment) << "a member before " << place.name << " is not in fields()";
      end = start + place.size;
    }
    EXPECT_LT(size - end, alignment) << "the last member is not in fields()";
  }

 private:
  struct Place {
    std::string name;
    size_t size;
    size_t alignment;
  };
  std::uintptr_t start_;
  std::map<std::uintptr_t, Place> places_;
};

template <class R>
void expect_complete_fields() {
  R record;
  Layout layout(&record);
  record.fields(layout);
  layout.expect_complete(sizeof(R), alignof(R));
}

TEST(Codec, FieldsNamesEveryMember) {
  for_each_kind([]<class R>(std::type_identity<R>) {
    SCOPED_TRACE(name_of(R::kind));
    expect_complete_fields<R>();
  });
  expect_complete_fields<SecurityRule>();
  expect_complete_fields<BlockDevice>();
  expect_complete_fields<VolumeAttachment>();
  expect_complete_fields<Tag>();
}

TEST(Codec, AFreshRecordIsAnEmptyObjectAndBack) {
  for_each_kind([]<class R>(std::type_identity<R>) {
    EXPECT_EQ(encode(R{}), "{}") << name_of(R::kind);
    EXPECT_EQ(fields_of(decoded<R>("{}")), fields_of(R{}));
  });
}

// From before a volume could have several.
TEST(Codec, AVolumeOfAnOlderDaemonKeepsItsAttachment) {
  const auto volume =
      decoded<Volume>(R"({"account":"a","id":"vol-1","state":"in-use","instanceId":"i-1","device":"/dev/sdf","attachmentState":"attached",)"
                      R"("deleteOnTermination":true})");
  ASSERT_EQ(volume.attachments().size(), 1U);
  EXPECT_EQ(volume.attachment_to("i-1")->device, "/dev/sdf");
  EXPECT_TRUE(volume.attachment_to("i-1")->delete_on_termination);
  EXPECT_FALSE(volume.multi_attach);
  EXPECT_FALSE(volume.is_served());
}

// A field left out has its default, so a default is part of what is stored: change none of these, add fields instead.
const std::vector<std::string> kept_defaults = {
    "account \"enabled\":true",
    "account \"instanceLimit\":-1",
    "account \"platform\":\"vpc\"",
    "access-key \"active\":true",
    "vpc \"dnsSupport\":true",
    "vpc \"dnsHostnames\":true",
    "vpc \"tenancy\":\"default\"",
    "network-interface \"sourceDestCheck\":true",
    "network-interface \"deleteOnTermination\":true",
    "network-interface \"attachmentState\":\"attached\"",
    "network-interface \"wantsPublicAddress\":true",
    "network-interface \"type\":\"interface\"",
    "image \"type\":\"machine\"",
    "image \"architecture\":\"x86_64\"",
    "image \"state\":\"available\"",
    "image \"virtualizationType\":\"hvm\"",
    "image \"deregistrationProtection\":\"disabled\"",
    "snapshot \"state\":\"completed\"",
    "snapshot \"progress\":100",
    "volume \"type\":\"gp2\"",
    "volume \"state\":\"creating\"",
    "instance \"processors\":1",
    "instance \"threadsPerCore\":1",
    "instance \"tenancy\":\"default\"",
    "instance \"metadataEnabled\":true",
    "instance \"metadataHopLimit\":1",
    "instance \"autoRecovery\":\"default\"",
    "instance \"rebootMigration\":\"default\"",
    "instance \"capacityReservationPreference\":\"open\"",
    "volume-modification \"state\":\"modifying\"",
    "launch-template \"defaultVersion\":1",
    "launch-template \"latestVersion\":1",
    "launch-template-version \"number\":1",
    "storage-defaults \"snapshotSharing\":\"unblocked\"",
    "elastic-ip \"domain\":\"vpc\"",
    "nat-gateway \"state\":\"available\"",
    "prefix-list \"version\":1",
    "prefix-list \"maxEntries\":1",
    "prefix-list \"state\":\"create-complete\"",
    "root-replacement \"state\":\"pending\"",
    "customer-gateway \"asn\":65000",
    "customer-gateway \"state\":\"available\"",
    "vpn-gateway \"asn\":64512",
    "vpn-gateway \"state\":\"available\"",
    "vpn-connection \"state\":\"available\"",
    "host \"takesLaunches\":true",
    "instance-change \"verb\":\"terminate\"",
    "rule \"from\":-1",
    "rule \"to\":-1",
    "block-device \"deleteOnTermination\":true",
};

TEST(Codec, DefaultsThatAreNotEmptyStayAsTheyAre) {
  std::vector<std::string> defaults;
  const auto collect = [&]<class R>(std::string_view of, std::type_identity<R>) {
    for (const auto& field : form_of<R>().fields) {
      const auto& text = field.default_text;
      if (!text.ends_with(":\"\"") && !text.ends_with(":0") && !text.ends_with(":false") && !text.ends_with(":[]"))
        defaults.push_back(std::string(of) + " " + text);
    }
  };
  for_each_kind([&]<class R>(std::type_identity<R> type) { collect(name_of(R::kind), type); });
  collect("rule", std::type_identity<SecurityRule>{});
  collect("block-device", std::type_identity<BlockDevice>{});
  collect("tag", std::type_identity<Tag>{});
  EXPECT_EQ(defaults, kept_defaults);
}

TEST(Codec, DefaultsAreToldFromZeroes) {
  Account account;
  account.id = "123456789012";
  account.enabled = false;
  EXPECT_EQ(encode(account), R"({"id":"123456789012","enabled":false})");
  SecurityGroup group;
  group.id = "sg-1";
  group.ingress.resize(1);
  group.ingress[0].from_port = 0;
  group.ingress[0].cidr = "0.0.0.0/0";
  EXPECT_EQ(encode(group), R"({"id":"sg-1","ingress":[{"from":0,"cidr":"0.0.0.0/0"}]})");
  EXPECT_EQ(decoded<SecurityGroup>(encode(group)).ingress.at(0).to_port, -1);
}

TEST(Codec, UnknownFieldsAreSkippedAndOrderDoesNotMatter) {
  const auto account = decoded<Account>(R"({"later":{"a":[1,2.5,null]},"enabled":false,"name":"n","shiny":true,"id":"1"})");
  EXPECT_EQ(account.id, "1");
  EXPECT_EQ(account.name, "n");
  EXPECT_FALSE(account.enabled);
  const auto group = decoded<SecurityGroup>(R"({"ingress":[{"cidr":"c","new":1,"id":"r"},{}],"id":"g"})");
  ASSERT_EQ(group.ingress.size(), 2U);
  EXPECT_EQ(group.ingress[0].id, "r");
  EXPECT_EQ(group.ingress[0].cidr, "c");
  EXPECT_EQ(group.id, "g");
}

TEST(Codec, ExtremeNumbersAndTimesAreExact) {
  Instance instance;
  instance.launch_index = INT64_MAX;
  instance.reboots_asked = INT64_MIN;
  instance.launched = Time(milliseconds(-1));
  instance.state_since = Time(milliseconds(253'402'300'800'001));  // past the year 9999
  EXPECT_EQ(fields_of(decoded<Instance>(encode(instance))), fields_of(instance));
}

TEST(Codec, WhatIsNotARecordIsBrokenAndSaysWhere) {
  for (const auto& [json, part] : std::vector<std::pair<std::string, std::string>>{{"", "JSON"},
                                                                                   {"[]", "object"},
                                                                                   {"{\"id\":1}", "id"},
                                                                                   {"{\"id\":\"a\"", "JSON"},
                                                                                   {"{\"id\":\"a\"} x", "JSON"},
                                                                                   {"{\"created\":\"2011\"}", "created"},
                                                                                   {"{\"created\":1.5}", "created"},
                                                                                   {"{\"created\":99999999999999999999}", "created"},
                                                                                   {"{\"enabled\":1}", "enabled"},
                                                                                   {std::string(200, '['), "JSON"}}) {
    const auto result = decode(Kind::account, json);
    ASSERT_FALSE(result.has_value()) << json;
    EXPECT_EQ(result.error().kind, ErrorKind::broken);
    EXPECT_NE(result.error().message.find(part), std::string::npos) << result.error().message;
  }
  EXPECT_FALSE(decode(Kind::security_group, R"({"ingress":[1]})").has_value());
  EXPECT_FALSE(decode(Kind::security_group, R"({"ingress":{}})").has_value());
  EXPECT_FALSE(decode(Kind::security_group, R"({"ingress":[{"from":"x"}]})").has_value());
  EXPECT_FALSE(decode(Kind::network_interface, R"({"groupIds":["a",1]})").has_value());
  EXPECT_FALSE(decode(Kind::user_data, R"({"data":"%%"})").has_value());
}

TEST(Kinds, NamesAreUniqueAndFindTheirKind) {
  for (size_t i = 0; i < kind_count; ++i) {
    const auto kind = static_cast<Kind>(i);
    ASSERT_FALSE(name_of(kind).empty());
    EXPECT_EQ(name_of(kind).find('/'), std::string_view::npos);
    EXPECT_EQ(kind_named(name_of(kind)), kind);
    with_record_type(kind, [&]<class R>(std::type_identity<R>) { EXPECT_EQ(R::kind, kind); });
  }
  EXPECT_EQ(kind_named("nonsense"), std::nullopt);
  EXPECT_EQ(log_key(Kind::security_group, "1/sg-1"), "security-group/1/sg-1");
}

TEST(Kinds, KeysAreThoseOfTheRecords) {
  Instance instance;
  instance.account = "123456789012";
  instance.id = "i-1";
  EXPECT_EQ(key_of(Kind::instance, &instance), "123456789012/i-1");
}

}  // namespace
}  // namespace brume::state
