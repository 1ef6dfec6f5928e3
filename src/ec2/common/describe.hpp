// The whole of a Describe action over the records that an account owns: ids, filters, pages.
//
//   wire::ec2::DescribeVolumesResponse describe_volumes(const World& world, const Context& context, const Request& request) {
//     wire::ec2::DescribeVolumesResponse response;
//     const Listing<state::Volume> volumes(world, context, request, {.action = "DescribeVolumes", .filters = volume_filters});
//     response.next_token = volumes.each(request.volume_ids, "vol", [&](const state::Volume& volume) {
//       response.volumes.push_back(describe(world, context, volume));
//     });
//     return response;
//   }
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ec2/common/filters.hpp"
#include "ec2/common/paging.hpp"
#include "ec2/common/resource_ids.hpp"

namespace brume::ec2 {

// Checks that the ids in a request are well formed and the account's. `prefix` as in resource_ids.cpp. Throws Invalid….Malformed,
// ….NotFound.
template <class R>
void check_owned(const state::World& world, std::string_view account, std::string_view prefix, const std::vector<std::string>& ids) {
  std::vector<std::string> unknown;
  for (const auto& id : ids) {
    check_id(prefix, id);
    if (world.find<R>(account, id) == nullptr) unknown.push_back(id);
  }
  if (!unknown.empty()) throw ids_unknown(prefix, unknown);
}

template <class R>
struct ListingOptions {
  std::string_view action;  // identifies the tokens
  std::span<const FilterField<R>> filters;
  PageLimits limits = {};
  // Not empty: EC2 refuses ids together with MaxResults, and has this name for the ids ("instancesSet").
  std::string_view exclusive_ids = {};
};

template <class R>
class Listing {
 public:
  // Reads filters, max_results and next_token of the request, as far as its type has them. The request must outlive the listing.
  template <class Request>
  Listing(const state::World& world, const service::Context& context, const Request& request, const ListingOptions<R>& options)
      : world_(world), context_(context), options_(options), filters_(options.filters, request.filters, &context) {
    if constexpr (requires { request.max_results; }) {
      max_results_ = request.max_results;
      next_token_ = request.next_token;
    }
  }

  // Calls show(const R&) for each matching record of the account, in key order. With ids: only for those, and all must exist. Returns the
  // NextToken, if there is more.
  template <class Show>
  std::optional<std::string> each(const std::vector<std::string>& ids, std::string_view prefix, Show&& show) const {
    if (!options_.exclusive_ids.empty() && !ids.empty() && max_results_)
      throw wire::invalid_parameter_combination("The parameter " + std::string(options_.exclusive_ids) +
                                                " cannot be used with the parameter maxResults");
    check_owned<R>(world_, context_.account(), prefix, ids);
    return each_where(
        ids, [](const R&) { return true; }, show);
  }

  // Those of the named records, all of which are known to exist, or of all records, for which is_asked(const R&) is true.
  template <class IsAsked, class Show>
  std::optional<std::string> each_where(const std::vector<std::string>& ids, IsAsked&& is_asked, Show&& show) const {
    return ids.empty() ? each_where(is_asked, show) : each_named(ids, is_asked, show);
  }

  // The same for the account's records for which is_asked(const R&) is true.
  template <class IsAsked, class Show>
  std::optional<std::string> each_where(IsAsked&& is_asked, Show&& show) const {
    if (is_keyed_by_id())
      if (const auto ids = filters_.ids()) return each_named(*ids, is_asked, show);
    auto page = make_page();
    world_.template each_of<R>(
        context_.account(), [&](const R& record) { return !is_asked(record) || visit(page, record, show); }, after(page));
    return page.next_token();
  }

 private:
  Page make_page() const { return Page(context_, options_.action, max_results_, next_token_, options_.limits); }

  // Most are kept under their id; a key pair is kept under its name.
  static bool is_keyed_by_id() {
    R sample;
    sample.account = "account";
    sample.id = "id";
    return sample.key() == state::owned_key("account", "id");
  }

  // Looked up one by one: naming one of a hundred thousand does not walk them all.
  template <class IsAsked, class Show>
  std::optional<std::string> each_named(std::vector<std::string> ids, IsAsked&& is_asked, Show& show) const {
    auto page = make_page();
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    for (const auto& id : ids) {
      const R* record = world_.template find<R>(context_.account(), id);
      if (record == nullptr || record->key() <= page.after() || !is_asked(*record)) continue;
      if (!visit(page, *record, show)) break;
    }
    return page.next_token();
  }

  template <class Show>
  bool visit(Page& page, const R& record, Show& show) const {
    if (!filters_.match(world_, record)) return true;
    if (!page.take(record.key())) return false;
    show(record);
    return true;
  }

  // Pages end with whole keys ("account/id"); each_of continues after an id.
  std::string_view after(const Page& page) const {
    const std::string_view key = page.after();
    return key.substr(std::min(key.size(), context_.account().size() + 1));
  }

  const state::World& world_;
  const service::Context& context_;
  ListingOptions<R> options_;
  FilterSet<R> filters_;
  std::optional<std::int64_t> max_results_;
  std::optional<std::string> next_token_;
};

}  // namespace brume::ec2
