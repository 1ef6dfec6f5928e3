#include "cli/ec2_client.hpp"

#include <pugixml.hpp>

#include "base/crypto.hpp"
#include "base/text.hpp"
#include "cli/http_client.hpp"

namespace brume::cli {

struct Document::Tree {
  pugi::xml_document document;
};

Document::Document() : tree_(std::make_unique<Tree>()) {}
Document::Document(const std::string& text) : Document() { tree_->document.load_buffer(text.data(), text.size()); }
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

std::string Document::text(const std::string& path) const {
  auto node = tree_->document.first_child();
  for (const auto name : split(path, '/')) node = node.child(std::string(name).c_str());
  return node.text().get();
}

std::vector<std::string> Document::texts(const std::string& path, const std::string& leaf) const {
  auto node = tree_->document.first_child();
  const auto names = split(path, '/');
  for (size_t i = 0; i + 1 < names.size(); ++i) node = node.child(std::string(names[i]).c_str());
  std::vector<std::string> found;
  for (const auto& child : node.children(std::string(names.back()).c_str())) found.emplace_back(child.child(leaf.c_str()).text().get());
  return found;
}

Ec2Client::Ec2Client(std::string endpoint, std::string authorities, std::string region, Credentials credentials, const Clock& clock)
    : endpoint_(std::move(endpoint)),
      authorities_(std::move(authorities)),
      region_(std::move(region)),
      credentials_(std::move(credentials)),
      clock_(clock) {}

Result<Document> Ec2Client::call(const std::string& action, Parameters parameters) const {
  parameters.emplace_back("Action", action);
  parameters.emplace_back("Version", "2016-11-15");
  std::string body;
  for (const auto& [name, value] : parameters) {
    if (!body.empty()) body += '&';
    append_percent_encoded(body, name);
    body += '=';
    append_percent_encoded(body, value);
  }
  // 2011-12-05T13:00:00.000Z becomes 20111205T130000Z
  std::string stamp;
  for (const char c : format_iso8601(clock_.now()).substr(0, 19))
    if (c != '-' && c != ':') stamp += c;
  stamp += 'Z';
  const auto date = stamp.substr(0, 8);
  const auto host = endpoint_.substr(endpoint_.find("://") + 3);
  const std::string type = "application/x-www-form-urlencoded; charset=utf-8";
  const auto canonical = "POST\n/\n\ncontent-type:" + type + "\nhost:" + host + "\nx-amz-date:" + stamp +
                         "\n\ncontent-type;host;x-amz-date\n" + to_hex(sha256(body));
  const auto scope = date + "/" + region_ + "/ec2/aws4_request";
  const auto to_sign = "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + to_hex(sha256(canonical));
  auto key = hmac_sha256("AWS4" + credentials_.secret, date);
  for (const std::string_view part : {std::string_view(region_), std::string_view("ec2"), std::string_view("aws4_request")})
    key = hmac_sha256(key, part);
  HttpCall call;
  call.method = "POST";
  call.headers = {{"Content-Type", type},
                  {"X-Amz-Date", stamp},
                  {"Authorization", "AWS4-HMAC-SHA256 Credential=" + credentials_.access_key_id + "/" + scope +
                                        ", SignedHeaders=content-type;host;x-amz-date, Signature=" + to_hex(hmac_sha256(key, to_sign))}};
  call.body = body;
  auto answer = call_endpoint(endpoint_, authorities_, call);
  if (!answer) return fail(answer.error());
  Document document(answer->body);
  if (answer->status == 200) return document;
  return fail(ErrorKind::refused, document.text("Errors/Error/Code") + ": " + document.text("Errors/Error/Message"));
}

}  // namespace brume::cli
