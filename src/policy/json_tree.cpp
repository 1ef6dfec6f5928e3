#include "policy/json_tree.hpp"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>

namespace brume::policy {
namespace {

namespace json = boost::json;

// What the parser calls, piece by piece. Returning false stops it.
class TreeHandler {
 public:
  using Code = json::error_code;
  using View = json::string_view;
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  JsonNode take() { return std::move(root_); }

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) { return begin(JsonKind::object); }
  bool on_object_end(std::size_t, Code& code) {
    auto names = open_.back().names;
    std::sort(names.begin(), names.end());
    if (std::adjacent_find(names.begin(), names.end()) != names.end()) return refuse(code);
    return end();
  }
  bool on_array_begin(Code&) { return begin(JsonKind::list); }
  bool on_array_end(std::size_t, Code&) { return end(); }
  bool on_key_part(View text, std::size_t, Code&) { return append(text); }
  bool on_key(View text, std::size_t, Code&) {
    append(text);
    open_.back().names.push_back(std::move(part_));
    part_.clear();
    return true;
  }
  bool on_string_part(View text, std::size_t, Code&) { return append(text); }
  bool on_string(View text, std::size_t, Code&) { return append(text) && leaf(JsonKind::text); }
  bool on_number_part(View text, Code&) { return append(text); }
  bool on_int64(std::int64_t, View text, Code&) { return append(text) && leaf(JsonKind::number); }
  bool on_uint64(std::uint64_t, View text, Code&) { return append(text) && leaf(JsonKind::number); }
  bool on_double(double, View text, Code&) { return append(text) && leaf(JsonKind::number); }
  bool on_bool(bool value, Code&) {
    part_ = value ? "true" : "false";
    return leaf(JsonKind::boolean);
  }
  bool on_null(Code&) { return leaf(JsonKind::null); }
  bool on_comment_part(View, Code& code) { return refuse(code); }
  bool on_comment(View, Code& code) { return refuse(code); }

 private:
  static bool refuse(Code& code) {
    code = json::error::syntax;
    return false;
  }
  bool append(View text) {
    part_.append(text.data(), text.size());
    return true;
  }
  bool begin(JsonKind kind) {
    open_.emplace_back();
    open_.back().kind = kind;
    return true;
  }
  bool end() {
    auto done = std::move(open_.back());
    open_.pop_back();
    return put(std::move(done));
  }
  bool leaf(JsonKind kind) {
    JsonNode node;
    node.kind = kind;
    node.text = std::move(part_);
    part_.clear();
    return put(std::move(node));
  }
  bool put(JsonNode&& node) {
    if (open_.empty())
      root_ = std::move(node);
    else
      open_.back().items.push_back(std::move(node));
    return true;
  }

  JsonNode root_;
  std::vector<JsonNode> open_;
  std::string part_;
};

}  // namespace

const JsonNode* JsonNode::member(std::string_view name) const {
  if (kind != JsonKind::object) return nullptr;
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? nullptr : &items[static_cast<std::size_t>(found - names.begin())];
}

std::optional<JsonNode> read_json_tree(std::string_view text, std::size_t depth) {
  json::parse_options options;
  options.max_depth = depth;
  json::basic_parser<TreeHandler> parser(options);
  json::error_code code;
  const auto used = parser.write_some(false, text.data(), text.size(), code);
  if (code || used != text.size()) return std::nullopt;
  return parser.handler().take();
}

}  // namespace brume::policy
