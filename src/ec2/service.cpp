#include "ec2/accounts/empty_families.hpp"
#include "ec2/actions.hpp"

namespace brume::ec2 {

service::ServiceTable make_service() {
  std::vector<service::Action> actions;
  for (const auto& list : {key_pair_actions,
                           security_group_actions,
                           region_actions,
                           instance_type_actions,
                           placement_group_actions,
                           launch_template_actions,
                           image_actions,
                           product_code_actions,
                           recycle_bin_actions,
                           instance_actions,
                           vpc_actions,
                           vpc_tenancy_actions,
                           subnet_actions,
                           internet_gateway_actions,
                           egress_only_gateway_actions,
                           route_table_actions,
                           network_acl_actions,
                           dhcp_options_actions,
                           nat_gateway_actions,
                           prefix_list_actions,
                           vpc_peering_actions,
                           vpc_endpoint_actions,
                           address_name_actions,
                           customer_gateway_actions,
                           vpn_gateway_actions,
                           vpn_connection_actions,
                           flow_log_actions,
                           address_actions,
                           network_interface_actions,
                           volume_actions,
                           snapshot_actions,
                           root_volume_actions,
                           image_creation_actions,
                           ebs_encryption_actions,
                           tag_actions,
                           account_attribute_actions,
                           id_format_actions,
                           empty_family_actions})
    for (const auto& action : list()) actions.push_back(action);
  return service::make_table("ec2", std::move(actions));
}

}  // namespace brume::ec2
