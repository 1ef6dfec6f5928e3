// The Filter parameter of every Describe action (NET-010 ff.): names declared per resource, values with * and ? as wildcards.
//
//   static const FilterField<state::Vpc> fields[] = {{"vpc-id", [](const auto& at, auto& out) { out.add(at.record.id); }}, …};
//   const FilterSet<state::Vpc> filters(fields, request.filters);
//   if (filters.match(world, vpc)) …
//
// Several filters must all hold; of one filter's values any may. "tag:Name", "tag-key" and "tag-value" work for every resource.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "state/world.hpp"
#include "wire/ec2/common.hpp"

namespace brume::ec2 {

// Does `value` fit `pattern`, in which * stands for any text, ? for one character, and \ takes the meaning from the next? Case counts.
bool matches_pattern(std::string_view pattern, std::string_view value);

// Takes the values that a record has for one filter and remembers whether one of them is asked for.
class FilterValues {
 public:
  explicit FilterValues(const std::vector<std::string>& patterns) : patterns_(patterns) {}
  void add(std::string_view value);
  void add(std::int64_t value);
  void add(bool value) { add(value ? std::string_view("true") : std::string_view("false")); }
  void add(const char* value) { add(std::string_view(value)); }
  void add(const std::string& value) { add(std::string_view(value)); }
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
};

template <class R>
struct FilterField {
  std::string_view name;
  void (*values)(const FilterSubject<R>& at, FilterValues& out);
};

namespace detail {
// Throws InvalidParameterValue: no name, no values, more than 200 values.
void check_filter(const wire::ec2::Filter& filter);
[[noreturn]] void refuse_filter(std::string_view name);
bool is_tag_filter(std::string_view name);
bool tags_match(const state::World& world, std::string_view account, std::string_view resource_id, const wire::ec2::Filter& filter);
}  // namespace detail

template <class R>
class FilterSet {
 public:
  // `asked` must outlive the set. Throws InvalidParameterValue for a filter that the resource does not have.
  FilterSet(std::span<const FilterField<R>> fields, const std::vector<wire::ec2::Filter>& asked) {
    for (const auto& filter : asked) {
      detail::check_filter(filter);
      const FilterField<R>* found = nullptr;
      for (const auto& field : fields)
        if (field.name == *filter.name) found = &field;
      if (found == nullptr && !detail::is_tag_filter(*filter.name)) detail::refuse_filter(*filter.name);
      filters_.push_back({&filter, found});
    }
  }

  bool empty() const { return filters_.empty(); }

  // `account` owns the tags that are looked at, `resource_id` has them.
  bool match(const state::World& world, const R& record, std::string_view account, std::string_view resource_id) const {
    for (const auto& [filter, field] : filters_) {
      if (field == nullptr) {
        if (!detail::tags_match(world, account, resource_id, *filter)) return false;
        continue;
      }
      FilterValues values(filter->values);
      field->values({world, record}, values);
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
  std::vector<Asked> filters_;
};

}  // namespace brume::ec2
