#include "wire/query_tree.hpp"

#include <algorithm>
#include <limits>

#include "base/text.hpp"
#include "wire/api_error.hpp"
#include "wire/scalars.hpp"

namespace brume::wire {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string form_decode(std::string_view text) {
  if (text.find_first_of("%+") == std::string_view::npos) return std::string(text);
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) throw malformed_query("The query string contains a malformed percent escape");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string_view first_segment(std::string_view name) { return name.substr(0, name.find('.')); }

bool is_number(std::string_view segment) {
  return !segment.empty() && std::all_of(segment.begin(), segment.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Numbers by value and before names; leading zeros keep two spellings of a number apart.
int compare_segments(std::string_view a, std::string_view b) {
  const bool a_number = is_number(a);
  const bool b_number = is_number(b);
  if (a_number != b_number) return a_number ? -1 : 1;
  if (!a_number) return a.compare(b);
  const std::string_view a_digits = a.substr(std::min(a.find_first_not_of('0'), a.size()));
  const std::string_view b_digits = b.substr(std::min(b.find_first_not_of('0'), b.size()));
  if (a_digits.size() != b_digits.size()) return a_digits.size() < b_digits.size() ? -1 : 1;
  if (const int order = a_digits.compare(b_digits)) return order;
  return a.size() == b.size() ? 0 : (a.size() < b.size() ? -1 : 1);
}

// The name as bytes that compare as its segments do, so that sorting thousands of names compares bytes and takes no name apart more than
// once. A segment ends in what is smaller than any other byte of one; a name that ends comes before one that goes on.
std::string sort_key(std::string_view name) {
  constexpr char number_follows = 1;
  constexpr char word_follows = 2;
  const auto put_length = [](std::string& key, size_t length) {
    for (int shift = 24; shift >= 0; shift -= 8) key += static_cast<char>(length >> shift);
  };
  std::string key;
  key.reserve(name.size() * 2);
  for (bool is_last = false; !is_last;) {
    const auto segment = first_segment(name);
    is_last = segment.size() == name.size();
    if (!is_last) name.remove_prefix(segment.size() + 1);
    if (is_number(segment)) {
      const auto digits = segment.substr(std::min(segment.find_first_not_of('0'), segment.size()));
      key += number_follows;
      put_length(key, digits.size());
      key += digits;
      put_length(key, segment.size());
      continue;
    }
    key += word_follows;
    for (const char c : segment) {
      key += c;
      if (c == '\0') key += '\xff';
    }
    key.append(2, '\0');
  }
  return key;
}

// What every action may carry: addressing and signatures.
bool is_common(std::string_view name) {
  static constexpr std::string_view names[] = {"Action",           "Version",   "AWSAccessKeyId", "Signature",    "SignatureMethod",
                                               "SignatureVersion", "Timestamp", "Expires",        "SecurityToken"};
  if (std::find(std::begin(names), std::end(names), name) != std::end(names)) return true;
  return name.size() > 6 && equals_ignoring_case(name.substr(0, 6), "X-Amz-");
}

[[noreturn]] void bad_value(const QueryNode& node, std::string_view value, std::string_view expected) {
  constexpr size_t shown = 256;
  std::string message = "Value (";
  message.append(value.substr(0, shown)).append(") for parameter ").append(node.path()).append(" is invalid. ").append(expected);
  throw invalid_parameter_value(std::move(message));
}

template <class T, class... Format>
bool read_optional(const QueryNode& node, std::string_view name, std::optional<T>& out, Format... format) {
  const QueryNode child = node.child(name);
  T value{};
  if (!child || !read_value(child, value, format...)) return false;
  out = std::move(value);
  return true;
}

}  // namespace

QueryTree::QueryTree(std::string_view query, std::string_view form, QueryLimits limits) {
  parse(query, limits);
  parse(form, limits);
}

QueryTree::QueryTree(std::vector<std::pair<std::string, std::string>> pairs) : pairs_(std::move(pairs)), is_of_pairs_(true) {}

void QueryTree::parse(std::string_view text, const QueryLimits& limits) {
  const auto separators = static_cast<size_t>(std::count(text.begin(), text.end(), '&'));
  if (!text.empty()) pairs_.reserve(std::min(pairs_.size() + separators + 1, limits.parameters));
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    if (part.empty()) continue;
    const size_t equals = std::min(part.find('='), part.size());
    if (equals == 0) throw malformed_query("The query string contains a parameter without a name");
    if (pairs_.size() == limits.parameters) {
      throw malformed_query("The query string contains more than " + std::to_string(limits.parameters) + " parameters");
    }
    std::string name = form_decode(part.substr(0, equals));
    if (name.size() > limits.name_bytes) throw malformed_query("The query string contains a parameter name that is too long");
    if (static_cast<size_t>(std::count(name.begin(), name.end(), '.')) >= limits.depth) {
      throw malformed_query("The query string contains a parameter name with too many parts");
    }
    pairs_.emplace_back(std::move(name), form_decode(part.substr(std::min(equals + 1, part.size()))));
  }
}

void QueryTree::sort_leaves() const {
  struct Keyed {
    std::string key;
    std::uint32_t pair;
  };
  std::vector<Keyed> sorted;
  sorted.reserve(pairs_.size());
  for (std::uint32_t i = 0; i < pairs_.size(); ++i) sorted.push_back({sort_key(pairs_[i].first), i});
  std::sort(sorted.begin(), sorted.end(), [](const Keyed& a, const Keyed& b) {
    const int order = a.key.compare(b.key);
    return order != 0 ? order < 0 : a.pair < b.pair;
  });
  leaves_.reserve(sorted.size());
  for (const auto& one : sorted) {
    const auto& [name, value] = pairs_[one.pair];
    const auto* before = leaves_.empty() ? nullptr : &pairs_[leaves_.back().pair];
    if (before == nullptr || before->first != name)
      leaves_.push_back({one.pair, false});
    else if (before->second != value)
      throw malformed_query("The parameter " + name + " is given more than once, with different values");
  }
  sorted_ = true;
}

QueryNode QueryTree::root() const {
  if (!sorted_) {
    leaves_.clear();
    sort_leaves();
  }
  return {this, 0, static_cast<std::uint32_t>(leaves_.size()), 0};
}

std::string_view QueryTree::find(std::string_view name) const {
  for (const auto& [key, value] : pairs_)
    if (key == name) return value;
  return {};
}

void QueryTree::require_all_read() const {
  root();
  const Leaf* first = nullptr;
  const auto is_marker = [this](const Leaf& leaf) {
    const auto& [name, value] = pairs_[leaf.pair];
    return is_of_pairs_ && value.empty() && name.ends_with('.');
  };
  for (const Leaf& leaf : leaves_) {
    if (!leaf.read && !is_marker(leaf) && (first == nullptr || leaf.pair < first->pair) && !is_common(pairs_[leaf.pair].first))
      first = &leaf;
  }
  if (first != nullptr) throw unknown_parameter(pairs_[first->pair].first);
}

QueryNode QueryNode::child(std::string_view name) const {
  const auto segment = [this](std::uint32_t leaf) {
    const std::string_view full = tree_->name(leaf);
    return full.size() < prefix_ ? std::string_view() : first_segment(full.substr(prefix_));
  };
  // The leaf that ends here, if there is one, comes first and has no segment left.
  std::uint32_t low = begin_;
  if (low != end_ && tree_->name(low).size() < prefix_) ++low;
  const auto first_where = [](std::uint32_t from, std::uint32_t to, auto&& test) {
    while (from < to) {
      const std::uint32_t middle = from + (to - from) / 2;
      if (test(middle)) {
        to = middle;
      } else {
        from = middle + 1;
      }
    }
    return from;
  };
  low = first_where(low, end_, [&](std::uint32_t leaf) { return compare_segments(segment(leaf), name) >= 0; });
  std::uint32_t high = low;
  if (low != end_ && segment(low) == name) {
    high = first_where(low + 1, end_, [&](std::uint32_t leaf) { return compare_segments(segment(leaf), name) > 0; });
  }
  return {tree_, low, high, prefix_ + static_cast<std::uint32_t>(name.size()) + 1};
}

std::optional<std::string_view> QueryNode::value() const {
  if (begin_ == end_ || tree_->name(begin_).size() + 1 != prefix_) return std::nullopt;
  const QueryTree::Leaf& leaf = tree_->leaves_[begin_];
  leaf.read = true;
  return tree_->pairs_[leaf.pair].second;
}

std::string QueryNode::path() const {
  return begin_ == end_ || prefix_ == 0 ? std::string() : std::string(tree_->name(begin_).substr(0, prefix_ - 1));
}

void QueryNode::missing(std::string_view name) const {
  std::string full = path();
  if (!full.empty()) full += '.';
  throw missing_parameter(full.append(name));
}

// "List=" is how the query protocol says that a list is there and empty; "InstanceId=i-1", as in some of EC2's own examples,
// is a list of one.
QueryItems::QueryItems(QueryNode list) : list_(list), item_(list.tree_, list.begin_, list.begin_, list.prefix_) {
  if (!list_ || list_.tree_->name(list_.begin_).size() + 1 != list_.prefix_) return;
  const QueryTree::Leaf& leaf = list_.tree_->leaves_[list_.begin_];
  bare_ = !list_.tree_->pairs_[leaf.pair].second.empty();
  if (!bare_) {
    leaf.read = true;
    item_.end_ = ++list_.begin_;
  }
}

bool QueryItems::next() {
  const std::uint32_t begin = item_.end_;
  if (begin >= list_.end_) return false;
  if (bare_) {
    bare_ = false;
    item_.end_ = begin + 1;
    return true;
  }
  const QueryTree& tree = *list_.tree_;
  const std::string_view segment = first_segment(tree.name(begin).substr(list_.prefix_));
  if (!is_number(segment)) return false;
  std::uint32_t end = begin + 1;
  while (end < list_.end_ && first_segment(tree.name(end).substr(list_.prefix_)) == segment) ++end;
  item_ = QueryNode(&tree, begin, end, list_.prefix_ + static_cast<std::uint32_t>(segment.size()) + 1);
  return true;
}

QueryNode unwrap(const QueryNode& list, std::string_view wrapper) {
  const QueryNode inner = list.child(wrapper);
  return inner ? inner : list;
}

QueryNode either(const QueryNode& node, std::string_view name, std::string_view other) {
  const QueryNode first = node.child(name);
  return first ? first : node.child(other);
}

bool read_value(const QueryNode& node, std::string& out) {
  const auto text = node.value();
  if (text) out = *text;
  return text.has_value();
}

bool read_value(const QueryNode& node, bool& out) {
  const auto text = node.value();
  if (!text) return false;
  if (*text == "1" || equals_ignoring_case(*text, "true")) {
    out = true;
  } else if (*text == "0" || equals_ignoring_case(*text, "false")) {
    out = false;
  } else {
    bad_value(node, *text, "Expected true or false.");
  }
  return true;
}

bool read_value(const QueryNode& node, std::int64_t& out) {
  const auto text = node.value();
  if (!text) return false;
  const auto number = parse_integer(*text);
  if (!number) bad_value(node, *text, "Expected an integer.");
  out = *number;
  return true;
}

bool read_int32(const QueryNode& node, std::int64_t& out) {
  if (!read_value(node, out)) return false;
  if (out < std::numeric_limits<std::int32_t>::min() || out > std::numeric_limits<std::int32_t>::max()) {
    bad_value(node, *node.value(), "Expected an integer of 32 bits.");
  }
  return true;
}

bool read_value(const QueryNode& node, double& out) {
  const auto text = node.value();
  if (!text) return false;
  const auto number = parse_double(*text);
  if (!number) bad_value(node, *text, "Expected a number.");
  out = *number;
  return true;
}

bool read_value(const QueryNode& node, Time& out, TimeFormat format) {
  const auto text = node.value();
  if (!text) return false;
  const auto time = parse_time(*text, node.times(format));
  if (!time) bad_value(node, *text, "Expected a time such as 2011-12-05T13:00:00.000Z.");
  out = *time;
  return true;
}

bool read_blob(const QueryNode& node, std::string& out) {
  const auto text = node.value();
  if (!text) return false;
  auto bytes = from_base64(*text);
  if (!bytes) bad_value(node, *text, "Expected base64-encoded content.");
  out = std::move(*bytes);
  return true;
}

bool read_member(const QueryNode& node, std::string_view name, std::optional<std::string>& out) { return read_optional(node, name, out); }
bool read_member(const QueryNode& node, std::string_view name, std::optional<bool>& out) { return read_optional(node, name, out); }
bool read_member(const QueryNode& node, std::string_view name, std::optional<std::int64_t>& out) { return read_optional(node, name, out); }
bool read_member(const QueryNode& node, std::string_view name, std::optional<double>& out) { return read_optional(node, name, out); }
bool read_member(const QueryNode& node, std::string_view name, std::optional<Time>& out, TimeFormat format) {
  return read_optional(node, name, out, format);
}

bool read_int32_member(const QueryNode& node, std::string_view name, std::optional<std::int64_t>& out) {
  const QueryNode child = node.child(name);
  std::int64_t value = 0;
  if (!child || !read_int32(child, value)) return false;
  out = value;
  return true;
}

bool read_blob_member(const QueryNode& node, std::string_view name, std::optional<std::string>& out) {
  const QueryNode child = node.child(name);
  std::string value;
  if (!child || !read_blob(child, value)) return false;
  out = std::move(value);
  return true;
}

}  // namespace brume::wire
