#include "wire/codec/body_tree.hpp"

#include <fmt/format.h>

#include "wire/api_error.hpp"
#include "wire/query_tree.hpp"

namespace brume::wire {
namespace {

using schema::Kind;

bool fits(Kind kind, BodyValue value, bool is_binary, std::string_view text) {
  switch (kind) {
    case Kind::string: return value == BodyValue::text;
    case Kind::boolean: return value == BodyValue::boolean;
    case Kind::integer:
    case Kind::long_integer: return value == BodyValue::number;
    case Kind::number: return value == BodyValue::number || text == "NaN" || text == "Infinity" || text == "-Infinity";
    case Kind::timestamp: return is_binary ? value == BodyValue::time : value == BodyValue::number || value == BodyValue::text;
    case Kind::blob: return value == (is_binary ? BodyValue::bytes : BodyValue::text);
    case Kind::structure:
    case Kind::list:
    case Kind::map: break;
  }
  return false;
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::string: return "a text";
    case Kind::boolean: return "true or false";
    case Kind::integer:
    case Kind::long_integer: return "an integer";
    case Kind::number: return "a number";
    case Kind::timestamp: return "a time";
    case Kind::blob: return "bytes";
    case Kind::structure: return "a structure";
    case Kind::list: return "a list";
    case Kind::map: break;
  }
  return "a map";
}

}  // namespace

void BodyTree::refuse(std::string_view why) const {
  constexpr size_t shown = 256;
  throw ApiError(
      400, "SerializationException",
      name_.empty() ? fmt::format("The body {}", why) : fmt::format("The value of {} {}", std::string_view(name_).substr(0, shown), why));
}

BodyTree::Inside::Inside(BodyTree& tree, BodyPlace place, bool is_list)
    : tree_(tree), place_(place), is_list_(is_list), before_(tree.pairs_.size()) {
  const auto* shape = place.shape;
  if (shape != nullptr && is_list != (shape->kind == Kind::list)) tree.refuse(fmt::format("has to be {}.", kind_name(shape->kind)));
  if (shape != nullptr && !is_list && shape->kind != Kind::structure && shape->kind != Kind::map)
    tree.refuse(fmt::format("has to be {}.", kind_name(shape->kind)));
  if (tree.depth_ == deepest) tree.refuse("is nested too deeply.");
  ++tree.depth_;
}

BodyTree::Inside::~Inside() { --tree_.depth_; }

void BodyTree::Inside::end() {
  const bool is_structure = !is_list_ && (place_.shape == nullptr || place_.shape->kind == Kind::structure);
  if (is_structure && tree_.pairs_.size() == before_ && !tree_.name_.empty()) tree_.add(tree_.name_ + ".", {});
}

// Each value carries its whole name: without a limit one long key over many values would be gigabytes.
void BodyTree::append(std::string_view part) {
  if (name_.size() + 1 + part.size() > QueryLimits{}.name_bytes) refuse("has a member whose name is too long.");
  if (!name_.empty()) name_ += '.';
  name_ += part;
}

void BodyTree::add(std::string name, std::string text) {
  if (pairs_.size() >= QueryLimits{}.parameters) throw ApiError(400, "SerializationException", "The body has too many values.");
  pairs_.emplace_back(std::move(name), std::move(text));
}

BodyPlace BodyTree::enter_member(BodyPlace of, std::string_view name, size_t number) {
  if (of.shape != nullptr && of.shape->kind == Kind::map) {
    append(std::to_string(number));
    add(name_ + ".key", std::string(name));
    append("value");
    return {of.service, of.service->shape(of.shape->element)};
  }
  if (of.shape != nullptr)
    for (const auto& member : of.service->members_of(*of.shape)) {
      if (member.element != name) continue;
      append(member.parameter);
      return {of.service, of.service->shape(member.shape)};
    }
  if (name.empty() || name.find('.') != std::string_view::npos) refuse("has a member whose name is empty or has a dot.");
  append(name);
  return {};
}

BodyPlace BodyTree::enter_item(BodyPlace of, size_t number) {
  append(std::to_string(number));
  if (of.shape == nullptr) return {};
  return {of.service, of.service->shape(of.shape->element)};
}

void BodyTree::value(BodyPlace place, BodyValue kind, std::string text) {
  if (place.shape != nullptr && !fits(place.shape->kind, kind, is_binary_, text))
    refuse(fmt::format("has to be {}.", kind_name(place.shape->kind)));
  add(name_, std::move(text));
}

}  // namespace brume::wire
