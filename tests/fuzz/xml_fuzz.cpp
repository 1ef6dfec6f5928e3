// Any bytes as texts of an answer: the document is UTF-8 of characters that XML 1.0 allows, another parser reads it, and what it reads
// is what was written wherever XML has a way to say it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <pugixml.hpp>
#include <string>
#include <string_view>

#include "wire/xml_writer.hpp"

namespace {

using namespace brume::wire;

void require(bool holds) {
  if (!holds) std::abort();
}

// The next character of strict UTF-8, or none; `at` goes on behind it, or by one byte.
std::optional<std::uint32_t> next_character(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const std::uint32_t lead = byte(at++);
  if (lead < 0x80) return lead;
  const std::size_t more = lead >= 0xF0 && lead < 0xF8 ? 3 : lead >= 0xE0 && lead < 0xF0 ? 2 : lead >= 0xC2 && lead < 0xE0 ? 1 : 0;
  if (more == 0) return std::nullopt;
  std::uint32_t code = lead & (0x3FU >> more);
  for (std::size_t i = 0; i < more; ++i) {
    if ((byte(at + i) & 0xC0U) != 0x80U) return std::nullopt;
    code = code << 6U | (byte(at + i) & 0x3FU);
  }
  constexpr std::uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  if (code < least[more] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return std::nullopt;
  at += more;
  return code;
}

bool is_xml_character(std::uint32_t code) {
  return code == '\t' || code == '\n' || code == '\r' || (code >= 0x20 && code != 0xFFFE && code != 0xFFFF);
}

bool can_be_said(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto code = next_character(text, at);
    if (!code || !is_xml_character(*code)) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  XmlWriter writer;
  writer.raw("<answer><first>");
  writer.text(text);
  writer.raw("</first><second>");
  writer.text(text.substr(0, size / 2));  // cut anywhere, also inside a character
  writer.raw("</second></answer>");
  const std::string document = writer.take();
  require(can_be_said(document));
  pugi::xml_document read;
  require(static_cast<bool>(
      read.load_buffer(document.data(), document.size(), pugi::parse_default | pugi::parse_ws_pcdata, pugi::encoding_utf8)));
  const pugi::xml_node answer = read.child("answer");
  std::size_t children = 0;
  for (const auto& child : answer.children()) {
    ++children;
    for (const auto& inner : child.children()) require(inner.type() == pugi::node_pcdata);
  }
  require(children == 2);
  const std::string_view first = answer.child("first").text().get();
  if (can_be_said(text)) require(first == text);
  require(can_be_said(first));
  return 0;
}
