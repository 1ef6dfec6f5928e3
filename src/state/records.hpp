// Every kind of thing that Brume remembers, as plain structs. A record is never changed once published: a transaction puts a new one.
//
// Each record names its kind (the first part of its key in the log), its key within the kind, and its fields once, in fields():
// the codec, the log and the tools all go by that. A field that is not in a stored record keeps its default, an unknown stored
// field is ignored, so that a newer daemon reads an older one's state and the reverse.
//
// Keys of what an account owns are "account/id": all of an account's things of a kind stand beside each other.
#pragma once

#include "state/records/accounts.hpp"
#include "state/records/connections.hpp"
#include "state/records/hosts.hpp"
#include "state/records/images.hpp"
#include "state/records/instances.hpp"
#include "state/records/key_pairs.hpp"
#include "state/records/kind.hpp"
#include "state/records/launch.hpp"
#include "state/records/network.hpp"
#include "state/records/requests.hpp"
#include "state/records/routing.hpp"
#include "state/records/storage.hpp"
#include "state/records/tags.hpp"
#include "state/records/vpn.hpp"
