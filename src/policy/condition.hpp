// One line of a Condition block: an operator, a key, and the values that the key is compared with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ipv4.hpp"
#include "base/ipv6.hpp"
#include "policy/pattern.hpp"

namespace brume::policy {

enum class Test : std::uint8_t { text, text_ignoring_case, like, number, date, boolean, binary, address, arn, null };
enum class Order : std::uint8_t { equal, less, less_or_equal, greater, greater_or_equal };
// Of the request's values, if the key has several. some_or_all: no prefix, so any for an operator and all for its negation.
enum class Quantifier : std::uint8_t { some_or_all, all, any };

struct Operator {
  Test test = Test::text;
  Order order = Order::equal;
  bool negated = false;
  bool if_exists = false;
  Quantifier quantifier = Quantifier::some_or_all;
};
// "ForAllValues:StringNotEqualsIfExists". nullopt: there is no such operator.
std::optional<Operator> read_operator(std::string_view name);

class Condition {
 public:
  // Throws Malformed: a value is not of the operator's kind. `variables`: the document's version has them.
  Condition(Operator op, std::string_view key, const std::vector<std::string_view>& values, bool variables, TextPool& pool);

  // Allocates nothing.
  bool holds(const Variables& request) const;
  std::string_view key() const { return key_; }  // as written
  void add_variables(std::vector<std::string>& names) const;

 private:
  struct Block {
    std::variant<Ipv4Block, Ipv6Block> block;
  };
  using Wanted = std::variant<Pattern, ArnPattern, double, std::int64_t, bool, Block, std::string_view>;
  struct Given;

  Wanted read_value(std::string_view text, bool variables, TextPool& pool) const;
  bool holds_without_key() const;
  bool holds_for(std::string_view value, const Variables& request) const;
  Match compare(const Given& given, const Wanted& wanted, const Variables& request) const;
  bool in_order(auto given, auto wanted) const;

  Operator op_;
  std::string_view key_;
  std::string_view lower_key_;
  std::vector<Wanted> values_;
};

}  // namespace brume::policy
