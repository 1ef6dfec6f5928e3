#include "wire/codec/json_body.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <cstdint>
#include <limits>
#include <list>
#include <string>
#include <utility>

#include "wire/api_error.hpp"

namespace brume::wire {
namespace {

namespace json = boost::json;

[[noreturn]] void refuse_json() { throw ApiError(400, "SerializationException", "The body is not a JSON object."); }

// What Boost's parser tells of a body as it reads it. Every on_… function returns whether it goes on.
class TreeBuilder {
 public:
  // The tree and the size of a body bound these.
  static constexpr size_t max_object_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_array_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_key_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_string_size = std::numeric_limits<size_t>::max();

  TreeBuilder(BodyTree& tree, BodyPlace root) : tree_(tree), root_(root) {}

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }

  bool on_object_begin(json::error_code&) { return open(false); }
  bool on_object_end(size_t, json::error_code&) { return close(); }
  bool on_array_begin(json::error_code&) { return open(true); }
  bool on_array_end(size_t, json::error_code&) { return close(); }

  bool on_key_part(json::string_view part, size_t, json::error_code&) { return keep(part); }
  bool on_key(json::string_view part, size_t, json::error_code&) {
    keep(part);
    key_ = std::exchange(text_, {});
    return true;
  }
  bool on_string_part(json::string_view part, size_t, json::error_code&) { return keep(part); }
  bool on_string(json::string_view part, size_t, json::error_code&) {
    keep(part);
    return value(BodyValue::text);
  }
  // Numbers keep their spelling, so that none loses a digit on its way.
  bool on_number_part(json::string_view part, json::error_code&) { return keep(part); }
  bool on_int64(std::int64_t, json::string_view part, json::error_code&) { return number(part); }
  bool on_uint64(std::uint64_t, json::string_view part, json::error_code&) { return number(part); }
  bool on_double(double, json::string_view part, json::error_code&) { return number(part); }
  bool on_bool(bool is_true, json::error_code&) {
    text_ = is_true ? "true" : "false";
    return value(BodyValue::boolean);
  }
  // As if it was not there.
  bool on_null(json::error_code&) {
    if (levels_.empty()) refuse_json();
    return true;
  }

  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  // An object or list that is being read.
  struct Level {
    Level(BodyTree& tree, BodyPlace place, bool as_list) : inside(tree, place, as_list), is_list(as_list) {}
    BodyTree::Inside inside;
    bool is_list;
  };

  bool keep(json::string_view part) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool number(json::string_view part) {
    keep(part);
    return value(BodyValue::number);
  }

  BodyPlace enter() {
    if (levels_.empty()) return root_;
    auto& around = levels_.back();
    return around.is_list ? around.inside.enter_item() : around.inside.enter_member(key_);
  }
  void leave() {
    if (!levels_.empty()) levels_.back().inside.leave();
  }

  bool value(BodyValue kind) {
    if (levels_.empty()) refuse_json();
    const auto place = enter();
    tree_.value(place, kind, std::exchange(text_, {}));
    leave();
    return true;
  }
  bool open(bool is_list) {
    if (levels_.empty() && is_list) refuse_json();
    const auto place = enter();
    levels_.emplace_back(tree_, place, is_list);
    return true;
  }
  bool close() {
    levels_.back().inside.end();
    levels_.pop_back();
    leave();
    return true;
  }

  BodyTree& tree_;
  BodyPlace root_;
  std::list<Level> levels_;
  std::string key_;
  std::string text_;
};

}  // namespace

BodyTree::Pairs read_json_body(std::string_view body, BodyPlace place) {
  if (body.empty()) return {};
  BodyTree tree(false);
  json::parse_options options;
  options.max_depth = BodyTree::deepest + 1;  // the tree refuses what is deeper, and says where
  json::basic_parser<TreeBuilder> parser(options, tree, place);
  json::error_code failure;
  const auto read = parser.write_some(false, body.data(), body.size(), failure);
  if (failure || read < body.size()) refuse_json();
  return tree.take();
}

}  // namespace brume::wire
