// Tables of nftables as text values, and the transactions that lead from one state to another. Knows nothing about clouds.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace brume::network {

struct Chain {
  std::string hook;  // JSON members of a base chain ("type", "hook", "prio", "policy"), as an object; empty: an ordinary chain
  std::vector<std::string> rules;  // each the JSON array of its expressions
  bool operator==(const Chain&) const = default;
};

struct Set {
  std::string type;                // JSON: "ipv4_addr" in quotes, or an array for a concatenation
  std::string value;               // JSON of a map's value type; empty: a set
  std::set<std::string> elements;  // JSON each; of a map: [key, value]
  bool operator==(const Set&) const = default;
};

struct Table {
  std::string family;
  std::string name;
  std::map<std::string, Chain> chains;
  std::map<std::string, Set> sets;
  bool operator==(const Table&) const = default;
};

// The input of `nft -j -f -`: one atomic transaction, one command per line.

// Replaces the table, whatever was there before. Connections stay, because conntrack is not part of a table.
std::string replace_transaction(const std::vector<Table>& wanted);
// Only the difference; empty if there is none. Both must have the same tables, and a set never changes its type.
std::string change_transaction(const std::vector<Table>& from, const std::vector<Table>& to);
std::string remove_transaction(const std::vector<Table>& tables);

}  // namespace brume::network
