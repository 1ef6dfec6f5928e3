#include "cli/admin_client.hpp"

#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>

#include "cli/http_client.hpp"

namespace brume::cli {

namespace json = boost::json;

Result<json::value> AdminClient::call(const std::string& method, const std::string& path, std::string body) const {
  HttpCall call;
  call.method = method;
  call.path = path;
  call.body = std::move(body);
  auto answer = call_unix(home_ + "/admin.sock", call);
  if (!answer) {
    const auto socket = home_ + "/admin.sock";
    if (::access(socket.c_str(), R_OK | W_OK) != 0 && errno == EACCES)
      return fail(ErrorKind::invalid, "no permission: " + home_ + " is root's; try 'sudo brume', or name a home of your own with --home");
    if (answer.error().kind == ErrorKind::not_found || answer.error().kind == ErrorKind::refused)
      return fail(answer.error().kind, "no Brume runs on " + home_ + "; start it with 'brume up', or name another folder with --home");
    return fail(answer.error());
  }
  boost::system::error_code failure;
  auto value = json::parse(answer->body, failure);
  if (failure) return fail(ErrorKind::broken, "the daemon answered something else than JSON");
  if (answer->status >= 400) {
    const auto* message = value.is_object() ? value.as_object().if_contains("message") : nullptr;
    return fail(answer->status == 404   ? ErrorKind::not_found
                : answer->status == 409 ? ErrorKind::exists
                                        : ErrorKind::invalid,
                message != nullptr && message->is_string() ? std::string(message->get_string()) : "the daemon refused");
  }
  return value;
}

Result<json::value> AdminClient::post(const std::string& path, const json::value& body) const {
  return call("POST", path, json::serialize(body));
}

bool AdminClient::daemon_runs() const { return get("/status").has_value(); }

Result<Credentials> AdminClient::credentials(std::string account) const {
  if (account.empty()) {
    auto status = get("/status");
    if (!status) return fail(status.error());
    account = json::value_to<std::string>(status->at("firstAccount"));
  }
  auto shown = get("/accounts/" + account);
  if (!shown) return fail(shown.error());
  for (const auto& key : shown->at("keys").as_array())
    if (key.at("active").as_bool())
      return Credentials{account, json::value_to<std::string>(key.at("id")), json::value_to<std::string>(key.at("secret"))};
  return fail(ErrorKind::not_found,
              "the account " + account + " has no active access key; make one with 'brume account add-key " + account + "'");
}

std::string text(const json::value& object, std::string_view name) {
  const auto* value = object.as_object().if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace brume::cli
