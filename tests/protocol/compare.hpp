// Comparing what a case wants with what came out.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "wire/api_error.hpp"
#include "wire/envelope.hpp"
#include "wire/query_tree.hpp"
#include "wire/xml_writer.hpp"

namespace brume::wire {

inline Time at_milliseconds(std::int64_t since_epoch) { return Time(milliseconds(since_epoch)); }

template <class T>
bool same(const T& a, const T& b) {
  return a == b;
}
inline bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

// A document as lines of "path = text". White space around text, the order of attributes, the spelling of times, the root's
// namespace and request ids do not count; entries of maps come in any order.
std::string canonical(const std::string& document, bool sort_entries);
// The same, without the empty elements that `expected` (canonical too) does not have: EC2 and Query answers have an empty
// element for a list that the cases' results leave out.
std::string canonical_beside(const std::string& expected, const std::string& document, bool sort_entries);

// The text at an XPath; empty: nothing there.
std::string text_at(const std::string& document, const char* path);

}  // namespace brume::wire
