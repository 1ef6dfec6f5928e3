#include "domain/arns.hpp"

namespace brume::domain {

std::string arn_of(std::string_view partition, std::string_view service, std::string_view region, std::string_view account,
                   std::string_view resource) {
  return fmt::format("arn:{}:{}:{}:{}:{}", partition, service, region, account, resource);
}

std::string root_arn(std::string_view partition, std::string_view account) { return arn_of(partition, "iam", "", account, "root"); }

bool is_root_arn(std::string_view arn, std::string_view partition, std::string_view account) {
  const auto take = [&](std::string_view part) {
    if (!arn.starts_with(part)) return false;
    arn.remove_prefix(part.size());
    return true;
  };
  return !account.empty() && take("arn:") && take(partition) && take(":iam::") && take(account) && arn == ":root";
}

}  // namespace brume::domain
