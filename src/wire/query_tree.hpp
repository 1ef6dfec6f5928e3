// The parameters of a Query request: flat for the signature, and as a tree for the typed requests.
//
// "Filter.1.Value.2=x" is a leaf of a tree whose levels are the dotted segments. No tree is built: the pairs are sorted once,
// segment by segment and numbers as numbers, so that everything under a prefix is one contiguous range and list items come in
// their order. A node is such a range; looking a name up is a binary search in it.
//
// The pairs are sorted when a node is first asked for, which is after the signature was checked: what anybody may send costs no more
// than to be read once.
//
// Every leaf that is read is marked, so that what nobody knows can be refused (require_all_read).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"

namespace brume::wire {

class QueryTree;

// How a timestamp is spelled. Usual: as the protocol does where the model says nothing: ISO 8601 in a query and in XML, seconds since 1970
// in JSON and CBOR.
enum class TimeFormat : std::uint8_t { usual, iso8601, unix_seconds, http_date };

// Limits of one request; beyond them it is refused with MalformedQueryString.
struct QueryLimits {
  size_t parameters = 10'000;
  size_t name_bytes = 256;
  size_t depth = 12;  // dotted segments of a name
};

// Everything below one prefix. Cheap to copy; valid as long as its tree stays where it is.
class QueryNode {
 public:
  // Is there anything here?
  explicit operator bool() const { return begin_ != end_; }
  QueryNode child(std::string_view name) const;
  // The value at exactly this name (not below it), marked as read. nullopt: none.
  std::optional<std::string_view> value() const;
  // "BlockDeviceMapping.1.Ebs", as the sender spelled it; empty for the root.
  std::string path() const;
  // The API version that the request is in: a parameter that came later is not read.
  int version() const;
  // How a timestamp here is spelled, of which the model says `wanted`.
  TimeFormat times(TimeFormat wanted) const;
  // Throws missing_parameter for `name` below this node.
  [[noreturn]] void missing(std::string_view name) const;

 private:
  friend class QueryTree;
  friend class QueryItems;
  QueryNode(const QueryTree* tree, std::uint32_t begin, std::uint32_t end, std::uint32_t prefix)
      : tree_(tree), begin_(begin), end_(end), prefix_(prefix) {}

  const QueryTree* tree_;
  std::uint32_t begin_, end_;  // range of the sorted leaves
  std::uint32_t prefix_;       // bytes of their names that lead here, the last dot included
};

// Parses and owns the parameters. Threads: one at a time, reading marks leaves.
class QueryTree {
 public:
  // `query`: of the URL, `form`: the body; both application/x-www-form-urlencoded. Throws ApiError (malformed_query).
  // A name given twice with one value counts once; with two values the request is ambiguous and refused, by root().
  explicit QueryTree(std::string_view query, std::string_view form = {}, QueryLimits limits = {});
  // Parameters that were read or kept as pairs already: those of a body, for example (codec/body_tree.hpp). An empty one whose name ends in
  // a dot says that there is a structure with nothing in it.
  explicit QueryTree(std::vector<std::pair<std::string, std::string>> pairs);
  QueryTree(const QueryTree&) = delete;
  QueryTree& operator=(const QueryTree&) = delete;

  // 20111201; every parameter there is, unless it is set.
  void set_version(int version) { version_ = version; }
  // How timestamps are spelled where the model does not say; `always`: also where it does (CBOR has one form only).
  void set_times(TimeFormat usual, bool always = false) {
    times_ = usual;
    one_form_of_times_ = always;
  }

  // All pairs, decoded, in the order sent, duplicates included.
  const std::vector<std::pair<std::string, std::string>>& pairs() const { return pairs_; }
  // An undotted parameter such as Action or Version; empty when absent. Of one that is given twice, the first.
  std::string_view find(std::string_view name) const;
  // Throws ApiError (malformed_query) when a name is given twice with two values.
  QueryNode root() const;
  // Throws unknown_parameter for the first leaf, in the order sent, that nothing read and that is not common to all actions.
  void require_all_read() const;

 private:
  friend class QueryNode;
  friend class QueryItems;
  struct Leaf {
    std::uint32_t pair;
    mutable bool read;
  };

  void parse(std::string_view text, const QueryLimits& limits);
  void sort_leaves() const;
  std::string_view name(std::uint32_t leaf) const { return pairs_[leaves_[leaf].pair].first; }

  std::vector<std::pair<std::string, std::string>> pairs_;
  mutable std::vector<Leaf> leaves_;  // of all pairs, once sorted_
  int version_ = std::numeric_limits<int>::max();
  TimeFormat times_ = TimeFormat::iso8601;
  bool one_form_of_times_ = false;
  bool is_of_pairs_ = false;
  mutable bool sorted_ = false;
};

inline int QueryNode::version() const { return tree_->version_; }
inline TimeFormat QueryNode::times(TimeFormat wanted) const {
  return wanted == TimeFormat::usual || tree_->one_form_of_times_ ? tree_->times_ : wanted;
}

// The numbered children of a node in numeric order, gaps and any first number accepted, and before them an unnumbered one:
//   for (QueryItems items(node.child("Filter")); items.next();) read(items.node(), out.emplace_back());
class QueryItems {
 public:
  explicit QueryItems(QueryNode list);
  bool next();
  const QueryNode& node() const { return item_; }

 private:
  QueryNode list_;
  QueryNode item_;
  bool bare_ = false;  // the first item has no number
};

// The wrapper level of the query protocol ("List.member.1", "Map.entry.1"), or the node itself where the sender left it out.
QueryNode unwrap(const QueryNode& list, std::string_view wrapper);
// The child of the one name, or else of the other.
QueryNode either(const QueryNode& node, std::string_view name, std::string_view other);

// This node's own value. False: there is none. Throw invalid_parameter_value when it is not of the type.
bool read_value(const QueryNode& node, std::string& out);
bool read_value(const QueryNode& node, bool& out);
bool read_value(const QueryNode& node, std::int64_t& out);
bool read_value(const QueryNode& node, double& out);
bool read_value(const QueryNode& node, Time& out, TimeFormat format = TimeFormat::usual);
bool read_int32(const QueryNode& node, std::int64_t& out);
bool read_blob(const QueryNode& node, std::string& out);

// The value of the member `name`. False: absent, `out` is left empty.
bool read_member(const QueryNode& node, std::string_view name, std::optional<std::string>& out);
bool read_member(const QueryNode& node, std::string_view name, std::optional<bool>& out);
bool read_member(const QueryNode& node, std::string_view name, std::optional<std::int64_t>& out);
bool read_member(const QueryNode& node, std::string_view name, std::optional<double>& out);
bool read_member(const QueryNode& node, std::string_view name, std::optional<Time>& out, TimeFormat format = TimeFormat::usual);
bool read_int32_member(const QueryNode& node, std::string_view name, std::optional<std::int64_t>& out);
bool read_blob_member(const QueryNode& node, std::string_view name, std::optional<std::string>& out);

}  // namespace brume::wire
