// Runs EC2 actions without a server: parameters in, the answer's XML or the error's code out.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "ec2/actions.hpp"
#include "ec2/network/default_network.hpp"
#include "service/action.hpp"
#include "state/store.hpp"
#include "wire/query_tree.hpp"
#include "wire/xml_writer.hpp"

namespace brume::ec2 {

class ActionsTest : public testing::Test {
 protected:
  static constexpr const char* account = "111122223333";
  static constexpr const char* stranger = "999988887777";

  ActionsTest()
      : store_(*state::Store::open(state::make_memory_log(), clock_, random_)), services_{*store_,   clock_, random_,
                                                                                          settings_, {},     "a key"} {
    settings_.zones = {{"us-east-1a", "use1-az1"}, {"us-east-1b", "use1-az2"}};
    settings_.host = "host-1";
    store_->transact([&](state::Transaction& transaction) {
      state::Host host;
      host.id = settings_.host;
      transaction.put(host);
      make_default_network(transaction, account, settings_);
      make_default_network(transaction, stranger, settings_);
    });
  }
  ~ActionsTest() override { store_->stop(); }

  void add(std::vector<service::Action> actions) {
    for (auto& action : service::make_table("ec2", std::move(actions)).actions) actions_.push_back(action);
  }

  // Throws ApiError. `parameters` as in a URL.
  std::string call(std::string_view name, std::string_view parameters = {}) {
    const auto action = std::find_if(actions_.begin(), actions_.end(), [&](const auto& row) { return row.name == name; });
    if (action == actions_.end()) throw std::runtime_error("no action " + std::string(name));
    const wire::QueryTree tree(parameters);
    const auto invocation = action->decode(*action, tree.root());
    tree.require_all_read();
    wire::Caller caller;
    caller.account_id = as_;
    caller.user_arn = "arn:aws:iam::" + as_ + ":root";
    const service::Context context{caller, services_, version_, clock_.now(), invocation->dry_run(), &tree};
    const auto world = store_->world();
    if (action->lane == service::Lane::read)
      invocation->read(*world, context);
    else if (action->lane == service::Lane::work)
      invocation->work(context);
    else
      store_->transact([&](state::Transaction& transaction) { invocation->write(transaction, context); });
    wire::XmlWriter xml(version_);
    invocation->encode(xml);
    return xml.take();
  }
  // The error's code; empty when there is none.
  std::string code(std::string_view name, std::string_view parameters = {}) {
    try {
      call(name, parameters);
    } catch (const wire::ApiError& error) {
      message_ = error.message;
      return error.code;
    }
    return "";
  }

  // The text of every <tag> in order.
  static std::vector<std::string> all(const std::string& xml, const std::string& tag) {
    std::vector<std::string> found;
    const auto open = "<" + tag + ">";
    for (size_t at = xml.find(open); at != std::string::npos; at = xml.find(open, at + 1)) {
      const auto from = at + open.size();
      found.push_back(xml.substr(from, xml.find("</" + tag + ">", from) - from));
    }
    return found;
  }
  static std::string first(const std::string& xml, const std::string& tag) {
    const auto found = all(xml, tag);
    return found.empty() ? "" : found.front();
  }
  static size_t count(const std::string& xml, const std::string& tag) { return all(xml, tag).size(); }

  // A record of the account's, with more of it filled in by `fill(record)`.
  template <class R, class Fill>
  void put(const std::string& id, Fill&& fill) {
    R record;
    record.account = account;
    record.id = id;
    fill(record);
    // In place of the one that was there, whatever state that was in.
    transact([&](state::Transaction& transaction) {
      transaction.erase<R>(record.key());
      transaction.put(std::move(record));
    });
  }
  template <class R>
  void put(const std::string& id) {
    put<R>(id, [](R&) {});
  }
  void transact(const state::Decision& decision) { store_->transact(decision); }
  state::WorldPointer world() const { return store_->world(); }
  const service::Services& services() const { return services_; }

  SystemClock clock_;
  service::Settings settings_;
  std::string as_ = account;
  int version_ = 20161115;
  std::string message_;  // of the last error that code() saw

 private:
  SeededRandom random_{1};
  std::unique_ptr<state::Store> store_;
  service::Services services_;
  std::vector<service::Action> actions_;
};

}  // namespace brume::ec2
