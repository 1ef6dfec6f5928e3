#include "wire/identity/identity.hpp"

#include "wire/refusals.hpp"

namespace brume::wire {

Caller identify(const Identities& identities, const Evidence& evidence) {
  for (const auto& identity : identities)
    if (auto caller = identity->identify(evidence)) return std::move(*caller);
  if (evidence.request.header("authorization").empty()) throw refusal(evidence.protocol, Trouble::unsigned_request);
  throw refusal(evidence.protocol, Trouble::incomplete_signature, "Authorization header requires the algorithm AWS4-HMAC-SHA256.");
}

}  // namespace brume::wire
