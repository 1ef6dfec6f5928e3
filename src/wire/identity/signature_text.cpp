#include "wire/identity/signature_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace brume::wire {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

void append_encoded_path(std::string& out, std::string_view path) {
  while (true) {
    const auto slash = path.find('/');
    append_percent_encoded(out, path.substr(0, slash));
    if (slash == std::string_view::npos) return;
    out += '/';
    path.remove_prefix(slash + 1);
  }
}

// Without empty, "." and ".." segments, as RFC 3986 removes them.
std::string normalize(std::string_view path) {
  std::vector<std::string_view> kept;
  for (const auto segment : split(path, '/')) {
    if (segment.empty() || segment == ".") continue;
    if (segment != "..")
      kept.push_back(segment);
    else if (!kept.empty())
      kept.pop_back();
  }
  std::string out;
  for (const auto segment : kept) {
    out += '/';
    out += segment;
  }
  if (out.empty() || path.back() == '/') out += '/';
  return out;
}

void append_canonical_path(std::string& out, std::string_view path, bool as_sent) {
  if (path.empty() || path == "/") {
    out += '/';
  } else if (as_sent) {
    append_encoded_path(out, decode(path, false));
  } else {
    append_encoded_path(out, normalize(path));
  }
}

// Sorted by encoded name, then value, without the signature itself (of a presigned request).
void append_canonical_query(std::string& out, std::string_view raw) {
  if (raw.empty()) return;
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [name, value] : decode_query(raw))
    if (name != "X-Amz-Signature") pairs.emplace_back(percent_encode(name), percent_encode(value));
  std::sort(pairs.begin(), pairs.end());
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (i > 0) out += '&';
    out += pairs[i].first;
    out += '=';
    out += pairs[i].second;
  }
}

// Trimmed, and runs of white space inside made one space.
void append_header_value(std::string& out, std::string_view value) {
  bool space = false;
  for (const char c : trim(value)) {
    if (c == ' ' || c == '\t') {
      space = true;
      continue;
    }
    if (space) out += ' ';
    space = false;
    out += c;
  }
}

void append_header(std::string& out, const HttpRequest& request, std::string_view name) {
  out += name;
  out += ':';
  bool first = true;
  for (const auto& [key, value] : request.headers) {
    if (key != name) continue;
    if (!first) out += ',';
    first = false;
    append_header_value(out, value);
  }
  out += '\n';
}

}  // namespace

std::vector<std::pair<std::string, std::string>> decode_query(std::string_view raw) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto piece : split(raw, '&')) {
    if (piece.empty()) continue;
    const auto equals = piece.find('=');
    pairs.emplace_back(decode(piece.substr(0, equals), true),
                       equals == std::string_view::npos ? std::string() : decode(piece.substr(equals + 1), true));
  }
  return pairs;
}

void append_canonical_request(std::string& out, const HttpRequest& request, std::string_view signed_headers, bool as_sent,
                              std::string_view payload_hash) {
  out += request.method;
  out += '\n';
  append_canonical_path(out, request.path(), as_sent);
  out += '\n';
  append_canonical_query(out, request.query());
  out += '\n';
  // In the order of the client's list: it is signed too, and sorted by every client that wants to be understood.
  for (const auto name : split(signed_headers, ';')) append_header(out, request, name);
  out += '\n';
  out += signed_headers;
  out += '\n';
  out += payload_hash;
}

std::string format_basic_iso8601(Time time) {
  std::string text;
  for (const char c : format_iso8601(time).substr(0, 19))
    if (c != '-' && c != ':') text += c;
  return text + 'Z';
}

std::string basic_time_of_date_header(std::string_view value) {
  value = trim(value);
  if (parse_basic_iso8601(value)) return std::string(value);
  // Mon, 05 Dec 2011 13:00:00 GMT
  constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto comma = value.find(", ");
  if (comma == std::string_view::npos) return {};
  const auto parts = split(value.substr(comma + 2), ' ');
  if (parts.size() != 5 || (parts[4] != "GMT" && parts[4] != "UTC" && parts[4] != "+0000" && parts[4] != "-0000")) return {};
  const auto month = std::find(months.begin(), months.end(), parts[1]);
  if (month == months.end()) return {};
  const auto day = parts[0].size() == 1 ? "0" + std::string(parts[0]) : std::string(parts[0]);
  const auto time = parse_iso8601(fmt::format("{}-{:02}-{}T{}Z", parts[2], month - months.begin() + 1, day, parts[3]));
  return time ? format_basic_iso8601(*time) : std::string();
}

}  // namespace brume::wire
