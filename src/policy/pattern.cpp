#include "policy/pattern.hpp"

#include <algorithm>
#include <cstring>

#include "base/text.hpp"

namespace brume::policy {
namespace {

class NoVariables final : public Variables {
 public:
  Values find(std::string_view) const override { return {}; }
};
const NoVariables no_variables;

bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

// The bytes of the character at the text's front; 0 if there is none, or the front is inside of one.
std::size_t first_character(std::string_view text) {
  if (text.empty() || continues_character(text.front())) return 0;
  std::size_t bytes = 1;
  while (bytes < text.size() && bytes < 4 && continues_character(text[bytes])) ++bytes;
  return bytes;
}

// memmem is linear in both lengths, unlike std::string_view::find.
std::size_t find_linear(std::string_view text, std::string_view wanted, std::size_t from) {
  if (wanted.empty()) return from;
  if (from >= text.size()) return std::string_view::npos;
  const auto* found = memmem(text.data() + from, text.size() - from, wanted.data(), wanted.size());
  return found == nullptr ? std::string_view::npos : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

char lower_letter(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Where the part ends that begins at `begin`: at a colon outside of ${…}, or the end.
std::size_t end_of_part(std::string_view text, std::size_t begin, bool variables) {
  std::size_t at = begin;
  while (at < text.size() && text[at] != ':') {
    if (variables && text.substr(at).starts_with("${")) {
      const auto close = text.find('}', at);
      if (close != std::string_view::npos) at = close;
    }
    ++at;
  }
  return at;
}

}  // namespace

Pattern::Pattern(std::string_view text, PatternRules rules, TextPool& pool) {
  std::string literal;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (rules.wildcards && (c == '*' || c == '?')) {
      end_literal(literal, pool);
      const bool doubled = c == '*' && !pieces_.empty() && pieces_.back().kind == PieceKind::star;
      if (!doubled) pieces_.push_back({c == '*' ? PieceKind::star : PieceKind::one, false, {}, {}, {}});
      continue;
    }
    if (rules.variables && text.substr(at).starts_with("${")) {
      const auto close = text.find('}', at);
      if (close != std::string_view::npos && read_variable(text.substr(at + 2, close - at - 2), literal, pool)) {
        at = close;
        continue;
      }
    }
    literal += c;
  }
  end_literal(literal, pool);
  find_shape();
}

// What stands between "${" and "}". False: it is no variable.
bool Pattern::read_variable(std::string_view inside, std::string& literal, TextPool& pool) {
  if (inside == "*" || inside == "?" || inside == "$") {
    literal += inside;
    return true;
  }
  const auto comma = inside.find(',');
  const auto name = trim(inside.substr(0, comma));
  if (name.empty() || name.find_first_of("'\"$*?{") != std::string_view::npos) return false;
  Piece piece{PieceKind::variable, false, pool.keep(to_lower(name)), pool.keep(name), {}};
  if (comma != std::string_view::npos) {
    const auto given = trim(inside.substr(comma + 1));
    if (given.size() < 2 || given.front() != '\'' || given.back() != '\'') return false;
    piece.has_fallback = true;
    piece.fallback = pool.keep(given.substr(1, given.size() - 2));
  }
  end_literal(literal, pool);
  pieces_.push_back(piece);
  return true;
}

void Pattern::end_literal(std::string& literal, TextPool& pool) {
  if (literal.empty()) return;
  pieces_.push_back({PieceKind::literal, false, pool.keep(literal), {}, {}});
  literal.clear();
}

void Pattern::find_shape() {
  const auto is = [&](std::size_t index, PieceKind kind) { return pieces_[index].kind == kind; };
  if (pieces_.empty()) {
    shape_ = Shape::exact;
  } else if (pieces_.size() == 1 && is(0, PieceKind::star)) {
    shape_ = Shape::any;
  } else if (is(0, PieceKind::literal) && (pieces_.size() == 1 || (pieces_.size() == 2 && is(1, PieceKind::star)))) {
    shape_ = pieces_.size() == 1 ? Shape::exact : Shape::prefix;
    literal_ = pieces_[0].text;
  } else if (pieces_.size() == 2 && is(0, PieceKind::star) && is(1, PieceKind::literal)) {
    shape_ = Shape::suffix;
    literal_ = pieces_[1].text;
  } else {
    shape_ = Shape::other;
  }
}

bool Pattern::ends_with_star() const { return !pieces_.empty() && pieces_.back().kind == PieceKind::star; }

void Pattern::add_variables(std::vector<std::string>& names) const {
  for (const auto& piece : pieces_)
    if (piece.kind == PieceKind::variable) names.emplace_back(piece.as_written);
}

// A literal, or what a variable stands for in this request.
struct Pattern::Resolved {
  bool known = true;
  std::string_view text;

  Resolved(const Piece& piece, const Variables& variables) : text(piece.text) {
    if (piece.kind == PieceKind::literal) return;
    const auto values = variables.find(piece.text);
    known = values.size() == 1 || piece.has_fallback;
    text = values.size() == 1 ? values[0] : piece.fallback;
  }
};

// Piece by piece; after a mismatch, the piece after the last star is tried at the next place. No earlier star has to be looked at again.
Match Pattern::match_pieces(std::string_view text, const Variables& variables) const {
  for (const auto& piece : pieces_)
    if (piece.kind == PieceKind::variable && !Resolved(piece, variables).known) return Match::unknown;
  constexpr std::size_t none = std::string_view::npos;
  std::size_t at = 0;
  std::size_t next = 0;
  std::size_t after_star = none;
  std::size_t tried = 0;
  while (true) {
    bool fits = false;
    if (next == pieces_.size()) {
      if (at == text.size()) return Match::yes;
    } else if (const auto& piece = pieces_[next]; piece.kind == PieceKind::star) {
      after_star = ++next;
      tried = at;
      if (next == pieces_.size()) return Match::yes;
      fits = true;
    } else if (piece.kind == PieceKind::one) {
      const auto bytes = first_character(text.substr(at));
      fits = bytes > 0;
      if (fits) at += bytes, ++next;
    } else {
      const auto wanted = Resolved(piece, variables).text;
      if (next == after_star && next + 1 == pieces_.size()) return text.substr(at).ends_with(wanted) ? Match::yes : Match::no;
      if (next == after_star) {
        tried = find_linear(text, wanted, at);
        if (tried == none) return Match::no;
        at = tried;
      }
      fits = text.substr(at).starts_with(wanted);
      if (fits) at += wanted.size(), ++next;
    }
    if (fits) continue;
    if (after_star == none || tried >= text.size()) return Match::no;
    at = ++tried;
    next = after_star;
  }
}

Match Pattern::match_ignoring_case(std::string_view text, const Variables& variables) const {
  bool same = true;
  for (const auto& piece : pieces_) {
    const Resolved resolved(piece, variables);
    if (!resolved.known) return Match::unknown;
    same = same && text.size() >= resolved.text.size() && equals_ignoring_case(text.substr(0, resolved.text.size()), resolved.text);
    if (same) text.remove_prefix(resolved.text.size());
  }
  return same && text.empty() ? Match::yes : Match::no;
}

Arn split_arn(std::string_view text) {
  Arn arn;
  arn.text = text;
  std::size_t at = 0;
  while (arn.count < 6) {
    const auto end = arn.count == 5 ? text.size() : std::min(text.find(':', at), text.size());
    arn.parts[arn.count++] = text.substr(at, end - at);
    if (end == text.size()) break;
    at = end + 1;
  }
  return arn;
}

ArnPattern::ArnPattern(std::string_view text, PatternRules rules, TextPool& pool) : any_(text == "*") {
  std::size_t at = 0;
  while (count_ < 6) {
    const auto end = count_ == 5 ? text.size() : end_of_part(text, at, rules.variables);
    parts_[count_++] = Pattern(text.substr(at, end - at), rules, pool);
    if (end == text.size()) break;
    at = end + 1;
  }
  open_ = count_ < 6 && parts_[count_ - 1].ends_with_star();
}

Match ArnPattern::match(const Arn& arn, const Variables& variables) const {
  if (any_) return Match::yes;
  if (arn.count < count_ || (!open_ && arn.count != count_)) return Match::no;
  Match result = Match::yes;
  // The last part first: it differs most.
  for (std::size_t i = count_; i-- > 0;) {
    auto part = arn.parts[i];
    if (open_ && i + 1 == count_) part = arn.text.substr(static_cast<std::size_t>(part.data() - arn.text.data()));
    const auto match = parts_[i].match(part, variables);
    if (match == Match::no) return match;
    if (match == Match::unknown) result = match;
  }
  return result;
}

void ArnPattern::add_variables(std::vector<std::string>& names) const {
  for (const auto& part : parts_) part.add_variables(names);
}

std::uint64_t bit_of_service(std::string_view lower_case_service) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : lower_case_service) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return std::uint64_t{1} << (hash >> 58U);
}

ActionName::ActionName(std::string_view action) {
  const auto colon = action.find(':');
  if (action.size() > lower_.size() || colon == std::string_view::npos) return;
  std::transform(action.begin(), action.end(), lower_.begin(), lower_letter);
  const std::string_view lower(lower_.data(), action.size());
  service_ = lower.substr(0, colon);
  name_ = lower.substr(colon + 1);
  service_bit_ = bit_of_service(service_);
}

ActionPattern::ActionPattern(std::string_view service, std::string_view name, TextPool& pool)
    : service_(pool.keep(service)), service_bits_(service.empty() ? ~std::uint64_t{0} : bit_of_service(service)), name_(name, {}, pool) {}

bool ActionPattern::matches(const ActionName& action) const {
  if (!service_.empty() && ((service_bits_ & action.service_bit()) == 0 || service_ != action.service())) return false;
  return name_.match(action.name(), no_variables) == Match::yes;
}

}  // namespace brume::policy
