// A client's token identifies a request, so that the request may be repeated and is carried out once (INS-045).
#pragma once

#include <string>
#include <string_view>

#include "service/action.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// The reservation that an earlier request with this token made; empty if the token is new. Throws IdempotentParameterMismatch, and
// IdempotentInstanceTerminated if all instances of the reservation are terminated.
std::string find_launched(state::Transaction& transaction, const service::Context& context, const std::string& token);
void remember_launched(state::Transaction& transaction, const service::Context& context, const std::string& token,
                       const std::string& reservation_id);

// The same for an action that makes one thing: the id of what it made; empty if the token is new or empty. A token stays bound to what its
// request made, even if that has been deleted since: the action then answers that there is no such thing, and makes nothing.
std::string find_made(state::Transaction& transaction, const service::Context& context, std::string_view action, const std::string& token);
void remember_made(state::Transaction& transaction, const service::Context& context, std::string_view action, const std::string& token,
                   const std::string& resource_id);

// A creation that is carried out once per token: `make` returns the id of what it made; `show` puts what this request, or an earlier one
// with the same token, made into the answer.
template <class Response, class Request, class Make, class Show>
Response create_once(state::Transaction& transaction, const service::Context& context, std::string_view action, const Request& request,
                     Make make, Show show) {
  Response response;
  const auto token = request.client_token.value_or("");
  if (!token.empty()) response.client_token = token;
  auto id = find_made(transaction, context, action, token);
  if (id.empty()) {
    id = make();
    remember_made(transaction, context, action, token, id);
  }
  show(response, id);
  return response;
}

}  // namespace brume::ec2
