// MaxResults and NextToken of Describe actions: a list is walked in key order, and a token says after which key to go on.
//
//   Page page(context, "DescribeInstances", request.max_results, request.next_token);
//   world.each_of<state::Instance>(account, [&](const state::Instance& instance) {
//     if (!filters.match(world, instance)) return true;
//     if (!page.take(instance.id)) return false;  // full, and there is more
//     answer.push_back(…);
//     return true;
//   }, page.after());
//   response.next_token = page.next_token();
//
// A token is the position and an HMAC over account, list and position with a key of the installation's: it survives a restart of the
// daemon, is no good for another account or another list, and cannot be made by anybody else. describe.hpp does all of this.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "service/action.hpp"

namespace brume::ec2 {

struct PageLimits {
  std::int64_t least = 5;
  std::int64_t most = 1000;
};

class Page {
 public:
  // `list` identifies what is listed. Throws InvalidParameterValue for a MaxResults out of range, InvalidNextToken. Without MaxResults the
  // page holds everything.
  Page(const service::Context& context, std::string_view list, const std::optional<std::int64_t>& max_results,
       const std::optional<std::string>& next_token, PageLimits limits = {});

  // The key that the previous page ended with; empty for the first page.
  const std::string& after() const { return after_; }
  // Counts the entry with this key as part of the page. False: the page is full, and the entry belongs to the next one.
  bool take(std::string_view key);
  bool full() const { return limited_ && taken_ == room_; }
  // Only if take has refused an entry.
  std::optional<std::string> next_token() const;

 private:
  Page(std::string_view secret, std::string scope, const std::optional<std::int64_t>& max_results,
       const std::optional<std::string>& next_token, PageLimits limits);

  std::string_view secret_;
  std::string scope_;  // account and list
  std::string after_;
  std::string last_;
  std::int64_t room_ = 0;
  std::int64_t taken_ = 0;
  bool limited_ = false;
  bool more_ = false;
};

// The installation's key for tokens: made at the first call, kept as a setting.
std::string token_key(state::Store& store);

}  // namespace brume::ec2
