#include "ec2/instances/user_data.hpp"

#include "wire/api_error.hpp"

namespace brume::ec2 {

void check_user_data(std::string_view raw) {
  constexpr size_t user_data_limit = 16 * 1024;
  if (raw.size() > user_data_limit) throw wire::invalid_parameter_value("User data is limited to 16384 bytes");
}

}  // namespace brume::ec2
