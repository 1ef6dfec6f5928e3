#include "compare.hpp"

#include <algorithm>
#include <map>
#include <pugixml.hpp>
#include <vector>

#include "base/text.hpp"

namespace brume::wire {
namespace {

std::string canonical_text(const char* text) {
  const std::string_view trimmed = trim(text);
  const auto time = parse_iso8601(trimmed);
  return time ? format_iso8601(*time) : std::string(trimmed);
}

std::string canonical_element(const pugi::xml_node& node, const std::string& path, bool sort_entries) {
  std::string own;
  std::map<std::string, std::string> attributes;
  for (const auto& attribute : node.attributes()) attributes[attribute.name()] = attribute.value();
  for (const auto& [name, value] : attributes) own += path + "@" + name + " = " + value + "\n";
  std::vector<std::string> children;
  for (const auto& child : node.children()) {
    const std::string_view name = child.name();
    if (child.type() == pugi::node_pcdata) {
      own += path + " = " + canonical_text(child.value()) + "\n";
    } else if (child.type() == pugi::node_element && name != "requestId" && name != "ResponseMetadata") {
      children.push_back(canonical_element(child, path + "/" + child.name(), sort_entries));
    }
  }
  if (sort_entries) std::sort(children.begin(), children.end());
  for (const std::string& child : children) own += child;
  return own.empty() && !path.empty() ? path + " is empty\n" : own;
}

}  // namespace

std::string canonical(const std::string& document, bool sort_entries) {
  pugi::xml_document parsed;
  const auto result = parsed.load_buffer(document.data(), document.size());
  if (!result) return "not XML: " + std::string(result.description());
  pugi::xml_node root = parsed.document_element();
  const std::string name = root.name();
  root.remove_attributes();
  return name + "\n" + canonical_element(root, "", sort_entries);
}

std::string canonical_beside(const std::string& expected, const std::string& document, bool sort_entries) {
  const std::string text = canonical(document, sort_entries);
  const auto lines = split(text, '\n');
  std::string out;
  for (const std::string_view line : lines) {
    const std::string whole = std::string(line) + "\n";
    const bool empty_element = whole.find(" is empty\n") != std::string::npos;
    if (!line.empty() && (!empty_element || expected.find(whole) != std::string::npos)) out += whole;
  }
  return out;
}

std::string text_at(const std::string& document, const char* path) {
  pugi::xml_document parsed;
  parsed.load_buffer(document.data(), document.size());
  return parsed.select_node(path).node().text().get();
}

}  // namespace brume::wire
