// Amazon Resource Names: "arn:aws:ec2:us-east-1:123456789012:subnet/subnet-1".
#pragma once

#include <string>
#include <string_view>

namespace brume::domain {

// `resource` is the part after the account: "subnet/subnet-1". An empty region or account: the resource has none.
std::string arn_of(std::string_view partition, std::string_view service, std::string_view region, std::string_view account,
                   std::string_view resource);

// The account itself, as a principal: "arn:aws:iam::123456789012:root".
std::string root_arn(std::string_view partition, std::string_view account);
// Whether `arn` is that one; never without an account. Asked for every request: it allocates nothing.
bool is_root_arn(std::string_view arn, std::string_view partition, std::string_view account);

}  // namespace brume::domain
