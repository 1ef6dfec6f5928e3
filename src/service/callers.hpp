// Who may call: the ways of saying so that this installation takes, over the access keys that its state holds.
#pragma once

#include <string>

#include "service/services.hpp"
#include "wire/identity/identity.hpp"

namespace brume::service {

// Access keys and their accounts as the newest World has them. Valid as long as `services`.
wire::CredentialLookup credentials_of(const Services& services);

// The signatures; in a simulation instead any access key or none: one that was made is its account's, any other is the first account's.
wire::Identities make_identities(const Services& services, bool simulated);

}  // namespace brume::service
