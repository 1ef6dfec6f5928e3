"""The cases of model_scenarios.py about networks, and what they make first: VPCs and what is in them, interfaces, Elastic IPs."""
from scenario_parameters import filtered, tagged


class Network:
    """A part of model_scenarios.World."""

    # Of these an account has few: what an earlier case made is given back first.

    def new_address(self):
        for item in self.call("DescribeAddresses").tree.iter("item"):
            if item.find("allocationId") is None:
                continue
            if item.find("associationId") is not None:
                self.send("DisassociateAddress", {"AssociationId": item.findtext("associationId")})
            self.send("ResetAddressAttribute", {"AllocationId": item.findtext("allocationId"), "Attribute": "domain-name"})
            self.send("ReleaseAddress", {"AllocationId": item.findtext("allocationId")})  # not a NAT gateway's
        return self.get("allocationId", "AllocateAddress")

    def standard_address(self):
        for address in self.call("DescribeAddresses", **filtered("domain", "standard")).texts("addressesSet/item/publicIp"):
            self.send("ReleaseAddress", {"PublicIp": address})
        self.new_address()  # which makes room
        return self.get("publicIp", "AllocateAddress", Domain="standard")

    def moved_address(self):
        address = self.standard_address()
        self.call("MoveAddressToVpc", PublicIp=address)
        return address

    def address_with_name(self):
        """Of a new address: itself, and the name that leads to it."""
        which = self.new_address()
        ip = self.get("addressesSet/item/publicIp", "DescribeAddresses", AllocationIds=[which])
        return {"AllocationId": which, "DomainName": f"ec2-{ip.replace('.', '-')}.compute-1.amazonaws.com"}

    def associated_address(self, interface=None):
        """The association of a new address."""
        return self.get("associationId", "AssociateAddress", AllocationId=self.new_address(), NetworkInterfaceId=interface or self.new_interface())

    def new_interface(self):
        return self.get("networkInterface/networkInterfaceId", "CreateNetworkInterface", SubnetId=self.subnet)

    def attached_interface(self):
        """An interface at a stopped instance, and its attachment."""
        interface, instance = self.new_interface(), self.new_instance("stopped", SubnetId=self.subnet)
        return interface, self.get("attachmentId", "AttachNetworkInterface", NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=1)

    def own_vpcs(self):
        return [item.findtext("vpcId") for item in self.call("DescribeVpcs", **filtered("is-default", "false")).tree.iterfind("vpcSet/item")]

    def drop_gateways(self):
        vpcs = self.own_vpcs()
        for item in self.call("DescribeInternetGateways").tree.iterfind("internetGatewaySet/item"):
            gateway, vpc = item.findtext("internetGatewayId"), item.findtext("attachmentSet/item/vpcId")
            if vpc in vpcs:
                self.call("DetachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
            if vpc is None or vpc in vpcs:
                self.call("DeleteInternetGateway", InternetGatewayId=gateway)

    def drop_egress_only(self):
        for gateway in self.call("DescribeEgressOnlyInternetGateways").texts("egressOnlyInternetGatewaySet/item/egressOnlyInternetGatewayId"):
            self.call("DeleteEgressOnlyInternetGateway", EgressOnlyInternetGatewayId=gateway)

    def new_egress_only(self):
        return self.get("egressOnlyInternetGateway/egressOnlyInternetGatewayId", "CreateEgressOnlyInternetGateway", VpcId=self.new_vpc())

    def vpc_with_ipv6(self):
        """A VPC and its first /64."""
        vpc = self.new_vpc()
        self.call("AssociateVpcCidrBlock", VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
        whole = self.get("vpcSet/item/ipv6CidrBlockAssociationSet/item/ipv6CidrBlock", "DescribeVpcs", VpcIds=[vpc])
        return vpc, whole.replace("/56", "/64")

    def subnet_with_ipv6(self):
        """A subnet, and the association of its IPv6."""
        vpc, range6 = self.vpc_with_ipv6()
        subnet = self.new_subnet(vpc)
        return subnet, self.get("ipv6CidrBlockAssociation/associationId", "AssociateSubnetCidrBlock", SubnetId=subnet, Ipv6CidrBlock=range6)

    def interface_with_ipv6(self):
        subnet, _ = self.subnet_with_ipv6()
        return self.get("networkInterface/networkInterfaceId", "CreateNetworkInterface", SubnetId=subnet, Ipv6AddressCount=1)

    def drop_vpcs(self):
        self.drop_gateways()
        self.drop_egress_only()
        self.drop_peerings()
        endpoints = self.call("DescribeVpcEndpoints").texts("vpcEndpointSet/item/vpcEndpointId")
        if endpoints:
            self.call("DeleteVpcEndpoints", VpcEndpointIds=endpoints)
        for vpc in self.own_vpcs():
            for interface in self.call("DescribeNetworkInterfaces", **filtered("vpc-id", vpc)).texts("networkInterfaceSet/item/networkInterfaceId"):
                self.call("DeleteNetworkInterface", NetworkInterfaceId=interface)
            for subnet in self.call("DescribeSubnets", **filtered("vpc-id", vpc)).texts("subnetSet/item/subnetId"):
                self.call("DeleteSubnet", SubnetId=subnet)
            for item in self.call("DescribeRouteTables", **filtered("vpc-id", vpc)).tree.iterfind("routeTableSet/item"):
                if item.findtext("associationSet/item/main") != "true":
                    self.call("DeleteRouteTable", RouteTableId=item.findtext("routeTableId"))
            for acl in self.call("DescribeNetworkAcls", Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "default", "Values": ["false"]}]).texts("networkAclSet/item/networkAclId"):
                self.call("DeleteNetworkAcl", NetworkAclId=acl)
            self.drop_groups(vpc)
            self.call("DeleteVpc", VpcId=vpc)

    def drop_groups(self, vpc):
        """Those that others name go after the others."""
        while True:
            groups = [item.findtext("groupId") for item in self.call("DescribeSecurityGroups", **filtered("vpc-id", vpc)).tree.iterfind("securityGroupInfo/item")
                      if item.findtext("groupName") != "default"]
            gone = [group for group in groups if self.send("DeleteSecurityGroup", {"GroupId": group}).status == 200]
            if len(gone) == len(groups):
                return
            assert gone, f"none of {groups} can be deleted"

    def new_vpc(self, **more):
        self.drop_vpcs()
        return self.get("vpc/vpcId", "CreateVpc", CidrBlock="10.20.0.0/16", **more)

    def new_subnet(self, vpc=None):
        return self.get("subnet/subnetId", "CreateSubnet", VpcId=vpc or self.new_vpc(), CidrBlock="10.20.1.0/24")

    def new_gateway(self, vpc=None):
        if vpc is None:
            self.drop_gateways()
        gateway = self.get("internetGateway/internetGatewayId", "CreateInternetGateway")
        if vpc is not None:
            self.call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
        return gateway

    def new_route_table(self, vpc=None):
        return self.get("routeTable/routeTableId", "CreateRouteTable", VpcId=vpc or self.new_vpc())

    def routed_subnet(self):
        """A subnet and a route table of the same VPC, and their association."""
        vpc = self.new_vpc()
        subnet, table = self.new_subnet(vpc), self.new_route_table(vpc)
        return subnet, table, self.get("associationId", "AssociateRouteTable", SubnetId=subnet, RouteTableId=table)

    def route_to_gateway(self, made=False):
        vpc = self.new_vpc()
        route = {"RouteTableId": self.new_route_table(vpc), "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": self.new_gateway(vpc)}
        if made:
            self.call("CreateRoute", **route)
        return route

    def new_acl(self, vpc=None):
        return self.get("networkAcl/networkAclId", "CreateNetworkAcl", VpcId=vpc or self.new_vpc())

    def made_entry(self):
        entry = acl_entry(self.new_acl())
        self.call("CreateNetworkAclEntry", **entry)
        return entry

    def new_dhcp_options(self):
        return self.get("dhcpOptions/dhcpOptionsId", "CreateDhcpOptions", DhcpConfigurations=DHCP)

    def drop_prefix_lists(self):
        for which in self.call("DescribeManagedPrefixLists", **filtered("owner-id", self.keys.account)).texts("prefixListSet/item/prefixListId"):
            self.call("DeleteManagedPrefixList", PrefixListId=which)  # what a rule names stays

    def new_prefix_list(self):
        self.drop_prefix_lists()
        return self.get("prefixList/prefixListId", "CreateManagedPrefixList", PrefixListName="l", AddressFamily="IPv4", MaxEntries=2,
                        Entries=[{"Cidr": "10.0.0.0/8", "Description": "d"}])

    def changed_prefix_list(self):
        which = self.new_prefix_list()
        self.call("ModifyManagedPrefixList", PrefixListId=which, AddEntries=[{"Cidr": "11.0.0.0/8"}])
        return which

    def named_prefix_list(self):
        which = self.new_prefix_list()
        self.call("AuthorizeSecurityGroupIngress", GroupId=self.new_group(), IpPermissions=[{"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": which}]}])
        return which

    def drop_peerings(self):
        for item in self.call("DescribeVpcPeeringConnections").tree.iterfind("vpcPeeringConnectionSet/item"):
            if item.findtext("status/code") in ("active", "pending-acceptance"):
                self.call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=item.findtext("vpcPeeringConnectionId"))

    def new_peering(self, accepted=False):
        """One from the default VPC to a new one."""
        which = self.get("vpcPeeringConnection/vpcPeeringConnectionId", "CreateVpcPeeringConnection", VpcId=self.vpc, PeerVpcId=self.new_vpc())
        if accepted:
            self.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=which)
        return which

    def peer_group(self):
        """A group of a new VPC that a rule of the default VPC's names, their peering, and the group with the rule."""
        which = self.new_peering(True)
        vpc = self.get("vpcPeeringConnectionSet/item/accepterVpcInfo/vpcId", "DescribeVpcPeeringConnections", VpcPeeringConnectionIds=[which])
        group = self.get("securityGroupInfo/item/groupId", "DescribeSecurityGroups", **filtered("vpc-id", vpc))
        near = self.new_group()
        self.call("AuthorizeSecurityGroupIngress", GroupId=near, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [{"GroupId": group, "VpcPeeringConnectionId": which}]}])
        return group, which, near

    def stale_group(self):
        """The VPC of a group that names one over a peering which is no more."""
        _, which, _ = self.peer_group()
        self.call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=which)
        return self.vpc

    def new_endpoint(self):
        vpc = self.new_vpc()
        return self.get("vpcEndpoint/vpcEndpointId", "CreateVpcEndpoint", VpcId=vpc, ServiceName=S3, RouteTableIds=[self.new_route_table(vpc)])

    def drop_vpn(self):
        alive = filtered("state", "available")
        for which in self.call("DescribeVpnConnections", **alive).texts("vpnConnectionSet/item/vpnConnectionId"):
            self.call("DeleteVpnConnection", VpnConnectionId=which)
        for item in self.call("DescribeVpnGateways", **alive).tree.iterfind("vpnGatewaySet/item"):
            which, vpc = item.findtext("vpnGatewayId"), item.findtext("attachments/item/vpcId")
            if vpc is not None:
                self.call("DetachVpnGateway", VpnGatewayId=which, VpcId=vpc)
            self.call("DeleteVpnGateway", VpnGatewayId=which)

    def customer_gateway(self):
        return self.get("customerGateway/customerGatewayId", "CreateCustomerGateway", Type="ipsec.1", PublicIp="192.0.2.10", BgpAsn=65000)

    def new_vpn_gateway(self):
        self.drop_vpn()
        return self.get("vpnGateway/vpnGatewayId", "CreateVpnGateway", Type="ipsec.1")

    def attached_vpn_gateway(self):
        which = self.new_vpn_gateway()
        self.call("AttachVpnGateway", VpnGatewayId=which, VpcId=self.vpc)
        return which

    def main_table(self):
        return self.get("routeTableSet/item/routeTableId", "DescribeRouteTables", **filtered("vpc-id", self.vpc))

    def new_vpn_connection(self):
        return self.get("vpnConnection/vpnConnectionId", "CreateVpnConnection", Type="ipsec.1", VpnGatewayId=self.attached_vpn_gateway(),
                        CustomerGatewayId=self.customer_gateway(), Options={"StaticRoutesOnly": True})

    def routed_vpn_connection(self):
        route = {"VpnConnectionId": self.new_vpn_connection(), "DestinationCidrBlock": "192.168.7.0/24"}
        self.call("CreateVpnConnectionRoute", **route)
        return route

    def drop_flow_logs(self):
        logs = self.call("DescribeFlowLogs").texts("flowLogSet/item/flowLogId")
        if logs:
            self.call("DeleteFlowLogs", FlowLogIds=logs)

    def new_flow_log(self):
        self.drop_flow_logs()
        return self.get("flowLogIdSet/item", "CreateFlowLogs", **flow_log(self))

    def drop_nat_gateways(self):
        for gateway in self.call("DescribeNatGateways", Filter=[{"Name": "state", "Values": ["available"]}]).texts("natGatewaySet/item/natGatewayId"):
            self.call("DeleteNatGateway", NatGatewayId=gateway)

    def new_nat_gateway(self):
        self.drop_nat_gateways()
        return self.get("natGateway/natGatewayId", "CreateNatGateway", SubnetId=self.subnet, AllocationId=self.new_address())

    def fresh_account(self, *operations):
        """These go to an account that has nothing but its default VPC."""
        other = type(self)(self.daemon, self.daemon.create_account("fresh"))
        self.keys_of.update(dict.fromkeys(operations, other.keys))
        return other

    def without_default_vpc(self):
        other = self.fresh_account("CreateDefaultVpc")
        gateway = other.get("internetGatewaySet/item/internetGatewayId", "DescribeInternetGateways")
        other.call("DetachInternetGateway", InternetGatewayId=gateway, VpcId=other.vpc)
        other.call("DeleteInternetGateway", InternetGatewayId=gateway)
        for subnet in other.call("DescribeSubnets").texts("subnetSet/item/subnetId"):
            other.call("DeleteSubnet", SubnetId=subnet)
        other.call("DeleteVpc", VpcId=other.vpc)

    def without_default_subnet(self):
        """The zone that has none."""
        other = self.fresh_account("CreateDefaultSubnet")
        zone = other.get("subnetSet/item/availabilityZone", "DescribeSubnets", SubnetIds=[other.subnet])
        other.call("DeleteSubnet", SubnetId=other.subnet)
        return zone

    def range_association(self):
        return self.get("cidrBlockAssociation/associationId", "AssociateVpcCidrBlock", VpcId=self.new_vpc(), CidrBlock="10.30.0.0/16")


S3 = "com.amazonaws.us-east-1.s3"


def flow_log(world):
    return {"ResourceType": "VPC", "ResourceIds": [world.vpc], "TrafficType": "ALL", "LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::flows"}


DHCP = [{"Key": "domain-name", "Values": ["corp.example"]}, {"Key": "domain-name-servers", "Values": ["10.2.5.1", "10.2.5.2"]}]


def acl_entry(acl):
    return {"NetworkAclId": acl, "RuleNumber": 110, "Protocol": "6", "RuleAction": "allow", "Egress": False, "CidrBlock": "10.0.0.0/8",
            "PortRange": {"From": 53, "To": 53}}


def acl_of(world, subnet):
    """The ACL that a subnet is in, and the association."""
    (acl,) = world.call("DescribeNetworkAcls", **filtered("association.subnet-id", subnet)).tree.iterfind("networkAclSet/item")
    (association,) = [one for one in acl.iterfind("associationSet/item") if one.findtext("subnetId") == subnet]
    return acl.findtext("networkAclId"), association.findtext("networkAclAssociationId")


def acl_move(world):
    vpc = world.new_vpc()
    return {"NetworkAclId": world.new_acl(vpc), "AssociationId": acl_of(world, world.new_subnet(vpc))[1]}


def attachment_change(interface, attachment):
    return {"NetworkInterfaceId": interface, "Attachment": {"AttachmentId": attachment, "DeleteOnTermination": True}}


def with_ipv6_address(world):
    interface = world.interface_with_ipv6()
    address = world.get("assignedIpv6Addresses/item", "AssignIpv6Addresses", NetworkInterfaceId=interface, Ipv6AddressCount=1)
    return {"NetworkInterfaceId": interface, "Ipv6Addresses": [address]}


def new_subnet_range(world):
    vpc, range6 = world.vpc_with_ipv6()
    return {"SubnetId": world.new_subnet(vpc), "Ipv6CidrBlock": range6}


def with_second_address(world):
    interface = world.new_interface()
    address = world.get("assignedPrivateIpAddressesSet/item/privateIpAddress", "AssignPrivateIpAddresses", NetworkInterfaceId=interface, SecondaryPrivateIpAddressCount=1)
    return {"NetworkInterfaceId": interface, "PrivateIpAddresses": [address]}


def attached_gateway(world):
    vpc = world.new_vpc()
    return vpc, world.new_gateway(vpc)


SCENARIOS = {
    # addresses
    "AllocateAddress": lambda w: w.new_address() and {"Domain": "vpc", "TagSpecifications": tagged("elastic-ip")},
    "AssociateAddress": [lambda w: {"AllocationId": w.new_address(), "NetworkInterfaceId": w.new_interface()},
                         lambda w: {"AllocationId": w.new_address(), "InstanceId": w.new_instance()}],
    "DisassociateAddress": lambda w: {"AssociationId": w.associated_address()},
    "ReleaseAddress": lambda w: {"AllocationId": w.new_address()},
    "MoveAddressToVpc": lambda w: {"PublicIp": w.standard_address()},
    "RestoreAddressToClassic": lambda w: {"PublicIp": w.moved_address()},
    "DescribeAddresses": [lambda w: {"AllocationIds": [w.new_address()]}, lambda w: filtered("allocation-id", w.new_address())],
    # network_interfaces
    "CreateNetworkInterface": lambda w: {"SubnetId": w.subnet, "Groups": [w.group], "Description": "d", "SecondaryPrivateIpAddressCount": 1,
                                         "TagSpecifications": tagged("network-interface")},
    "DeleteNetworkInterface": lambda w: {"NetworkInterfaceId": w.new_interface()},
    "DescribeNetworkInterfaces": [lambda w: {"NetworkInterfaceIds": [w.attached_interface()[0]]}, lambda w: filtered("network-interface-id", w.new_interface())],
    "AttachNetworkInterface": lambda w: {"NetworkInterfaceId": w.new_interface(), "InstanceId": w.new_instance("stopped", SubnetId=w.subnet), "DeviceIndex": 1},
    "DetachNetworkInterface": lambda w: {"AttachmentId": w.attached_interface()[1]},
    "ModifyNetworkInterfaceAttribute": [lambda w: {"NetworkInterfaceId": w.new_interface(), "Groups": [w.group]},
                                        lambda w: {"NetworkInterfaceId": w.new_interface(), "SourceDestCheck": {"Value": False}},
                                        lambda w: attachment_change(*w.attached_interface())],
    "DescribeNetworkInterfaceAttribute": [lambda w: {"NetworkInterfaceId": w.new_interface(), "Attribute": "groupSet"},
                                          lambda w: {"NetworkInterfaceId": w.attached_interface()[0], "Attribute": "attachment"}],
    "ResetNetworkInterfaceAttribute": lambda w: {"NetworkInterfaceId": w.new_interface(), "SourceDestCheck": "true"},
    "AssignIpv6Addresses": lambda w: {"NetworkInterfaceId": w.interface_with_ipv6(), "Ipv6AddressCount": 1},
    "UnassignIpv6Addresses": lambda w: with_ipv6_address(w),
    "AssignPrivateIpAddresses": lambda w: {"NetworkInterfaceId": w.new_interface(), "SecondaryPrivateIpAddressCount": 2},
    "UnassignPrivateIpAddresses": lambda w: with_second_address(w),
    # vpcs
    "CreateVpc": lambda w: w.drop_vpcs() or {"CidrBlock": "10.20.0.0/16", "TagSpecifications": tagged("vpc")},
    "CreateDefaultVpc": lambda w: w.without_default_vpc() or {},
    "DeleteVpc": lambda w: {"VpcId": w.new_vpc()},
    "DescribeVpcs": [lambda w: {"VpcIds": [w.vpc]}, lambda w: {}],
    "DescribeVpcAttribute": [lambda w: {"VpcId": w.vpc, "Attribute": "enableDnsSupport"}, lambda w: {"VpcId": w.vpc, "Attribute": "enableDnsHostnames"}],
    "ModifyVpcAttribute": lambda w: {"VpcId": w.new_vpc(), "EnableDnsHostnames": {"Value": True}},
    "ModifyVpcTenancy": lambda w: {"VpcId": w.new_vpc(InstanceTenancy="dedicated"), "InstanceTenancy": "default"},
    "AssociateVpcCidrBlock": lambda w: {"VpcId": w.new_vpc(), "CidrBlock": "10.30.0.0/16"},
    "DisassociateVpcCidrBlock": lambda w: {"AssociationId": w.range_association()},
    # subnets
    "AssociateSubnetCidrBlock": lambda w: new_subnet_range(w),
    "DisassociateSubnetCidrBlock": lambda w: {"AssociationId": w.subnet_with_ipv6()[1]},
    "CreateSubnet": lambda w: {"VpcId": w.new_vpc(), "CidrBlock": "10.20.1.0/24", "TagSpecifications": tagged("subnet")},
    "CreateDefaultSubnet": lambda w: {"AvailabilityZone": w.without_default_subnet()},
    "DeleteSubnet": lambda w: {"SubnetId": w.new_subnet()},
    "DescribeSubnets": [lambda w: {"SubnetIds": [w.subnet]}, lambda w: {}],
    "ModifySubnetAttribute": lambda w: {"SubnetId": w.new_subnet(), "MapPublicIpOnLaunch": {"Value": True}},
    # network_acls
    "CreateNetworkAcl": lambda w: {"VpcId": w.new_vpc(), "TagSpecifications": tagged("network-acl")},
    "DeleteNetworkAcl": lambda w: {"NetworkAclId": w.new_acl()},
    "DescribeNetworkAcls": [lambda w: {"NetworkAclIds": [acl_of(w, w.new_subnet())[0]]}, lambda w: {}],
    "CreateNetworkAclEntry": lambda w: acl_entry(w.new_acl()),
    "ReplaceNetworkAclEntry": lambda w: w.made_entry(),
    "DeleteNetworkAclEntry": lambda w: {key: value for key, value in w.made_entry().items() if key in ("NetworkAclId", "RuleNumber", "Egress")},
    "ReplaceNetworkAclAssociation": lambda w: acl_move(w),
    # dhcp_options
    "CreateDhcpOptions": lambda w: {"DhcpConfigurations": DHCP, "TagSpecifications": tagged("dhcp-options")},
    "DeleteDhcpOptions": lambda w: {"DhcpOptionsId": w.new_dhcp_options()},
    "DescribeDhcpOptions": [lambda w: {"DhcpOptionsIds": [w.new_dhcp_options()]}, lambda w: filtered("dhcp-options-id", w.new_dhcp_options())],
    "AssociateDhcpOptions": lambda w: {"DhcpOptionsId": w.new_dhcp_options(), "VpcId": w.new_vpc()},
    # address_names
    "ModifyAddressAttribute": lambda w: w.address_with_name(),
    "ResetAddressAttribute": lambda w: {"AllocationId": w.new_address(), "Attribute": "domain-name"},
    "DescribeAddressesAttribute": lambda w: {"AllocationIds": [w.new_address()], "Attribute": "domain-name"},
    # prefix_lists
    "CreateManagedPrefixList": lambda w: w.drop_prefix_lists() or {"PrefixListName": "l", "AddressFamily": "IPv4", "MaxEntries": 2,
                                                                  "Entries": [{"Cidr": "10.0.0.0/8", "Description": "d"}], "TagSpecifications": tagged("prefix-list")},
    "ModifyManagedPrefixList": [lambda w: {"PrefixListId": w.new_prefix_list(), "CurrentVersion": 1, "AddEntries": [{"Cidr": "11.0.0.0/8"}]},
                                lambda w: {"PrefixListId": w.new_prefix_list(), "MaxEntries": 3, "PrefixListName": "m"}],
    "RestoreManagedPrefixListVersion": lambda w: {"PrefixListId": w.changed_prefix_list(), "PreviousVersion": 1, "CurrentVersion": 2},
    "DeleteManagedPrefixList": lambda w: {"PrefixListId": w.new_prefix_list()},
    "DescribeManagedPrefixLists": [lambda w: {"PrefixListIds": [w.new_prefix_list()]}, lambda w: filtered("prefix-list-id", w.new_prefix_list())],
    "GetManagedPrefixListEntries": lambda w: {"PrefixListId": w.changed_prefix_list(), "TargetVersion": 1},
    "GetManagedPrefixListAssociations": lambda w: {"PrefixListId": w.named_prefix_list()},
    # vpc_peerings
    "CreateVpcPeeringConnection": lambda w: {"VpcId": w.vpc, "PeerVpcId": w.new_vpc(), "TagSpecifications": tagged("vpc-peering-connection")},
    "AcceptVpcPeeringConnection": lambda w: {"VpcPeeringConnectionId": w.new_peering()},
    "RejectVpcPeeringConnection": lambda w: {"VpcPeeringConnectionId": w.new_peering()},
    "DeleteVpcPeeringConnection": lambda w: {"VpcPeeringConnectionId": w.new_peering(True)},
    "DescribeVpcPeeringConnections": [lambda w: {"VpcPeeringConnectionIds": [w.new_peering(True)]}, lambda w: filtered("status-code", w.new_peering() and "pending-acceptance")],
    "ModifyVpcPeeringConnectionOptions": lambda w: {
        "VpcPeeringConnectionId": w.new_peering(True), "RequesterPeeringConnectionOptions": {"AllowDnsResolutionFromRemoteVpc": False}},
    "DescribeSecurityGroupReferences": lambda w: {"GroupId": [w.peer_group()[0]]},
    "DescribeStaleSecurityGroups": lambda w: {"VpcId": w.stale_group()},
    # vpc_endpoints
    "CreateVpcEndpoint": lambda w: {"VpcId": w.new_vpc(), "ServiceName": S3, "VpcEndpointType": "Gateway", "TagSpecifications": tagged("vpc-endpoint")},
    "ModifyVpcEndpoint": lambda w: {"VpcEndpointId": w.new_endpoint(), "PolicyDocument": "{\"Statement\": []}"},
    "DeleteVpcEndpoints": lambda w: {"VpcEndpointIds": [w.new_endpoint()]},
    "DescribeVpcEndpoints": [lambda w: {"VpcEndpointIds": [w.new_endpoint()]}, lambda w: filtered("vpc-endpoint-id", w.new_endpoint())],
    "DescribeVpcEndpointServices": lambda w: {"ServiceNames": [S3]},
    "DescribePrefixLists": lambda w: filtered("prefix-list-name", S3),
    # customer_gateways, vpn_gateways, vpn_connections
    "CreateCustomerGateway": lambda w: {"Type": "ipsec.1", "PublicIp": "192.0.2.10", "BgpAsn": 65001, "TagSpecifications": tagged("customer-gateway")},
    "DeleteCustomerGateway": lambda w: w.drop_vpn() or {"CustomerGatewayId": w.customer_gateway()},
    "DescribeCustomerGateways": [lambda w: {"CustomerGatewayIds": [w.customer_gateway()]}, lambda w: filtered("customer-gateway-id", w.customer_gateway())],
    "CreateVpnGateway": lambda w: w.drop_vpn() or {"Type": "ipsec.1", "TagSpecifications": tagged("vpn-gateway")},
    "DeleteVpnGateway": lambda w: {"VpnGatewayId": w.new_vpn_gateway()},
    "DescribeVpnGateways": [lambda w: {"VpnGatewayIds": [w.attached_vpn_gateway()]}, lambda w: filtered("vpn-gateway-id", w.new_vpn_gateway())],
    "AttachVpnGateway": lambda w: {"VpnGatewayId": w.new_vpn_gateway(), "VpcId": w.vpc},
    "DetachVpnGateway": lambda w: {"VpnGatewayId": w.attached_vpn_gateway(), "VpcId": w.vpc},
    "EnableVgwRoutePropagation": lambda w: {"GatewayId": w.attached_vpn_gateway(), "RouteTableId": w.main_table()},
    "DisableVgwRoutePropagation": lambda w: {"GatewayId": w.attached_vpn_gateway(), "RouteTableId": w.main_table()},
    "CreateVpnConnection": lambda w: {"Type": "ipsec.1", "VpnGatewayId": w.new_vpn_gateway(), "CustomerGatewayId": w.customer_gateway(),
                                      "Options": {"StaticRoutesOnly": True}, "TagSpecifications": tagged("vpn-connection")},
    "DeleteVpnConnection": lambda w: {"VpnConnectionId": w.new_vpn_connection()},
    "DescribeVpnConnections": [lambda w: {"VpnConnectionIds": [w.routed_vpn_connection()["VpnConnectionId"]]},
                               lambda w: filtered("vpn-connection-id", w.new_vpn_connection())],
    "CreateVpnConnectionRoute": lambda w: {"VpnConnectionId": w.new_vpn_connection(), "DestinationCidrBlock": "192.168.7.0/24"},
    "DeleteVpnConnectionRoute": lambda w: w.routed_vpn_connection(),
    # flow_logs
    "CreateFlowLogs": lambda w: w.drop_flow_logs() or {**flow_log(w), "TagSpecifications": tagged("vpc-flow-log")},
    "DeleteFlowLogs": lambda w: {"FlowLogIds": [w.new_flow_log()]},
    "DescribeFlowLogs": [lambda w: {"FlowLogIds": [w.new_flow_log()]}, lambda w: {"Filter": filtered("flow-log-id", w.new_flow_log())["Filters"]}],
    # nat_gateways
    "CreateNatGateway": lambda w: w.drop_nat_gateways() or {"SubnetId": w.subnet, "AllocationId": w.new_address(), "TagSpecifications": tagged("natgateway")},
    "DeleteNatGateway": lambda w: {"NatGatewayId": w.new_nat_gateway()},
    "DescribeNatGateways": lambda w: {"NatGatewayIds": [w.new_nat_gateway()]},
    # egress_only_gateways
    "CreateEgressOnlyInternetGateway": lambda w: {"VpcId": w.new_vpc(), "TagSpecifications": tagged("egress-only-internet-gateway")},
    "DeleteEgressOnlyInternetGateway": lambda w: {"EgressOnlyInternetGatewayId": w.new_egress_only()},
    "DescribeEgressOnlyInternetGateways": [lambda w: {"EgressOnlyInternetGatewayIds": [w.new_egress_only()]}, lambda w: {}],
    # internet_gateways
    "CreateInternetGateway": lambda w: w.drop_gateways() or {"TagSpecifications": tagged("internet-gateway")},
    "DeleteInternetGateway": lambda w: {"InternetGatewayId": w.new_gateway()},
    "AttachInternetGateway": lambda w: {"VpcId": w.new_vpc(), "InternetGatewayId": w.new_gateway()},
    "DetachInternetGateway": lambda w: dict(zip(("VpcId", "InternetGatewayId"), attached_gateway(w))),
    "DescribeInternetGateways": [lambda w: {"InternetGatewayIds": [attached_gateway(w)[1]]}, lambda w: {}],
    # route_tables
    "CreateRouteTable": lambda w: {"VpcId": w.new_vpc(), "TagSpecifications": tagged("route-table")},
    "DeleteRouteTable": lambda w: {"RouteTableId": w.new_route_table()},
    "DescribeRouteTables": [lambda w: {"RouteTableIds": [w.routed_subnet()[1]]}, lambda w: {"RouteTableIds": [w.route_to_gateway(True)["RouteTableId"]]}, lambda w: {}],
    "AssociateRouteTable": lambda w: dict(zip(("SubnetId", "RouteTableId"), w.routed_subnet())),
    "DisassociateRouteTable": lambda w: {"AssociationId": w.routed_subnet()[2]},
    "ReplaceRouteTableAssociation": lambda w: dict(zip(("RouteTableId", "AssociationId"), w.routed_subnet()[1:])),
    "CreateRoute": lambda w: w.route_to_gateway(),
    "ReplaceRoute": lambda w: w.route_to_gateway(True),
    "DeleteRoute": lambda w: {key: value for key, value in w.route_to_gateway(True).items() if key != "GatewayId"},
}
