#include "wire/files/static_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <optional>

#include "base/text.hpp"
#include "wire/files/encodings.hpp"
#include "wire/files/ranges.hpp"
#include "wire/http/http_date.hpp"

namespace brume::wire {
namespace {

constexpr size_t longest_path = 1024;

struct OpenFile {
  Descriptor file;
  std::uint64_t size = 0;
  std::string tag;
  std::string changed;
};

int hex_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Refuses a '%' that starts no escape.
std::optional<std::string> decode_name(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_of(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_of(text[i + 2]) : -1;
    if (low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// The decoded names along the path; nullopt: no such path.
std::optional<std::vector<std::string>> read_path(std::string_view path, const std::string& index) {
  if (path.size() > longest_path) return std::nullopt;
  std::vector<std::string> names;
  for (const auto part : split(path, '/')) {
    if (part.empty()) continue;
    auto name = decode_name(part);
    if (!name || name->empty() || name->front() == '.' || name->find('/') != std::string::npos || name->find('\0') != std::string::npos)
      return std::nullopt;
    names.push_back(std::move(*name));
  }
  if (names.empty() || path.back() == '/') names.push_back(index);
  return names;
}

// Opens one name after the other, so that no link along the path is followed.
std::optional<OpenFile> open_below(const std::string& folder, const std::vector<std::string>& names, std::string_view suffix) {
  Descriptor at(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (size_t i = 0; at && i < names.size(); ++i) {
    const bool is_last = i + 1 == names.size();
    const auto name = is_last ? names[i] + std::string(suffix) : names[i];
    at = Descriptor(::openat(at.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (is_last ? 0 : O_DIRECTORY)));
  }
  struct stat status {};
  if (!at || ::fstat(at.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  OpenFile file;
  file.file = std::move(at);
  file.size = static_cast<std::uint64_t>(status.st_size);
  // Size and time of the last change, in nanoseconds; the suffix distinguishes variants of the same moment.
  file.tag = fmt::format("\"{:x}-{:x}{:09x}{}\"", status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec, suffix);
  file.changed = http_date(status.st_mtim.tv_sec);
  return file;
}

std::string_view type_of(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 18> types{{
      {".html", "text/html; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".json", "application/json"},
      {".map", "application/json"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".jpg", "image/jpeg"},
      {".gif", "image/gif"},
      {".webp", "image/webp"},
      {".ico", "image/x-icon"},
      {".woff", "font/woff"},
      {".woff2", "font/woff2"},
      {".ttf", "font/ttf"},
      {".txt", "text/plain; charset=utf-8"},
      {".xml", "application/xml"},
      {".wasm", "application/wasm"},
  }};
  for (const auto& [ending, type] : types)
    if (name.ends_with(ending)) return type;
  return "application/octet-stream";
}

// If-None-Match: the weak comparison (RFC 9110, 13.1.2).
bool names_tag(std::string_view header, std::string_view tag) {
  for (const auto each : split(header, ',')) {
    auto one = trim(each);
    if (one == "*") return true;
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == tag) return true;
  }
  return false;
}

bool is_unchanged(const HttpRequest& request, const OpenFile& file) {
  const auto tags = request.header("if-none-match");
  if (!tags.empty()) return names_tag(tags, file.tag);
  return request.header("if-modified-since") == file.changed;
}

HttpResponse short_answer(int status, std::string sentence) {
  HttpResponse response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(sentence);
  return response;
}

// Which variant of a file is sent, and with which headers.
struct Variant {
  OpenFile file;
  std::string_view encoding;  // empty: the file itself
};

std::optional<Variant> choose_variant(const HttpRequest& request, const std::string& folder, const std::vector<std::string>& names) {
  for (const auto encoding : accepted_encodings(request.header("accept-encoding"), {"br", "gzip"}))
    if (auto file = open_below(folder, names, encoding == "br" ? ".br" : ".gz")) return Variant{std::move(*file), encoding};
  if (auto file = open_below(folder, names, "")) return Variant{std::move(*file), {}};
  return std::nullopt;
}

}  // namespace

HttpResponse StaticFiles::answer(const HttpRequest& request, std::string_view path) const {
  if (request.method != "GET" && request.method != "HEAD") {
    auto response = short_answer(405, "Files are read with GET and HEAD.\n");
    response.headers = {{"Allow", "GET, HEAD"}};
    return response;
  }
  const auto names = read_path(path, settings_.index);
  auto variant = names ? choose_variant(request, settings_.folder, *names) : std::nullopt;
  if (!variant) return short_answer(404, "There is no such file.\n");
  auto& file = variant->file;
  const bool is_unchanging = names->size() > 1 && names->front() == settings_.unchanging;
  HttpResponse response;
  response.content_type = type_of(names->back());
  response.headers = {{"ETag", file.tag},
                      {"Last-Modified", file.changed},
                      {"Cache-Control", is_unchanging ? "public, max-age=31536000, immutable" : "no-cache"},
                      {"Vary", "Accept-Encoding"},
                      {"Accept-Ranges", "bytes"},
                      {"X-Content-Type-Options", "nosniff"}};
  if (is_unchanged(request, file)) {
    response.status = 304;
    return response;
  }
  if (!variant->encoding.empty()) response.headers.emplace_back("Content-Encoding", variant->encoding);
  const auto condition = request.header("if-range");
  const bool may_be_part = request.method == "GET" && (condition.empty() || condition == file.tag || condition == file.changed);
  const auto range = choose_range(may_be_part ? request.header("range") : std::string_view(), file.size);
  if (range.kind == RangeChoice::Kind::unsatisfiable) {
    auto refusal = short_answer(416, "The file is not as long.\n");
    refusal.headers = {{"Content-Range", fmt::format("bytes */{}", file.size)}};
    return refusal;
  }
  response.streamed = std::make_shared<StreamedAnswer>();
  response.streamed->file = {std::move(file.file), 0, file.size};
  if (range.kind == RangeChoice::Kind::part) {
    response.status = 206;
    response.streamed->file.offset = range.first;
    response.streamed->file.length = range.length;
    response.headers.emplace_back("Content-Range", fmt::format("bytes {}-{}/{}", range.first, range.first + range.length - 1, file.size));
  }
  return response;
}

}  // namespace brume::wire
