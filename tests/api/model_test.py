"""Every answer of every built operation, held against service models that were not written here.

For each case of model_scenarios.py: nothing that the model does not know, nothing missing that it requires, values of its types, and
all of it read by botocore's parser. The same in 2011-12-01 for what existed then, by the overlay and by boto 2.
"""
import boto.ec2.blockdevicemapping
import boto.vpc
import pytest

import conftest
import model_scenarios
import network_scenarios
import service_model
import wire_model
from service_model import OLD_NUMBER, built

# What EC2 answers although botocore's model does not know it.
BEYOND_THE_MODEL = {"CreateSecurityGroup": {"/return"}}

# How boto 2 asks for what its API has; an operation of the time without a line here fails.
BOTO_2 = {
    "CreateKeyPair": lambda c, w: c.create_key_pair(w.name("key")).material,
    "ImportKeyPair": lambda c, w: c.import_key_pair(w.name("key"), w.public_key).fingerprint,
    "DescribeKeyPairs": lambda c, w: c.get_all_key_pairs([w.key_name])[0].fingerprint,
    "DeleteKeyPair": lambda c, w: c.delete_key_pair(w.new_key()[0]),
    "CreateSecurityGroup": lambda c, w: c.create_security_group(w.name("group"), "d", w.vpc).id,
    "DeleteSecurityGroup": lambda c, w: c.delete_security_group(group_id=w.new_group()),
    "DescribeSecurityGroups": lambda c, w: c.get_all_security_groups(group_ids=[w.new_rule()[0]["GroupId"]])[0].rules[0].grants[0].cidr_ip,
    "AuthorizeSecurityGroupIngress": lambda c, w: c.authorize_security_group(None, None, None, "tcp", 1, 2, "10.0.0.0/8", group_id=w.new_group()),
    "AuthorizeSecurityGroupEgress": lambda c, w: c.authorize_security_group_egress(w.new_group(), "tcp", 1, 2, cidr_ip="10.0.0.0/8"),
    "RevokeSecurityGroupIngress": lambda c, w: c.revoke_security_group(**rule_of_members(w)),
    "RevokeSecurityGroupEgress": lambda c, w: c.revoke_security_group_egress(w.new_group(), "-1", cidr_ip="0.0.0.0/0"),
    "DescribeRegions": lambda c, w: c.get_all_regions()[0].endpoint,
    "DescribeAvailabilityZones": lambda c, w: c.get_all_zones()[0].region_name,
    "DescribeImages": lambda c, w: c.get_all_images([w.image])[0].root_device_name,
    "RegisterImage": lambda c, w: c.register_image(w.name("image"), architecture="x86_64", root_device_name="/dev/sda1", block_device_map=boto_map(w)),
    "DeregisterImage": lambda c, w: c.deregister_image(w.new_image()),
    "DescribeImageAttribute": lambda c, w: c.get_image_attribute(w.shared_image()).attrs["user_ids"],
    "ModifyImageAttribute": lambda c, w: c.modify_image_attribute(w.new_image(), operation="add", groups="all"),
    "ResetImageAttribute": lambda c, w: c.reset_image_attribute(w.shared_image()),
    "ConfirmProductInstance": lambda c, w: c.confirm_product_instance("774F4FF8", w.marked_instance)[0],
    "RunInstances": lambda c, w: c.run_instances(w.image).instances[0].placement,
    "DescribeInstances": lambda c, w: c.get_all_reservations([w.instance])[0].instances[0].private_ip_address,
    "StartInstances": lambda c, w: c.start_instances([w.new_instance("stopped")])[0].id,
    "StopInstances": lambda c, w: c.stop_instances([w.new_instance()])[0].id,
    "RebootInstances": lambda c, w: c.reboot_instances([w.instance]),
    "TerminateInstances": lambda c, w: c.terminate_instances([w.new_instance()])[0].id,
    "GetConsoleOutput": lambda c, w: c.get_console_output(w.instance).instance_id,
    "DescribeInstanceAttribute": lambda c, w: c.get_instance_attribute(w.instance, "instanceType")["instanceType"],
    "ModifyInstanceAttribute": lambda c, w: c.modify_instance_attribute(w.instance, "disableApiTermination", False),
    "ResetInstanceAttribute": lambda c, w: c.reset_instance_attribute(w.instance, "sourceDestCheck"),
    "DescribeInstanceStatus": lambda c, w: c.get_all_instance_status([w.instance])[0].zone,
    "MonitorInstances": lambda c, w: c.monitor_instances([w.instance])[0].id,
    "UnmonitorInstances": lambda c, w: c.unmonitor_instances([w.instance])[0].id,
    "GetPasswordData": lambda c, w: c.get_password_data(w.instance) == "",
    "DescribeVolumes": lambda c, w: c.get_all_volumes([w.volume])[0].attach_data.device,
    "CreatePlacementGroup": lambda c, w: c.create_placement_group(w.name("near")),
    "DescribePlacementGroups": lambda c, w: c.get_all_placement_groups([w.placement_group[0]])[0].strategy,
    "DeletePlacementGroup": lambda c, w: c.delete_placement_group(w.new_placement_group()[0]),
    "CreateVolume": lambda c, w: c.create_volume(1, conftest.REGION + "a").status,
    "DeleteVolume": lambda c, w: c.delete_volume(w.new_volume()),
    "AttachVolume": lambda c, w: c.attach_volume(*w.to_attach(), "/dev/sdf") == "attaching",
    "DetachVolume": lambda c, w: c.detach_volume(w.attached_volume()) == "detaching",
    "CreateSnapshot": lambda c, w: c.create_snapshot(w.volume, "d").description,
    "DeleteSnapshot": lambda c, w: c.delete_snapshot(w.new_snapshot()),
    "DescribeSnapshots": lambda c, w: c.get_all_snapshots([w.snapshot], owner="self")[0].volume_size,
    "DescribeSnapshotAttribute": lambda c, w: c.get_snapshot_attribute(w.shared_snapshot()).attrs["user_ids"],
    "ModifySnapshotAttribute": lambda c, w: c.modify_snapshot_attribute(w.snapshot, user_ids=["111122223333"], groups=["all"]),
    "ResetSnapshotAttribute": lambda c, w: c.reset_snapshot_attribute(w.snapshot),
    "CreateImage": lambda c, w: c.create_image(w.instance, w.name("created"), no_reboot=True),
    "CreateTags": lambda c, w: c.create_tags([w.instance], {"boto": "2"}),
    "DeleteTags": lambda c, w: c.delete_tags([w.instance], {"boto": None}),
    "DescribeTags": lambda c, w: c.get_all_tags({"resource-id": model_scenarios.tagged_group(w)})[0].name,
    "AllocateAddress": lambda c, w: w.new_address() and c.allocate_address("vpc").allocation_id,
    "AssociateAddress": lambda c, w: c.associate_address(allocation_id=w.new_address(), network_interface_id=w.new_interface()),
    "DisassociateAddress": lambda c, w: c.disassociate_address(association_id=w.associated_address()),
    "ReleaseAddress": lambda c, w: c.release_address(allocation_id=w.new_address()),
    "DescribeAddresses": lambda c, w: c.get_all_addresses(allocation_ids=[w.new_address()])[0].public_ip,
    "CreateVpcPeeringConnection": lambda c, w: c.create_vpc_peering_connection(w.vpc, w.new_vpc()).id,
    "AcceptVpcPeeringConnection": lambda c, w: c.accept_vpc_peering_connection(w.new_peering()).id,
    "RejectVpcPeeringConnection": lambda c, w: c.reject_vpc_peering_connection(w.new_peering()),
    "DeleteVpcPeeringConnection": lambda c, w: c.delete_vpc_peering_connection(w.new_peering(True)),
    "DescribeVpcPeeringConnections": lambda c, w: c.get_all_vpc_peering_connections([w.new_peering()])[0].status_code,
    "CreateNetworkInterface": lambda c, w: c.create_network_interface(w.subnet, description="d", groups=[w.group]).id,
    "DeleteNetworkInterface": lambda c, w: c.delete_network_interface(w.new_interface()),
    "DescribeNetworkInterfaces": lambda c, w: c.get_all_network_interfaces([w.attached_interface()[0]])[0].attachment.id,
    "AttachNetworkInterface": lambda c, w: c.attach_network_interface(w.new_interface(), w.new_instance("stopped", SubnetId=w.subnet), 1),
    "DetachNetworkInterface": lambda c, w: c.detach_network_interface(w.attached_interface()[1]),
    "ModifyNetworkInterfaceAttribute": lambda c, w: c.modify_network_interface_attribute(w.new_interface(), "description", "other"),
    # Of boto.vpc, which is another connection.
    "DescribeVpcs": lambda c, w: c.get_all_vpcs([w.vpc])[0].cidr_block,
    "DescribeSubnets": lambda c, w: c.get_all_subnets([w.subnet])[0].cidr_block,
    "CreateVpc": lambda c, w: w.drop_vpcs() or c.create_vpc("10.20.0.0/16").id,
    "DeleteVpc": lambda c, w: c.delete_vpc(w.new_vpc()),
    "CreateSubnet": lambda c, w: c.create_subnet(w.new_vpc(), "10.20.1.0/24").id,
    "DeleteSubnet": lambda c, w: c.delete_subnet(w.new_subnet()),
    "CreateCustomerGateway": lambda c, w: c.create_customer_gateway("ipsec.1", "192.0.2.10", 65001).ip_address,
    "DeleteCustomerGateway": lambda c, w: w.drop_vpn() or c.delete_customer_gateway(w.customer_gateway()),
    "DescribeCustomerGateways": lambda c, w: c.get_all_customer_gateways([w.customer_gateway()])[0].ip_address,
    "CreateVpnGateway": lambda c, w: w.drop_vpn() or c.create_vpn_gateway("ipsec.1").id,
    "DeleteVpnGateway": lambda c, w: c.delete_vpn_gateway(w.new_vpn_gateway()),
    "DescribeVpnGateways": lambda c, w: c.get_all_vpn_gateways([w.attached_vpn_gateway()])[0].attachments[0].vpc_id,
    "AttachVpnGateway": lambda c, w: c.attach_vpn_gateway(w.new_vpn_gateway(), w.vpc).vpc_id,
    "DetachVpnGateway": lambda c, w: c.detach_vpn_gateway(w.attached_vpn_gateway(), w.vpc),
    "EnableVgwRoutePropagation": lambda c, w: c.enable_vgw_route_propagation(w.main_table(), w.attached_vpn_gateway()),
    "DisableVgwRoutePropagation": lambda c, w: c.disable_vgw_route_propagation(w.main_table(), w.attached_vpn_gateway()),
    "CreateVpnConnection": lambda c, w: c.create_vpn_connection("ipsec.1", w.customer_gateway(), w.attached_vpn_gateway(), True).customer_gateway_configuration,
    "DeleteVpnConnection": lambda c, w: c.delete_vpn_connection(w.new_vpn_connection()),
    "DescribeVpnConnections": lambda c, w: c.get_all_vpn_connections([w.new_vpn_connection()])[0].tunnels[1].status,
    "CreateVpnConnectionRoute": lambda c, w: c.create_vpn_connection_route("192.168.7.0/24", w.new_vpn_connection()),
    "DeleteVpnConnectionRoute": lambda c, w: c.delete_vpn_connection_route("192.168.7.0/24", w.routed_vpn_connection()["VpnConnectionId"]),
    "CreateInternetGateway": lambda c, w: w.drop_gateways() or c.create_internet_gateway().id,
    "DeleteInternetGateway": lambda c, w: c.delete_internet_gateway(w.new_gateway()),
    "AttachInternetGateway": lambda c, w: c.attach_internet_gateway(vpc_id=w.new_vpc(), internet_gateway_id=w.new_gateway()),
    "DetachInternetGateway": lambda c, w: c.detach_internet_gateway(*reversed(network_scenarios.attached_gateway(w))),
    "DescribeInternetGateways": lambda c, w: c.get_all_internet_gateways([network_scenarios.attached_gateway(w)[1]])[0].attachments[0].vpc_id,
    "CreateNetworkAcl": lambda c, w: c.create_network_acl(w.new_vpc()).id,
    "DeleteNetworkAcl": lambda c, w: c.delete_network_acl(w.new_acl()),
    "DescribeNetworkAcls": lambda c, w: c.get_all_network_acls()[0].network_acl_entries[0].rule_number,
    "CreateNetworkAclEntry": lambda c, w: c.create_network_acl_entry(w.new_acl(), 90, "-1", "allow", "10.0.0.0/8", egress=False),
    "ReplaceNetworkAclEntry": lambda c, w: c.replace_network_acl_entry(w.made_entry()["NetworkAclId"], 110, "-1", "allow", "10.0.0.0/8", egress=False),
    "DeleteNetworkAclEntry": lambda c, w: c.delete_network_acl_entry(w.made_entry()["NetworkAclId"], 110, egress=False),
    "ReplaceNetworkAclAssociation": lambda c, w: boto_acl_move(c, w),
    "CreateDhcpOptions": lambda c, w: c.create_dhcp_options(domain_name="corp.example").id,
    "DeleteDhcpOptions": lambda c, w: c.delete_dhcp_options(w.new_dhcp_options()),
    "DescribeDhcpOptions": lambda c, w: c.get_all_dhcp_options([w.new_dhcp_options()])[0].options["domain-name"],
    "AssociateDhcpOptions": lambda c, w: c.associate_dhcp_options(w.new_dhcp_options(), w.new_vpc()),
    "CreateRouteTable": lambda c, w: c.create_route_table(w.new_vpc()).id,
    "DeleteRouteTable": lambda c, w: c.delete_route_table(w.new_route_table()),
    "DescribeRouteTables": lambda c, w: c.get_all_route_tables([w.route_to_gateway(True)["RouteTableId"]])[0].routes[1].gateway_id,
    "AssociateRouteTable": lambda c, w: c.associate_route_table(*reversed(w.routed_subnet()[:2])),
    "DisassociateRouteTable": lambda c, w: c.disassociate_route_table(w.routed_subnet()[2]),
    "ReplaceRouteTableAssociation": lambda c, w: c.replace_route_table_association_with_assoc(*reversed(w.routed_subnet()[1:])),
    "CreateRoute": lambda c, w: c.create_route(*boto_route(w.route_to_gateway())),
    "ReplaceRoute": lambda c, w: c.replace_route(*boto_route(w.route_to_gateway(True))),
    "DeleteRoute": lambda c, w: c.delete_route(*boto_route(w.route_to_gateway(True))[:2]),
}
# Boto 2 has no function for them.
NOT_IN_BOTO_2 = {"DescribeNetworkInterfaceAttribute", "ResetNetworkInterfaceAttribute"}


def boto_acl_move(connection, world):
    vpc = world.new_vpc()
    acl, subnet = world.new_acl(vpc), world.new_subnet(vpc)
    return connection.associate_network_acl(acl, subnet)


def boto_route(route):
    return route["RouteTableId"], route["DestinationCidrBlock"], route["GatewayId"]


def boto_map(world):
    mapping = boto.ec2.blockdevicemapping.BlockDeviceMapping()
    mapping["/dev/sda1"] = boto.ec2.blockdevicemapping.BlockDeviceType(snapshot_id=world.snapshot)
    return mapping


def rule_of_members(world):
    """The rule that lets a group's own members in, as the default group has it."""
    group = world.new_group()
    world.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}])
    return {"ip_protocol": "-1", "src_security_group_group_id": group, "group_id": group}


class OldConnection(conftest.ClassicConnection, boto.vpc.VPCConnection):
    pass


def of_2011():
    model = service_model.own("ec2")
    return sorted(name for name, service in built().items()
                  if service == "ec2" and wire_model.version_number(model.operations[name].get("since", "0")) <= OLD_NUMBER)


@pytest.fixture(scope="module")
def world(daemon):
    return model_scenarios.World(daemon, daemon.create_account("model"))


def test_what_is_held_against():
    """The models are there, and the newest knows all that is built."""
    for service in set(built().values()):
        who, newest = service_model.models(service)[-1]
        assert set(name for name, of in built().items() if of == service) <= set(newest.operation_names), who
    assert set(model_scenarios.SCENARIOS) <= set(built()), "a line for what is not built"


@pytest.mark.parametrize("operation, number", model_scenarios.all_cases())
def test_answer(world, operation, number):
    case = model_scenarios.cases_of(operation)[number]
    answer = world.send(operation, case(world))
    assert answer.status == 200, answer.body
    service = built()[operation]
    assert service_model.deviations(service, operation, answer.body, BEYOND_THE_MODEL.get(operation, ())) == []
    if operation.startswith(("Describe", "List")):
        reading = service_model.Reading(service_model.models(service)[-1][1].operation_model(operation), answer.tree, False)
        empty = {name for name, value in reading.value.items() if value == []}
        assert empty <= model_scenarios.MAY_BE_EMPTY.get(operation, set()), answer.body


@pytest.mark.parametrize("operation, number", [(name, at) for name, at in model_scenarios.all_cases() if name in of_2011()])
def test_answer_then(world, operation, number):
    model, parameters = service_model.own("ec2"), model_scenarios.cases_of(operation)[number](world)
    then = service_model.as_of_2011(model, model.operations[operation]["input"], parameters)
    answer = world.send(operation, then, conftest.OLD)
    if then != parameters and answer.code == "MissingParameter":
        pytest.skip("what it is about came later")
    assert answer.status == 200, answer.body
    assert service_model.old_deviations(operation, answer.body) == []


@pytest.mark.parametrize("operation", of_2011())
def test_boto_2(daemon, world, operation):
    if operation in NOT_IN_BOTO_2:
        pytest.skip("boto 2 has no function for it")
    assert operation in BOTO_2, f"{operation} existed in 2011-12-01: how does boto 2 ask for it? (tests/api/model_test.py)"
    connection = daemon.old_client(world.keys, kind=OldConnection)
    assert BOTO_2[operation](connection, world)
