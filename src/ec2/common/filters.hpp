// The Filter parameter of every Describe action (NET-010 ff.): names declared per resource, values with * and ? as wildcards.
//
//   const FilterField<state::Volume> volume_filters[] = {
//       field<&state::Volume::id>("volume-id"),                     // a member: text, number, flag or time
//       field_if_set<&state::Volume::snapshot_id>("snapshot-id"),   // the same, but an empty text is no value at all
//       {"fast", [](const auto& at, auto& out) { … out.add(…); }},  // anything else: adds each value that the record has
//   };
//   const FilterSet<state::Volume> filters(volume_filters, request.filters, &context);
//   if (filters.match(world, volume)) …
//
// Several filters must all hold; of one filter's values any may. Values are compared as they are printed ("true", "8",
// "2010-08-17T14:26:07.000Z"), with their case. "tag:Name", "tag-key" and "tag-value" work for every resource. The whole of a Describe
// action (ids, filters, pages) is in describe.hpp.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/time.hpp"
#include "service/action.hpp"
#include "state/world.hpp"
#include "wire/ec2/common.hpp"

namespace brume::ec2 {

// Whether `value` matches `pattern`, in which * is any text, ? is one character, and \ makes the next character literal. Case counts.
bool matches_pattern(std::string_view pattern, std::string_view value);

// Takes the values that a record has for one filter and remembers whether one of them matches.
class FilterValues {
 public:
  explicit FilterValues(const std::vector<std::string>& patterns) : patterns_(patterns) {}
  void add(std::string_view value);
  void add(std::int64_t value);
  void add(bool value) { add(value ? std::string_view("true") : std::string_view("false")); }
  void add(const char* value) { add(std::string_view(value)); }
  void add(const std::string& value) { add(std::string_view(value)); }
  // A state, by its name.
  template <class State>
  requires std::is_enum_v<State>
  void add(State value) { add(name_of(value)); }
  void add(Time value) { add(std::string_view(format_iso8601(value))); }
  bool matched() const { return matched_; }

 private:
  const std::vector<std::string>& patterns_;
  bool matched_ = false;
};

template <class R>
struct FilterSubject {
  const state::World& world;
  const R& record;
  const service::Context* context = nullptr;  // if the FilterSet was given one: the caller and its installation
};

template <class R>
struct FilterField {
  std::string_view name;
  void (*values)(const FilterSubject<R>& at, FilterValues& out);
};

namespace detail {
template <class Member>
struct MemberOf;
template <class R, class Value>
struct MemberOf<Value R::*> {
  using Record = R;
};
}  // namespace detail

// The values of a member: one, or each of a list of texts.
template <auto member>
constexpr auto field(std::string_view name) {
  using R = typename detail::MemberOf<decltype(member)>::Record;
  return FilterField<R>{name, [](const FilterSubject<R>& at, FilterValues& out) {
                          const auto& value = at.record.*member;
                          if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::vector<std::string>>)
                            for (const auto& one : value) out.add(one);
                          else
                            out.add(value);
                        }};
}
template <auto member>
constexpr auto field_if_set(std::string_view name) {
  using R = typename detail::MemberOf<decltype(member)>::Record;
  return FilterField<R>{name, [](const FilterSubject<R>& at, FilterValues& out) {
                          if (!(at.record.*member).empty()) out.add(at.record.*member);
                        }};
}

namespace detail {
// Throws MissingParameter: no name; FilterLimitExceeded: too many values. `place` counts from 1. A filter without values is valid and
// matches nothing: programs compute the list of values, and it may be empty.
void check_filter(const wire::ec2::Filter& filter, size_t place = 1);
void check_filter_count(size_t filters);
[[noreturn]] void refuse_filter(std::string_view name);
bool is_tag_filter(std::string_view name);
bool are_plain(const std::vector<std::string>& patterns);  // each matches only itself
bool tags_match(const state::World& world, std::string_view account, std::string_view resource_id, const wire::ec2::Filter& filter);
}  // namespace detail

template <class R>
class FilterSet {
 public:
  // `asked` must outlive the set. Throws InvalidParameterValue for a filter that the resource does not have, and what check_filter
  // throws.
  FilterSet(std::span<const FilterField<R>> fields, const std::vector<wire::ec2::Filter>& asked, const service::Context* context = nullptr)
      : context_(context) {
    detail::check_filter_count(asked.size());
    for (const auto& filter : asked) {
      detail::check_filter(filter, filters_.size() + 1);
      const FilterField<R>* found = nullptr;
      for (const auto& field : fields)
        if (field.name == *filter.name) found = &field;
      if (found == nullptr && !detail::is_tag_filter(*filter.name)) detail::refuse_filter(*filter.name);
      filters_.push_back({&filter, found});
    }
  }

  bool empty() const { return filters_.empty(); }

  // If a filter on the resource's own ids names them without a pattern: these ids, so that nothing else has to be examined.
  std::optional<std::vector<std::string>> ids() const {
    constexpr auto own_id = ec2::field<&R::id>("").values;
    for (const auto& [filter, field] : filters_)
      if (field != nullptr && field->values == own_id && detail::are_plain(filter->values)) return filter->values;
    return std::nullopt;
  }

  // `account` owns the tags, `resource_id` has them.
  bool match(const state::World& world, const R& record, std::string_view account, std::string_view resource_id) const {
    for (const auto& [filter, field] : filters_) {
      if (field == nullptr) {
        if (!detail::tags_match(world, account, resource_id, *filter)) return false;
        continue;
      }
      FilterValues values(filter->values);
      field->values({world, record, context_}, values);
      if (!values.matched()) return false;
    }
    return true;
  }
  bool match(const state::World& world, const R& record) const { return match(world, record, record.account, record.id); }

 private:
  struct Asked {
    const wire::ec2::Filter* filter;
    const FilterField<R>* field;  // null: a tag filter
  };
  const service::Context* context_;
  std::vector<Asked> filters_;
};

}  // namespace brume::ec2
