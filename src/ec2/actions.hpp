// Every built action of the EC2 API, one list per resource. A new action: add it to models/built.json and to its resource's list.
#pragma once

#include "service/action.hpp"

namespace brume::ec2 {

std::vector<service::Action> key_pair_actions();
std::vector<service::Action> security_group_actions();
std::vector<service::Action> region_actions();
std::vector<service::Action> instance_type_actions();
std::vector<service::Action> placement_group_actions();
std::vector<service::Action> launch_template_actions();
std::vector<service::Action> image_actions();
std::vector<service::Action> product_code_actions();
std::vector<service::Action> recycle_bin_actions();
std::vector<service::Action> instance_actions();
std::vector<service::Action> vpc_actions();
std::vector<service::Action> vpc_tenancy_actions();
std::vector<service::Action> subnet_actions();
std::vector<service::Action> internet_gateway_actions();
std::vector<service::Action> egress_only_gateway_actions();
std::vector<service::Action> route_table_actions();
std::vector<service::Action> network_acl_actions();
std::vector<service::Action> dhcp_options_actions();
std::vector<service::Action> nat_gateway_actions();
std::vector<service::Action> prefix_list_actions();
std::vector<service::Action> vpc_peering_actions();
std::vector<service::Action> vpc_endpoint_actions();
std::vector<service::Action> address_name_actions();
std::vector<service::Action> customer_gateway_actions();
std::vector<service::Action> vpn_gateway_actions();
std::vector<service::Action> vpn_connection_actions();
std::vector<service::Action> flow_log_actions();
std::vector<service::Action> address_actions();
std::vector<service::Action> network_interface_actions();
std::vector<service::Action> volume_actions();
std::vector<service::Action> snapshot_actions();
std::vector<service::Action> root_volume_actions();
std::vector<service::Action> image_creation_actions();
std::vector<service::Action> ebs_encryption_actions();
std::vector<service::Action> tag_actions();
std::vector<service::Action> account_attribute_actions();
std::vector<service::Action> id_format_actions();

service::ServiceTable make_service();

}  // namespace brume::ec2
