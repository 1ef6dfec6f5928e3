// The Security Token Service: who am I?
#pragma once

#include "service/action.hpp"

namespace brume::sts {

service::ServiceTable make_service();

}  // namespace brume::sts
