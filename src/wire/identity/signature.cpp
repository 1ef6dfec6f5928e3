#include "wire/identity/signature.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

#include "base/crypto.hpp"
#include "base/text.hpp"
#include "wire/api_error.hpp"
#include "wire/identity/signature_text.hpp"
#include "wire/refusals.hpp"

namespace brume::wire {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// OPS-084. EC2 itself documents 15 minutes today and 5 in the guide; botocore corrects its clock in both cases.
constexpr auto skew = std::chrono::minutes(5);
constexpr std::int64_t longest_presigned = 7 * 24 * 3600;
constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view empty_body_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

// About replays: EC2 accepts the same signed request again as long as it is fresh, and has to: SDKs send a request that got
// no answer again as it is, signature included. So there is no list of signatures seen; the window above is the protection,
// client tokens make the repetition harmless, and TLS keeps others from seeing what they could repeat.

enum class Kind {
  none,       // no signature at all
  header,     // version 4, Authorization header
  presigned,  // version 4, query string
  version_2,  // version 2, parameters
};

// What a request says about its signature.
struct Claim {
  Kind kind = Kind::none;
  std::string access_key;
  std::string date, region, service, terminator;  // the credential scope
  std::string signed_headers;
  std::string signature;
  std::string time;
  std::string expires;
  std::string token;
  std::string problem;  // a sentence when something is missing or malformed
};

std::string_view find(const Pairs& pairs, std::string_view name) {
  for (const auto& [key, value] : pairs)
    if (key == name) return value;
  return {};
}

bool contains(const Pairs& pairs, std::string_view name) {
  return std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) { return pair.first == name; });
}

// AKIDEXAMPLE/20111205/us-east-1/ec2/aws4_request
void read_credential(Claim& claim, std::string_view credential) {
  std::array<std::string*, 4> parts{&claim.terminator, &claim.service, &claim.region, &claim.date};
  for (auto* part : parts) {
    const auto slash = credential.rfind('/');
    if (slash == std::string_view::npos) {
      claim.problem = fmt::format("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{}'",
                                  credential.substr(0, 256));
      return;
    }
    *part = credential.substr(slash + 1);
    credential = credential.substr(0, slash);
  }
  claim.access_key = credential;
}

void read_authorization(Claim& claim, const HttpRequest& request, std::string_view header) {
  claim.kind = Kind::header;
  std::string_view credential;
  for (const auto piece : split(header.substr(algorithm.size()), ',')) {
    const auto part = trim(piece);
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    const auto name = part.substr(0, equals);
    const auto value = part.substr(equals + 1);
    if (name == "Credential") credential = value;
    if (name == "SignedHeaders") claim.signed_headers = value;
    if (name == "Signature") claim.signature = value;
  }
  claim.token = request.header("x-amz-security-token");
  claim.time = request.header("x-amz-date");
  if (claim.time.empty()) claim.time = basic_time_of_date_header(request.header("date"));
  if (!credential.empty()) read_credential(claim, credential);
  const auto require = [&claim](bool there, std::string_view what) {
    if (!there && claim.problem.empty()) claim.problem = fmt::format("Authorization header requires {}.", what);
  };
  require(!credential.empty(), "'Credential' parameter");
  require(!claim.signature.empty(), "'Signature' parameter");
  require(!claim.signed_headers.empty(), "'SignedHeaders' parameter");
  require(!claim.time.empty(), "existence of either a 'X-Amz-Date' or a 'Date' header");
}

void read_presigned(Claim& claim, const Pairs& query) {
  claim.kind = Kind::presigned;
  claim.signed_headers = find(query, "X-Amz-SignedHeaders");
  claim.signature = find(query, "X-Amz-Signature");
  claim.time = find(query, "X-Amz-Date");
  claim.expires = find(query, "X-Amz-Expires");
  claim.token = find(query, "X-Amz-Security-Token");
  const auto credential = find(query, "X-Amz-Credential");
  if (!credential.empty()) read_credential(claim, credential);
  const auto require = [&claim](bool there, std::string_view what) {
    if (!there && claim.problem.empty()) claim.problem = fmt::format("AWS query-string parameters must include '{}'.", what);
  };
  require(find(query, "X-Amz-Algorithm") == algorithm, "X-Amz-Algorithm");
  require(!credential.empty(), "X-Amz-Credential");
  require(!claim.signature.empty(), "X-Amz-Signature");
  require(!claim.signed_headers.empty(), "X-Amz-SignedHeaders");
  require(!claim.time.empty(), "X-Amz-Date");
}

bool has_header_4(std::string_view authorization) {
  return authorization.size() > algorithm.size() && authorization.starts_with(algorithm) && authorization[algorithm.size()] == ' ';
}

bool is_presigned_4(const HttpRequest& request) { return request.query().find("X-Amz-Algorithm=") != std::string_view::npos; }

Claim claim_4_of(const HttpRequest& request) {
  Claim claim;
  if (const auto authorization = request.header("authorization"); has_header_4(authorization))
    read_authorization(claim, request, authorization);
  else if (is_presigned_4(request))
    read_presigned(claim, decode_query(request.query()));
  return claim;
}

Claim claim_2_of(const Pairs& parameters) {
  Claim claim;
  if (!contains(parameters, "AWSAccessKeyId") && !contains(parameters, "Signature")) return claim;
  claim.kind = Kind::version_2;
  claim.access_key = find(parameters, "AWSAccessKeyId");
  claim.signature = find(parameters, "Signature");
  claim.token = find(parameters, "SecurityToken");
  return claim;
}

Caller caller_of(Credential&& credential, Claim&& claim) {
  return {std::move(credential.account_id),
          std::move(credential.access_key_id),
          std::move(credential.user_arn),
          std::move(claim.region),
          std::move(claim.service),
          std::move(claim.token),
          {}};
}

// The services answer a version 4 request outside its time with a sentence about both clocks; EC2 and S3 have their own.
ApiError outside_window(schema::Protocol protocol, Time stamp, Time now) {
  const bool old = stamp < now;
  return refusal(protocol, Trouble::outside_window,
                 fmt::format("Signature {}: {} is {} {} ({} {} 5 min.)", old ? "expired" : "not yet current", format_basic_iso8601(stamp),
                             old ? "now earlier than" : "still later than", format_basic_iso8601(old ? now - skew : now + skew),
                             format_basic_iso8601(now), old ? "-" : "+"));
}

// The signing key of one secret, day, region and service: four HMACs that are the same for every request of a client on a day.
// A small table a thread, so that it needs no lock; a slot is taken over by whoever comes later. The secret is part of the
// comparison, so a key made anew is a different entry.
const Sha256& signing_key(const std::string& secret, const Claim& claim) {
  struct Slot {
    std::string secret, date, region, service;
    Sha256 key;
  };
  thread_local std::array<Slot, 128> slots;
  const auto hash = std::hash<std::string>{};
  const size_t place = (hash(secret) * 31 + hash(claim.region)) * 31 + hash(claim.service) * 7 + hash(claim.date);
  Slot& slot = slots[place % slots.size()];
  if (slot.secret == secret && slot.date == claim.date && slot.region == claim.region && slot.service == claim.service) return slot.key;
  slot.secret.clear();  // invalid until all of it is there
  slot.key = hmac_sha256(hmac_sha256(hmac_sha256(hmac_sha256("AWS4" + secret, claim.date), claim.region), claim.service), claim.terminator);
  slot.date = claim.date;
  slot.region = claim.region;
  slot.service = claim.service;
  slot.secret = secret;
  return slot.key;
}

// What stands for the body in the canonical request; nullopt when the header does not match the body.
std::optional<std::string> payload_hash(const HttpRequest& request, const Claim& claim) {
  const auto announced = request.header("x-amz-content-sha256");
  // A body that streams comes later: what the head says of it is signed, and open_payload (wire/payload) holds the body against it.
  if (request.source && !announced.empty()) return std::string(announced);
  if (announced == "UNSIGNED-PAYLOAD") return std::string(announced);
  if (claim.kind == Kind::presigned && claim.service == "s3" && announced.empty()) return "UNSIGNED-PAYLOAD";
  auto actual = request.body.empty() ? std::string(empty_body_hash) : to_hex(sha256(request.body));
  if (!announced.empty() && announced != actual) return std::nullopt;
  return actual;
}

// The next name of a list "a;b;c", taken off its front.
std::string_view take_name(std::string_view& list) {
  const auto name = list.substr(0, list.find(';'));
  list.remove_prefix(std::min(name.size() + 1, list.size()));
  return name;
}

bool signs(std::string_view signed_headers, std::string_view name) {
  while (!signed_headers.empty())
    if (take_name(signed_headers) == name) return true;
  return false;
}

// Every client sorts the list, as version 4 demands. A list that names a header again and again would also make a short request
// a canonical request of many megabytes.
bool is_sorted_list(std::string_view signed_headers) {
  auto before = take_name(signed_headers);
  while (!signed_headers.empty()) {
    const auto name = take_name(signed_headers);
    if (before >= name) return false;
    before = name;
  }
  return true;
}

bool signature_4_matches(const HttpRequest& request, const Claim& claim, const std::string& secret) {
  // Without the host a request could be replayed against another endpoint; an unsigned token could be exchanged.
  if (!is_sorted_list(claim.signed_headers) || !signs(claim.signed_headers, "host")) return false;
  if (claim.kind == Kind::header && !claim.token.empty() && !signs(claim.signed_headers, "x-amz-security-token")) return false;
  const auto hash = payload_hash(request, claim);
  if (!hash) return false;
  thread_local std::string canonical;
  canonical.clear();
  append_canonical_request(canonical, request, claim.signed_headers, claim.service == "s3", *hash);
  std::string to_sign;
  to_sign.reserve(192);
  to_sign += algorithm;
  to_sign += '\n';
  to_sign += claim.time;
  to_sign += '\n';
  to_sign += claim.date + '/' + claim.region + '/' + claim.service + '/' + claim.terminator + '\n';
  to_sign += to_hex(sha256(canonical));
  return constant_time_equal(to_hex(hmac_sha256(signing_key(secret, claim), to_sign)), claim.signature);
}

void check_times_4(const Claim& claim, schema::Protocol protocol, Time now) {
  const auto stamp = parse_basic_iso8601(claim.time);
  if (!stamp) {
    throw refusal(protocol, Trouble::incomplete_signature,
                  fmt::format("Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601",
                              std::string_view(claim.time).substr(0, 64)));
  }
  if (claim.terminator != "aws4_request" || claim.date != std::string_view(claim.time).substr(0, 8))
    throw refusal(protocol, Trouble::wrong_signature);
  if (*stamp > now + skew) throw outside_window(protocol, *stamp, now);
  if (claim.kind == Kind::header) {
    if (*stamp < now - skew) throw outside_window(protocol, *stamp, now);
    return;
  }
  const auto lifetime = parse_integer(claim.expires);
  if (!lifetime || *lifetime < 1 || *lifetime > longest_presigned)
    throw refusal(protocol, Trouble::incomplete_signature, "X-Amz-Expires must be a number of seconds from 1 to 604800.");
  if (now > *stamp + seconds(*lifetime)) {
    auto expired = outside_window(protocol, *stamp, now);
    throw refusal(protocol, Trouble::expired_link, std::move(expired.message));
  }
}

// OPS-082: the parameters sorted by name, encoded anew, behind verb, host and path.
std::string string_to_sign_2(const HttpRequest& request, const Pairs& parameters, std::string_view host) {
  std::vector<const std::pair<std::string, std::string>*> sorted;
  sorted.reserve(parameters.size());
  for (const auto& pair : parameters)
    if (pair.first != "Signature") sorted.push_back(&pair);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return *a < *b; });
  std::string text = request.method + '\n' + to_lower(host) + '\n';
  text += request.path().empty() ? "/" : request.path();
  text += '\n';
  bool first = true;
  for (const auto* pair : sorted) {
    if (!first) text += '&';
    first = false;
    append_percent_encoded(text, pair->first);
    text += '=';
    append_percent_encoded(text, pair->second);
  }
  return text;
}

void check_times_2(const Pairs& parameters, Time now) {
  const bool has_expires = contains(parameters, "Expires");
  const bool has_timestamp = contains(parameters, "Timestamp");
  if (has_expires && has_timestamp)
    throw invalid_parameter_combination("The parameter Timestamp cannot be used with the parameter Expires");
  if (!has_expires && !has_timestamp) throw missing_parameter("Timestamp or Expires");
  const std::string_view name = has_expires ? "Expires" : "Timestamp";
  const auto text = find(parameters, name);
  const auto stamp = parse_iso8601(text);
  if (!stamp)
    throw invalid_parameter_value(fmt::format("Value ({}) for parameter {} is invalid. It must be in ISO8601 format", text, name));
  const bool late = has_expires ? now > *stamp : (*stamp < now - skew || *stamp > now + skew);
  if (late) throw request_expired(fmt::format("Request has expired. {} date is {}.", name, text));
}

bool signature_2_matches(const HttpRequest& request, const Pairs& parameters, const Claim& claim, const std::string& secret) {
  const auto method = find(parameters, "SignatureMethod");
  const auto matches = [&](std::string_view host) {
    const auto text = string_to_sign_2(request, parameters, host);
    return constant_time_equal(method == "HmacSHA1" ? to_base64(hmac_sha1(secret, text)) : to_base64(hmac_sha256(secret, text)),
                               claim.signature);
  };
  const auto host = request.header("host");
  if (matches(host)) return true;
  // Some clients of the time leave the port out of what they sign although they send it.
  const auto colon = host.rfind(':');
  return colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos && matches(host.substr(0, colon));
}

void check_form_2(const Pairs& parameters) {
  for (const std::string_view name : {"AWSAccessKeyId", "Signature", "SignatureVersion", "SignatureMethod"})
    if (find(parameters, name).empty()) throw missing_parameter(name);
  const auto version = find(parameters, "SignatureVersion");
  if (version != "2")
    throw invalid_parameter_value(
        fmt::format("Value ({}) for parameter SignatureVersion is invalid. Signature version 2 or 4 is required", version));
  const auto method = find(parameters, "SignatureMethod");
  if (method != "HmacSHA256" && method != "HmacSHA1")
    throw invalid_parameter_value(
        fmt::format("Value ({}) for parameter SignatureMethod is invalid. It must be HmacSHA256 or HmacSHA1", method));
}

}  // namespace

std::optional<Caller> SignatureFour::identify(const Evidence& evidence) const {
  auto claim = claim_4_of(evidence.request);
  if (claim.kind == Kind::none) return std::nullopt;
  if (!claim.problem.empty()) throw refusal(evidence.protocol, Trouble::incomplete_signature, claim.problem);
  auto credential = lookup_(claim.access_key);
  if (!credential || !credential->active) throw refusal(evidence.protocol, Trouble::unknown_key);
  // The time is judged first: an old signature is not worth computing.
  check_times_4(claim, evidence.protocol, clock_.now());
  if (!signature_4_matches(evidence.request, claim, credential->secret)) throw refusal(evidence.protocol, Trouble::wrong_signature);
  return caller_of(std::move(*credential), std::move(claim));
}

std::optional<Caller> SignatureTwo::identify(const Evidence& evidence) const {
  auto claim = claim_2_of(evidence.parameters);
  if (claim.kind == Kind::none) return std::nullopt;
  check_form_2(evidence.parameters);
  auto credential = lookup_(claim.access_key);
  if (!credential || !credential->active) throw refusal(evidence.protocol, Trouble::unknown_key);
  check_times_2(evidence.parameters, clock_.now());
  if (!signature_2_matches(evidence.request, evidence.parameters, claim, credential->secret))
    throw refusal(evidence.protocol, Trouble::wrong_signature);
  return caller_of(std::move(*credential), std::move(claim));
}

Identities signatures(const Clock& clock, const CredentialLookup& lookup) {
  Identities both;
  both.push_back(std::make_unique<SignatureFour>(clock, lookup));
  both.push_back(std::make_unique<SignatureTwo>(clock, lookup));
  return both;
}

Caller claimed_caller(const HttpRequest& request, const Pairs& parameters) {
  auto claim = claim_4_of(request);
  if (claim.kind == Kind::none) claim = claim_2_of(parameters);
  Caller caller;
  caller.access_key_id = std::move(claim.access_key);
  caller.region = std::move(claim.region);
  caller.service = std::move(claim.service);
  caller.security_token = std::move(claim.token);
  return caller;
}

Scope claimed_scope(const HttpRequest& request) {
  Claim claim;
  if (const auto authorization = request.header("authorization"); has_header_4(authorization)) {
    constexpr std::string_view start = "Credential=";
    const auto at = authorization.find(start);
    if (at == std::string_view::npos) return {};
    const auto rest = authorization.substr(at + start.size());
    read_credential(claim, trim(rest.substr(0, rest.find(','))));
  } else if (is_presigned_4(request)) {
    read_credential(claim, find(decode_query(request.query()), "X-Amz-Credential"));
  }
  if (!claim.problem.empty()) return {};
  return {std::move(claim.service), std::move(claim.region)};
}

}  // namespace brume::wire
