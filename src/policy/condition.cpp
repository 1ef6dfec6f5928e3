#include "policy/condition.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/text.hpp"
#include "base/time.hpp"
#include "policy/malformed.hpp"

namespace brume::policy {
namespace {

struct OperatorName {
  std::string_view name;
  Operator meant;
};
constexpr OperatorName operator_names[] = {
    {"StringEquals", {Test::text}},
    {"StringNotEquals", {Test::text, Order::equal, true}},
    {"StringEqualsIgnoreCase", {Test::text_ignoring_case}},
    {"StringNotEqualsIgnoreCase", {Test::text_ignoring_case, Order::equal, true}},
    {"StringLike", {Test::like}},
    {"StringNotLike", {Test::like, Order::equal, true}},
    {"NumericEquals", {Test::number}},
    {"NumericNotEquals", {Test::number, Order::equal, true}},
    {"NumericLessThan", {Test::number, Order::less}},
    {"NumericLessThanEquals", {Test::number, Order::less_or_equal}},
    {"NumericGreaterThan", {Test::number, Order::greater}},
    {"NumericGreaterThanEquals", {Test::number, Order::greater_or_equal}},
    {"DateEquals", {Test::date}},
    {"DateNotEquals", {Test::date, Order::equal, true}},
    {"DateLessThan", {Test::date, Order::less}},
    {"DateLessThanEquals", {Test::date, Order::less_or_equal}},
    {"DateGreaterThan", {Test::date, Order::greater}},
    {"DateGreaterThanEquals", {Test::date, Order::greater_or_equal}},
    {"Bool", {Test::boolean}},
    {"BinaryEquals", {Test::binary}},
    {"IpAddress", {Test::address}},
    {"NotIpAddress", {Test::address, Order::equal, true}},
    {"ArnEquals", {Test::arn}},
    {"ArnLike", {Test::arn}},
    {"ArnNotEquals", {Test::arn, Order::equal, true}},
    {"ArnNotLike", {Test::arn, Order::equal, true}},
    {"Null", {Test::null}},
};

std::optional<double> read_decimal(std::string_view text) {
  if (text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) return std::nullopt;
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool only_digits(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos; }

// Milliseconds. The forms of W3C's note on ISO 8601, from the year alone to fractions of a second; or seconds since 1970.
std::optional<std::int64_t> read_date(std::string_view text) {
  constexpr std::string_view earliest = "0000-01-01T00:00:00Z";
  if (only_digits(text) && text.size() != 4) {
    const auto epoch = text.size() > 12 ? std::nullopt : parse_integer(text);
    return epoch ? std::optional<std::int64_t>(*epoch * 1000) : std::nullopt;
  }
  std::array<char, 48> whole{};
  if (text.size() + 3 > whole.size()) return std::nullopt;
  std::size_t size = text.size();
  if (size == 4 || size == 7 || size == 10) {
    std::copy(earliest.begin(), earliest.end(), whole.begin());
    std::copy(text.begin(), text.end(), whole.begin());
    size = earliest.size();
  } else if (size >= 17 && text[16] != ':') {  // 2011-12-05T13:00Z
    const auto zone = std::copy(text.begin(), text.begin() + 16, whole.begin());
    std::copy(text.begin() + 16, text.end(), std::copy_n(":00", 3, zone));
    size += 3;
  } else {
    std::copy(text.begin(), text.end(), whole.begin());
  }
  const auto time = parse_iso8601({whole.data(), size});
  return time ? std::optional<std::int64_t>(time->time_since_epoch().count()) : std::nullopt;
}

std::optional<bool> read_truth(std::string_view text) {
  if (equals_ignoring_case(text, "true")) return true;
  if (equals_ignoring_case(text, "false")) return false;
  return std::nullopt;
}

std::string_view without_padding(std::string_view base64) { return base64.substr(0, base64.find_last_not_of('=') + 1); }

using Address = std::variant<std::monostate, std::uint32_t, Ipv6Address>;

// An IPv4 address inside of IPv6 (::ffff:198.51.100.1) is the IPv4 address.
Address read_address(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return {};
  std::copy(text.begin(), text.end(), terminated.begin());
  in_addr four{};
  if (inet_pton(AF_INET, terminated.data(), &four) == 1) return ntohl(four.s_addr);
  Ipv6Address six;
  if (inet_pton(AF_INET6, terminated.data(), six.bytes.data()) != 1) return {};
  constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (!std::equal(mapped.begin(), mapped.end(), six.bytes.begin())) return six;
  return std::uint32_t{six.bytes[12]} << 24 | std::uint32_t{six.bytes[13]} << 16 | std::uint32_t{six.bytes[14]} << 8 | six.bytes[15];
}

}  // namespace

std::optional<Operator> read_operator(std::string_view name) {
  auto quantifier = Quantifier::some_or_all;
  const auto take = [&](std::string_view prefix, Quantifier meant) {
    if (!name.starts_with(prefix)) return;
    name.remove_prefix(prefix.size());
    quantifier = meant;
  };
  take("ForAllValues:", Quantifier::all);
  if (quantifier == Quantifier::some_or_all) take("ForAnyValue:", Quantifier::any);
  const bool if_exists = name.ends_with("IfExists");
  if (if_exists) name.remove_suffix(std::string_view("IfExists").size());
  for (const auto& known : operator_names) {
    if (known.name != name) continue;
    auto op = known.meant;
    if (op.test == Test::null && if_exists) return std::nullopt;
    op.if_exists = if_exists;
    op.quantifier = quantifier;
    return op;
  }
  return std::nullopt;
}

Condition::Condition(Operator op, std::string_view key, const std::vector<std::string_view>& values, bool variables, TextPool& pool)
    : op_(op), key_(pool.keep(key)), lower_key_(pool.keep(to_lower(key))) {
  values_.reserve(values.size());
  for (const auto value : values) values_.push_back(read_value(value, variables, pool));
}

Condition::Wanted Condition::read_value(std::string_view text, bool variables, TextPool& pool) const {
  const auto refuse = [&]() { return Malformed{fmt::format("Invalid value for condition key {}: {}", key_, text)}; };
  const auto needed = [&](auto read) {
    if (!read) throw refuse();
    return *read;
  };
  switch (op_.test) {
    case Test::text:
    case Test::text_ignoring_case: return Pattern(text, {false, variables}, pool);
    case Test::like: return Pattern(text, {true, variables}, pool);
    case Test::number: return needed(read_decimal(text));
    case Test::date: return needed(read_date(text));
    case Test::boolean:
    case Test::null: return needed(read_truth(text));
    case Test::binary:
      if (!from_base64(text)) throw refuse();
      return pool.keep(without_padding(text));
    case Test::arn: {
      ArnPattern pattern(text, {true, variables}, pool);
      // A variable may be an ARN as a whole; as a part it never matches one.
      if (!pattern.is_arn() && !(variables && text.find("${") != std::string_view::npos)) throw refuse();
      return pattern;
    }
    case Test::address: break;
  }
  if (const auto four = parse_ipv4_block(text)) return Block{*four};
  if (const auto six = parse_ipv6_block(text)) return Block{*six};
  const auto one = read_address(text);
  if (const auto* four = std::get_if<std::uint32_t>(&one)) return Block{Ipv4Block{*four, 32}};
  if (const auto* six = std::get_if<Ipv6Address>(&one)) return Block{Ipv6Block{*six, 128}};
  throw refuse();
}

// A value of the request, read once for all that it is compared with.
struct Condition::Given {
  std::string_view text;
  Arn arn;
  std::optional<double> number;
  std::optional<std::int64_t> date;
  std::optional<bool> truth;
  Address address;

  Given(std::string_view value, Test test) : text(value) {
    switch (test) {
      case Test::number: number = read_decimal(value); break;
      case Test::date: date = read_date(value); break;
      case Test::boolean: truth = read_truth(value); break;
      case Test::binary: text = without_padding(value); break;
      case Test::address: address = read_address(value); break;
      case Test::arn: arn = split_arn(value); break;
      default: break;
    }
  }
};

bool Condition::in_order(auto given, auto wanted) const {
  switch (op_.order) {
    case Order::less: return given < wanted;
    case Order::less_or_equal: return given <= wanted;
    case Order::greater: return given > wanted;
    case Order::greater_or_equal: return given >= wanted;
    case Order::equal: break;
  }
  return given >= wanted && given <= wanted;
}

Match Condition::compare(const Given& given, const Wanted& wanted, const Variables& request) const {
  const auto answer = [](bool yes) { return yes ? Match::yes : Match::no; };
  switch (op_.test) {
    case Test::text:
    case Test::like: return std::get<Pattern>(wanted).match(given.text, request);
    case Test::text_ignoring_case: return std::get<Pattern>(wanted).match_ignoring_case(given.text, request);
    case Test::number: return answer(given.number && in_order(*given.number, std::get<double>(wanted)));
    case Test::date: return answer(given.date && in_order(*given.date, std::get<std::int64_t>(wanted)));
    case Test::boolean: return answer(given.truth == std::get<bool>(wanted));
    case Test::binary: return answer(given.text == std::get<std::string_view>(wanted));
    case Test::arn: return std::get<ArnPattern>(wanted).match(given.arn, request);
    default: break;
  }
  const auto& block = std::get<Block>(wanted).block;
  if (const auto* four = std::get_if<Ipv4Block>(&block)) {
    const auto* address = std::get_if<std::uint32_t>(&given.address);
    return answer(address != nullptr && four->contains(*address));
  }
  const auto* address = std::get_if<Ipv6Address>(&given.address);
  return answer(address != nullptr && std::get<Ipv6Block>(block).contains(*address));
}

// The values are ORed; a negation is true if none of them matches, and not if one of them cannot be known.
bool Condition::holds_for(std::string_view value, const Variables& request) const {
  const Given given(value, op_.test);
  bool unknown = false;
  for (const auto& wanted : values_) {
    const auto match = compare(given, wanted, request);
    if (match == Match::yes) return !op_.negated;
    unknown = unknown || match == Match::unknown;
  }
  return op_.negated && !unknown;
}

bool Condition::holds_without_key() const {
  if (op_.if_exists || op_.quantifier == Quantifier::all) return true;
  return op_.negated && op_.quantifier != Quantifier::any;
}

bool Condition::holds(const Variables& request) const {
  const auto given = request.find(lower_key_);
  if (op_.test == Test::null)
    return std::any_of(values_.begin(), values_.end(), [&](const Wanted& wanted) { return std::get<bool>(wanted) == given.missing(); });
  if (given.missing()) return holds_without_key();
  const bool all = op_.quantifier == Quantifier::all || (op_.quantifier == Quantifier::some_or_all && op_.negated);
  for (std::size_t i = 0; i < given.size(); ++i)
    if (holds_for(given[i], request) != all) return !all;
  return all;
}

void Condition::add_variables(std::vector<std::string>& names) const {
  for (const auto& value : values_) {
    if (const auto* pattern = std::get_if<Pattern>(&value)) pattern->add_variables(names);
    if (const auto* pattern = std::get_if<ArnPattern>(&value)) pattern->add_variables(names);
  }
}

}  // namespace brume::policy
