// Texts of policies that are matched: wildcards, variables, ARNs and action names. Compiled once; matching allocates nothing.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/request.hpp"
#include "policy/text_pool.hpp"

namespace brume::policy {

// What a match came to. unknown: it depends on a policy variable that the request has no single value for.
enum class Match : std::uint8_t { no, yes, unknown };

// Values for ${…}; a request as the conditions see it.
class Variables {
 public:
  virtual ~Variables() = default;
  virtual Values find(std::string_view lower_case_key) const = 0;
};

struct PatternRules {
  bool wildcards = true;   // "*" is any text, "?" one character (a code point)
  bool variables = false;  // version 2012-10-17: ${key}, ${key, 'default'}, and ${*} ${?} ${$} for the characters themselves
};

class Pattern {
 public:
  Pattern() = default;
  // Throws nothing; what is no variable is text.
  Pattern(std::string_view text, PatternRules rules, TextPool& pool);

  // Time: proportional to the text if no "?" or variable stands between two "*", at worst its length times the pattern's.
  Match match(std::string_view text, const Variables& variables) const {
    switch (shape_) {
      case Shape::any: return Match::yes;
      case Shape::exact: return literal_ == text ? Match::yes : Match::no;
      case Shape::prefix: return text.starts_with(literal_) ? Match::yes : Match::no;
      case Shape::suffix: return text.ends_with(literal_) ? Match::yes : Match::no;
      case Shape::other: break;
    }
    return match_pieces(text, variables);
  }
  // Of a pattern without wildcards: letters of ASCII are compared without their case.
  Match match_ignoring_case(std::string_view text, const Variables& variables) const;

  bool is_any() const { return shape_ == Shape::any; }
  bool ends_with_star() const;
  // The names of its variables, as written.
  void add_variables(std::vector<std::string>& names) const;

 private:
  enum class Shape : std::uint8_t { any, exact, prefix, suffix, other };
  enum class PieceKind : std::uint8_t { literal, star, one, variable };
  struct Piece {
    PieceKind kind;
    bool has_fallback = false;
    std::string_view text;  // a literal's; a variable's key in lower case
    std::string_view as_written;
    std::string_view fallback;
  };
  struct Resolved;

  bool read_variable(std::string_view inside, std::string& literal, TextPool& pool);
  void end_literal(std::string& literal, TextPool& pool);
  void find_shape();
  Match match_pieces(std::string_view text, const Variables& variables) const;

  Shape shape_ = Shape::exact;
  std::string_view literal_;
  std::vector<Piece> pieces_;
};

// The six parts of an ARN; the last one may have colons.
struct Arn {
  std::string_view text;
  std::array<std::string_view, 6> parts;
  std::size_t count = 0;  // less than 6: it is no ARN
};
Arn split_arn(std::string_view text);

// An ARN with wildcards in its parts, or "*". A "*" at the end reaches over the parts that the pattern does not have.
class ArnPattern {
 public:
  ArnPattern() = default;
  ArnPattern(std::string_view text, PatternRules rules, TextPool& pool);

  // It has six parts, or fewer and a "*" at its end, or is "*".
  bool is_arn() const { return any_ || (count_ == 6 || (count_ > 1 && open_)); }
  bool is_any() const { return any_; }
  Match match(const Arn& arn, const Variables& variables) const;
  void add_variables(std::vector<std::string>& names) const;

 private:
  bool any_ = false;
  bool open_ = false;
  std::size_t count_ = 0;
  std::array<Pattern, 6> parts_;
};

// An action's name as patterns are compared with it: in lower case, in two halves.
class ActionName {
 public:
  // Too long for any action there is: matches "*" only.
  explicit ActionName(std::string_view action);
  std::uint64_t service_bit() const { return service_bit_; }
  std::string_view service() const { return service_; }
  std::string_view name() const { return name_; }

 private:
  std::array<char, 192> lower_{};
  std::string_view service_;
  std::string_view name_;
  std::uint64_t service_bit_ = 0;
};

// One of 64 bits by the service's name: statements that are about other services are passed over by one comparison.
std::uint64_t bit_of_service(std::string_view lower_case_service);

// "ec2:Describe*", "*".
class ActionPattern {
 public:
  // `service` and `name` in lower case; an empty service is every service.
  ActionPattern(std::string_view service, std::string_view name, TextPool& pool);
  bool matches(const ActionName& action) const;
  std::uint64_t service_bits() const { return service_bits_; }

 private:
  std::string_view service_;
  std::uint64_t service_bits_;
  Pattern name_;
};

}  // namespace brume::policy
