#include "ec2/common/audit.hpp"

#include <fmt/format.h>

#include "base/log.hpp"

namespace brume::ec2 {

void audit(state::Transaction& transaction, const service::Context& context, std::string_view action,
           const std::vector<std::string>& instance_ids) {
  if (context.dry_run || instance_ids.empty()) return;
  auto line = fmt::format("action={} account={} key={} instances={}{}{}", action, context.account(), context.caller.access_key_id,
                          fmt::join(instance_ids, ","), context.caller.called_by.empty() ? "" : " called_by=", context.caller.called_by);
  transaction.when_durable([line = std::move(line)] { log::info("audit", "{}", line); });
}

}  // namespace brume::ec2
