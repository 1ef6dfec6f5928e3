#include "guest/metadata_service.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

#include "base/text.hpp"
#include "guest/metadata_token.hpp"

namespace brume::guest {
namespace {

using state::Instance;
using state::NetworkInterface;
using wire::HttpRequest;
using wire::HttpResponse;

constexpr size_t shortest_token_key = 32;
constexpr size_t longest_target = 4096;  // a tag's name has at most 127 characters, each at most 12 bytes in a URL
constexpr size_t deepest_path = 12;

constexpr std::string_view token_header = "x-aws-ec2-metadata-token";
constexpr std::string_view life_header = "x-aws-ec2-metadata-token-ttl-seconds";
constexpr const char* life_header_sent = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds";

std::string_view reason_of(int status) {
  switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Request Entity Too Large";
    case 414: return "Request-URI Too Long";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    default: return "Error";
  }
}

HttpResponse respond(int status, std::string body, std::string_view content_type) {
  HttpResponse response;
  response.status = status;
  response.content_type = content_type;
  // Some SDKs do not take a server without this name for a metadata service.
  response.headers.emplace_back("Server", "EC2ws");
  response.headers.emplace_back("Accept-Ranges", "none");
  response.body = std::move(body);
  return response;
}

HttpResponse refuse_method(std::string_view method, std::string allowed) {
  HttpResponse response = method == "OPTIONS" ? respond(200, "", "text/plain") : MetadataService::page(405);
  response.headers.emplace_back("Allow", std::move(allowed));
  return response;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// nullopt: a '%' is not followed by two hex digits.
std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

// The names between the slashes. Doubled and final slashes are ignored, so "latest//meta-data/" is "latest/meta-data"; ".." is a name like
// any other, and nothing has it. nullopt: not a path.
std::optional<std::vector<std::string>> names_of(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  std::vector<std::string> names;
  for (const auto part : split(path, '/')) {
    if (part.empty()) continue;
    auto name = percent_decode(part);
    if (!name) return std::nullopt;
    names.push_back(std::move(*name));
  }
  return names;
}

bool names_token(const std::vector<std::string>& path) {
  return path.size() == 3 && path[0] == "latest" && path[1] == "api" && path[2] == "token";
}

// "172.31.0.5", even if the socket shows it as an IPv6 address.
std::string_view as_ipv4(std::string_view address) {
  constexpr std::string_view mapped = "::ffff:";
  return address.starts_with(mapped) ? address.substr(mapped.size()) : address;
}

struct Caller {
  const Instance* instance = nullptr;
  const NetworkInterface* primary = nullptr;
};

std::optional<Caller> find_caller(const state::World& world, std::string_view vpc_id, std::string_view address) {
  std::string place(vpc_id);
  place.append(1, '/').append(as_ipv4(address));
  const auto* interface = world.find_indexed<NetworkInterface>(state::Index::interface_by_private_ip, place);
  if (!interface || interface->instance_id.empty()) return std::nullopt;
  const auto* instance = world.find<Instance>(interface->account, interface->instance_id);
  if (!instance) return std::nullopt;
  const auto* primary =
      instance->interface_ids.empty() ? nullptr : world.find<NetworkInterface>(instance->account, instance->interface_ids.front());
  return Caller{instance, primary ? primary : interface};
}

bool is_version(std::string_view name) {
  const auto versions = metadata_versions();
  return name == "latest" || std::find(versions.begin(), versions.end(), name) != versions.end();
}

std::string list_versions() {
  std::string lines;
  for (const auto version : metadata_versions()) lines.append(version).append(1, '\n');
  return lines.append("latest");
}

}  // namespace

MetadataService::MetadataService(const state::Store& store, MetadataConfiguration configuration, const Clock& clock)
    : store_(store), configuration_(std::move(configuration)), clock_(clock), tree_(metadata_items(), metadata_names()) {
  if (configuration_.token_key.size() < shortest_token_key) throw std::invalid_argument("the metadata token key is shorter than 32 bytes");
}

HttpResponse MetadataService::answer(const HttpRequest& request, std::string_view vpc_id) const {
  const auto world = store_.world();
  return answer(request, vpc_id, *world);
}

HttpResponse MetadataService::answer(const HttpRequest& request, std::string_view vpc_id, const state::World& world) const {
  const auto caller = find_caller(world, vpc_id, request.peer_address);
  if (!caller) return page(404);
  if (!caller->instance->metadata_enabled) return page(403);
  if (request.target.size() > longest_target) return page(414);
  const auto path = names_of(request.path());
  if (!path) return page(400);
  if (path->size() > deepest_path) return page(404);
  if (names_token(*path)) return answer_token(request, *caller->instance);
  return answer_content(request, {world, configuration_, *caller->instance, *caller->primary, {}}, *path);
}

HttpResponse MetadataService::answer_token(const HttpRequest& request, const Instance& instance) const {
  if (request.method != "PUT") return refuse_method(request.method, "OPTIONS, PUT");
  // An open proxy on the instance would hand tokens to strangers; proxies reveal themselves by this header.
  const bool is_forwarded =
      std::any_of(request.headers.begin(), request.headers.end(), [](const auto& each) { return each.first == "x-forwarded-for"; });
  if (is_forwarded) return page(403);
  const auto life = parse_integer(request.header(life_header));
  if (!life || *life < 1 || *life > longest_token_life.count()) return page(400);
  auto token = make_token(configuration_.token_key, instance.id, clock_.now(), seconds(*life));
  auto response = respond(200, std::move(token), "text/plain");
  response.headers.emplace_back(life_header_sent, std::to_string(*life));
  // The token itself travels no further than this, so anything behind the instance (a container's network, a proxy) never gets one.
  response.hop_limit = static_cast<int>(std::clamp<std::int64_t>(instance.metadata_hop_limit, 1, 64));
  return response;
}

HttpResponse MetadataService::answer_content(const HttpRequest& request, const MetadataView& view,
                                             const std::vector<std::string>& path) const {
  if (request.method != "GET" && request.method != "HEAD") return refuse_method(request.method, "GET, HEAD, OPTIONS");
  std::optional<seconds> left;
  const auto token = request.header(token_header);
  if (!token.empty()) left = check_token(configuration_.token_key, view.instance.id, clock_.now(), token);
  // A bad token is refused even if none is needed, because its sender must learn that it has expired.
  if (!left && (!token.empty() || view.instance.metadata_tokens_required)) return page(401);

  HttpResponse response;
  if (path.empty()) {
    response = respond(200, list_versions(), "text/plain");
  } else {
    auto content = is_version(path.front()) ? tree_.find(view, path.front(), std::span(path).subspan(1)) : std::nullopt;
    response = content ? respond(200, std::move(content->body), content->content_type) : page(404);
  }
  if (left) response.headers.emplace_back(life_header_sent, std::to_string(left->count()));
  return response;
}

HttpResponse MetadataService::page(int status) {
  std::string title = std::to_string(status);
  title.append(" - ").append(reason_of(status));
  std::string body =
      "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n"
      "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Transitional//EN\"\n"
      "\t\"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd\">\n"
      "<html xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"en\" lang=\"en\">\n"
      " <head>\n  <title>";
  body.append(title).append("</title>\n </head>\n <body>\n  <h1>").append(title).append("</h1>\n </body>\n</html>\n");
  return respond(status, std::move(body), "text/html");
}

}  // namespace brume::guest
