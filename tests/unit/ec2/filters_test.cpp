#include "ec2/common/filters.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "ec2/common/paging.hpp"
#include "wire/api_error.hpp"

namespace brume::ec2 {
namespace {

TEST(Pattern, WithoutWildcardsIsTheWholeTextWithItsCase) {
  EXPECT_TRUE(matches_pattern("database", "database"));
  EXPECT_FALSE(matches_pattern("database", "a database"));
  EXPECT_FALSE(matches_pattern("database", "Database"));
  EXPECT_FALSE(matches_pattern("database", "databas"));
  EXPECT_TRUE(matches_pattern("", ""));
  EXPECT_FALSE(matches_pattern("", "x"));
  EXPECT_FALSE(matches_pattern("x", ""));
}

TEST(Pattern, StarIsAnyText) {
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("*", "anything"));
  EXPECT_TRUE(matches_pattern("**", "anything"));
  EXPECT_TRUE(matches_pattern("*database*", "the database of mine"));
  EXPECT_TRUE(matches_pattern("*database*", "database"));
  EXPECT_TRUE(matches_pattern("a*b*c", "a-b-b-c-c"));
  EXPECT_FALSE(matches_pattern("a*b*c", "a-c-b"));
  EXPECT_TRUE(matches_pattern("*.log", "a.log.log"));
  EXPECT_FALSE(matches_pattern("*.log", "a.log.gz"));
  EXPECT_TRUE(matches_pattern("*aab", "aaaaab"));
}

TEST(Pattern, QuestionMarkIsOneCharacter) {
  EXPECT_TRUE(matches_pattern("?", "x"));
  EXPECT_FALSE(matches_pattern("?", ""));
  EXPECT_FALSE(matches_pattern("?", "xy"));
  EXPECT_TRUE(matches_pattern("i-????????", "i-12345678"));
  EXPECT_TRUE(matches_pattern("*??", "ab"));
  EXPECT_FALSE(matches_pattern("*??", "a"));
}

TEST(Pattern, CharactersAreNotBytes) {
  EXPECT_TRUE(matches_pattern("?", "é"));
  EXPECT_TRUE(matches_pattern("z?rich", "zürich"));
  EXPECT_FALSE(matches_pattern("??", "é"));
  EXPECT_TRUE(matches_pattern("*?", "日本"));
  EXPECT_TRUE(matches_pattern("??", "日本"));
  EXPECT_FALSE(matches_pattern("*???", "日本"));
  EXPECT_TRUE(matches_pattern("日*", "日本"));
}

TEST(Pattern, BackslashTakesTheMeaningFromTheNext) {
  EXPECT_TRUE(matches_pattern(R"(\*amazon\?\\)", R"(*amazon?\)"));
  EXPECT_FALSE(matches_pattern(R"(\*amazon\?\\)", R"(xamazon?\)"));
  EXPECT_FALSE(matches_pattern(R"(\*)", "x"));
  EXPECT_FALSE(matches_pattern(R"(\?)", "x"));
  EXPECT_TRUE(matches_pattern(R"(a\bc)", "abc"));
  EXPECT_TRUE(matches_pattern(R"(*\**)", "a*b"));
  EXPECT_FALSE(matches_pattern(R"(*\**)", "ab"));
  EXPECT_TRUE(matches_pattern("a\\", "a\\"));  // nothing follows: it stands for itself
}

TEST(Pattern, HostilePatternsEndSoon) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  pattern += "b";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(matches_pattern(pattern, std::string(20000, 'a')));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST(FilterValues, TypesAreComparedAsTheyArePrinted) {
  const auto matches = [](const char* pattern, auto value) {
    const std::vector<std::string> patterns = {"nothing", pattern};
    FilterValues values(patterns);
    values.add(value);
    return values.matched();
  };
  EXPECT_TRUE(matches("80", std::int64_t{80}));
  EXPECT_TRUE(matches("true", true));
  EXPECT_TRUE(matches("false", false));
  EXPECT_TRUE(matches("te*", "text"));
  EXPECT_TRUE(matches("te*", std::string("text")));
  EXPECT_TRUE(matches("1970-01-01*", Time{}));
  EXPECT_TRUE(matches("1970-01-01T00:00:00.000Z", Time{}));
  EXPECT_FALSE(matches("80", std::int64_t{8}));
}

struct Thing {
  std::string account = "111122223333";
  std::string id = "x-1";
  std::vector<std::string> colours;
};
const FilterField<Thing> fields[] = {
    {"id", [](const auto& at, auto& out) { out.add(at.record.id); }},
    {"colour",
     [](const auto& at, auto& out) {
       for (const auto& colour : at.record.colours) out.add(colour);
     }},
};

bool match(const std::vector<wire::ec2::Filter>& asked, const Thing& thing) {
  const state::World world;
  return FilterSet<Thing>(fields, asked).match(world, thing);
}

TEST(FilterSet, ValuesAreAlternativesAndFiltersMustAllHold) {
  const Thing thing{.colours = {"red", "green"}};
  EXPECT_TRUE(match({}, thing));
  EXPECT_TRUE(match({{"colour", {"blue", "green"}}}, thing));
  EXPECT_FALSE(match({{"colour", {"blue"}}}, thing));
  EXPECT_TRUE(match({{"colour", {"red"}}, {"colour", {"green"}}}, thing));
  EXPECT_FALSE(match({{"colour", {"red"}}, {"id", {"x-2"}}}, thing));
  EXPECT_FALSE(match({{"colour", {"*"}}}, Thing{}));
  EXPECT_FALSE(match({{"tag:Name", {"*"}}}, thing));
}

std::string code_of(const std::vector<wire::ec2::Filter>& asked) {
  try {
    match(asked, {});
  } catch (const wire::ApiError& error) {
    return error.code;
  }
  return "";
}

TEST(FilterSet, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(code_of({{"size", {"1"}}}), "InvalidParameterValue");
  EXPECT_EQ(code_of({{"tag:", {"1"}}}), "InvalidParameterValue");
  EXPECT_EQ(code_of({{std::nullopt, {"1"}}}), "MissingParameter");
  EXPECT_EQ(code_of({{"id", std::vector<std::string>(201, "x")}}), "FilterLimitExceeded");
  EXPECT_EQ(code_of({{"tag-key", {"1"}}, {"tag-value", {"1"}}, {"id", std::vector<std::string>(200, "x")}}), "");
}

TEST(FilterSet, WithoutValuesNothingMatches) {
  const Thing thing{.colours = {"red", ""}};
  for (const auto* const name : {"id", "colour", "tag:a", "tag-key", "tag-value"}) {
    EXPECT_EQ(code_of({{name, {}}}), "") << name;
    EXPECT_FALSE(match({{name, {}}}, thing)) << name;
    EXPECT_FALSE(match({{"id", {"x-1"}}, {name, {}}}, thing)) << name;
  }
  EXPECT_EQ(code_of({{"size", {}}}), "InvalidParameterValue");
}

TEST(FilterSet, CountsFiltersAndSaysWhichHasNoName) {
  EXPECT_EQ(code_of(std::vector<wire::ec2::Filter>(50, {"id", {"x-1"}})), "");
  EXPECT_EQ(code_of(std::vector<wire::ec2::Filter>(51, {"id", {"x-1"}})), "FilterLimitExceeded");
  try {
    match({{"id", {"x-1"}}, {std::nullopt, {"x"}}}, {});
    FAIL();
  } catch (const wire::ApiError& error) {
    EXPECT_NE(error.message.find("Filter.2.Name"), std::string::npos) << error.message;
  }
}

struct Record {
  std::string account = "111122223333";
  std::string id = "x-1";
  std::string owner;
  std::int64_t size = 8;
  bool fast = true;
  Time made{};
  std::vector<std::string> colours = {"red", "green"};
};

TEST(FilterField, MembersAreDeclaredByName) {
  const FilterField<Record> declared[] = {
      field<&Record::id>("id"),
      field<&Record::owner>("owner"),
      field_if_set<&Record::owner>("owner-if-set"),
      field<&Record::size>("size"),
      field<&Record::fast>("fast"),
      field<&Record::made>("made"),
      field<&Record::colours>("colour"),
      {"asked-by",
       [](const auto& at, auto& out) {
         if (at.context != nullptr) out.add(at.context->account());
       }},
  };
  const auto fits = [&](const char* name, const char* value) {
    const state::World world;
    const std::vector<wire::ec2::Filter> asked = {{name, {value}}};
    return FilterSet<Record>(declared, asked).match(world, Record{});
  };
  EXPECT_TRUE(fits("id", "x-?"));
  EXPECT_TRUE(fits("owner", ""));
  EXPECT_FALSE(fits("owner-if-set", ""));
  EXPECT_FALSE(fits("owner-if-set", "*"));
  EXPECT_TRUE(fits("size", "8"));
  EXPECT_FALSE(fits("size", "08"));
  EXPECT_TRUE(fits("fast", "true"));
  EXPECT_FALSE(fits("fast", "True"));
  EXPECT_TRUE(fits("made", "1970-01-01*"));
  EXPECT_TRUE(fits("colour", "green"));
  EXPECT_FALSE(fits("colour", "blue"));
  EXPECT_FALSE(fits("asked-by", "*"));
}

// ----- pages

TEST(Filters, OfIdsWithoutAPatternSayWhereToLook) {
  const FilterField<state::Volume> of_volumes[] = {field<&state::Volume::id>("volume-id"),
                                                   {"instance-id", [](const auto& at, auto& out) { out.add(at.record.instance_id); }}};
  const auto ids = [&](const char* name, std::vector<std::string> values) {
    std::vector<wire::ec2::Filter> asked(1);
    asked[0].name = name;
    asked[0].values = std::move(values);
    return FilterSet<state::Volume>(of_volumes, asked).ids();
  };
  EXPECT_EQ(ids("volume-id", {"vol-2", "vol-1"}), (std::vector<std::string>{"vol-2", "vol-1"}));
  EXPECT_EQ(ids("volume-id", {"vol-2", "vol-*"}), std::nullopt);
  EXPECT_EQ(ids("volume-id", {"vol-?"}), std::nullopt);
  EXPECT_EQ(ids("volume-id", {"vol\\-1"}), std::nullopt);
  EXPECT_EQ(ids("instance-id", {"i-1"}), std::nullopt);
  EXPECT_EQ(ids("tag:Name", {"vol-1"}), std::nullopt);
}

class PageTest : public testing::Test {
 protected:
  service::Context context(const std::string& account) {
    caller_.account_id = account;
    return {caller_, services_, 20161115, {}};
  }
  // A page of five that ends with `key`.
  std::string token_after(std::string_view list, const std::string& key, const std::string& account = "111122223333") {
    Page page(context(account), list, 5, std::nullopt);
    for (int i = 0; i < 4; ++i) page.take("something");
    page.take(key);
    EXPECT_TRUE(page.full());
    EXPECT_FALSE(page.take("more"));
    return page.next_token().value();
  }
  std::string code_of_page(std::string_view list, std::optional<std::int64_t> most, std::optional<std::string> token,
                           const std::string& account = "111122223333") {
    try {
      const Page page(context(account), list, most, token);
    } catch (const wire::ApiError& error) {
      return error.code;
    }
    return "";
  }

  SystemClock clock_;
  SeededRandom random_{1};
  service::Settings settings_;
  wire::Caller caller_;
  std::unique_ptr<state::Store> store_ = *state::Store::open(state::make_memory_log(), clock_, random_);
  service::Services services_{*store_, clock_, random_, settings_, {}, "a key"};
};

TEST_F(PageTest, GoesOnAfterTheLastKey) {
  const auto here = context("111122223333");
  EXPECT_EQ(Page(here, "L", 5, token_after("L", "i-5")).after(), "i-5");
  EXPECT_EQ(Page(here, "L", std::nullopt, token_after("L", "id/ä key\n")).after(), "id/ä key\n");
  Page exact(here, "L", 5, std::nullopt);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(exact.take("x"));
  EXPECT_FALSE(exact.next_token());
  Page unlimited(here, "L", std::nullopt, std::nullopt);
  for (int i = 0; i < 5000; ++i) EXPECT_TRUE(unlimited.take("x"));
  EXPECT_FALSE(unlimited.next_token());
}

TEST_F(PageTest, RefusesWrongSizesAndTokens) {
  EXPECT_EQ(code_of_page("L", 4, {}), "InvalidParameterValue");
  EXPECT_EQ(code_of_page("L", 1001, {}), "InvalidParameterValue");
  EXPECT_EQ(code_of_page("L", 1000, {}), "");
  const auto token = token_after("L", "i-5");
  EXPECT_EQ(code_of_page("L", 5, token), "");
  EXPECT_EQ(code_of_page("Other", 5, token), "InvalidNextToken");
  for (size_t i = 0; i < token.size(); ++i) {
    auto damaged = token;
    damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(code_of_page("L", 5, damaged), "InvalidNextToken") << i;
  }
  EXPECT_EQ(code_of_page("L", 5, "nonsense"), "InvalidNextToken");
  EXPECT_EQ(code_of_page("L", 5, std::string(100000, 'A')), "InvalidNextToken");
  EXPECT_EQ(code_of_page("L", 5, ""), "");
}

TEST_F(PageTest, TokensAreOneAccountsAndOneInstallations) {
  const auto token = token_after("L", "i-5");
  EXPECT_EQ(code_of_page("L", 5, token, "999988887777"), "InvalidNextToken");
  services_.token_key = "another key";
  EXPECT_EQ(code_of_page("L", 5, token), "InvalidNextToken");
}

TEST_F(PageTest, TheKeyIsMadeOnceAndKept) {
  const auto key = token_key(*store_);
  EXPECT_EQ(key.size(), 64);
  EXPECT_EQ(token_key(*store_), key);
  const auto other = *state::Store::open(state::make_memory_log(), clock_, random_);
  EXPECT_NE(token_key(*other), key);
}

}  // namespace
}  // namespace brume::ec2
