#include "domain/arns.hpp"

namespace brume::domain {

std::string arn_of(std::string_view partition, std::string_view service, std::string_view region, std::string_view account,
                   std::string_view resource) {
  return fmt::format("arn:{}:{}:{}:{}:{}", partition, service, region, account, resource);
}

std::string root_arn(std::string_view partition, std::string_view account) { return arn_of(partition, "iam", "", account, "root"); }

}  // namespace brume::domain
