// Customer gateways, virtual private gateways and VPN connections (OPS-038): what their actions share.
#pragma once

#include <string>

#include "ec2/common/deleted.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// The settings for the customer's side: an XML document with the pre-shared keys.
std::string customer_configuration(const state::VpnConnection& connection, const state::CustomerGateway& customer,
                                   const state::VpnGateway& gateway);

}  // namespace brume::ec2
