"""Customer gateways, virtual private gateways and VPN connections, as boto3 sees them. Nobody is at the other end of a simulation's tunnels."""
import xml.etree.ElementTree as ET

import pytest

STATIC = {"StaticRoutesOnly": True}


@pytest.fixture
def vpc(ec2):
    (found,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    return found["VpcId"]


@pytest.fixture
def customer(ec2):
    return ec2.create_customer_gateway(Type="ipsec.1", PublicIp="192.0.2.10", BgpAsn=65001)["CustomerGateway"]["CustomerGatewayId"]


@pytest.fixture
def gateway(ec2, vpc):
    made = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    ec2.attach_vpn_gateway(VpnGatewayId=made, VpcId=vpc)
    return made


@pytest.fixture
def connect(ec2, customer, gateway):
    def make(**options):
        return ec2.create_vpn_connection(Type="ipsec.1", CustomerGatewayId=customer, VpnGatewayId=gateway, Options={**STATIC, **options})["VpnConnection"]

    return make


def test_customer_gateways(ec2, customer, refused):
    (shown,) = ec2.describe_customer_gateways(CustomerGatewayIds=[customer])["CustomerGateways"]
    assert (shown["IpAddress"], shown["BgpAsn"], shown["State"], shown["Type"]) == ("192.0.2.10", "65001", "available", "ipsec.1")
    # The same address and number is the same gateway.
    assert {**ec2.create_customer_gateway(Type="ipsec.1", PublicIp="192.0.2.10", BgpAsn=65001)["CustomerGateway"], "Tags": []} == shown
    other = ec2.create_customer_gateway(Type="ipsec.1", PublicIp="192.0.2.10", BgpAsn=65002)["CustomerGateway"]["CustomerGatewayId"]
    assert other != customer
    for wrong in ("127.0.0.1", "0.0.0.0", "224.0.0.1", "x"):
        with refused("InvalidParameterValue"):
            ec2.create_customer_gateway(Type="ipsec.1", PublicIp=wrong, BgpAsn=65001)
    for name, value in {"bgp-asn": "65002", "ip-address": "192.0.2.10", "customer-gateway-id": other}.items():
        found = ec2.describe_customer_gateways(Filters=[{"Name": name, "Values": [value]}])["CustomerGateways"]
        assert other in [one["CustomerGatewayId"] for one in found]
    ec2.delete_customer_gateway(CustomerGatewayId=other)
    ec2.get_waiter("customer_gateway_available").wait(CustomerGatewayIds=[customer])
    (gone,) = ec2.describe_customer_gateways(CustomerGatewayIds=[other])["CustomerGateways"]
    assert gone["State"] == "deleted"
    with refused("InvalidCustomerGatewayID.NotFound"):
        ec2.describe_customer_gateways(CustomerGatewayIds=["cgw-0123456789abcdef0"])


def test_a_gateway_is_attached_to_one_vpc(ec2, vpc, gateway, refused):
    (shown,) = ec2.describe_vpn_gateways(VpnGatewayIds=[gateway])["VpnGateways"]
    assert shown["VpcAttachments"] == [{"VpcId": vpc, "State": "attached"}] and shown["AmazonSideAsn"] == 64512
    assert ec2.describe_vpn_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])["VpnGateways"] == [shown]
    second = ec2.create_vpn_gateway(Type="ipsec.1", AmazonSideAsn=65010)["VpnGateway"]["VpnGatewayId"]
    with refused("VpcAlreadyAttached"):
        ec2.attach_vpn_gateway(VpnGatewayId=second, VpcId=vpc)
    with refused("InvalidVpnGatewayAttachment.NotFound"):
        ec2.detach_vpn_gateway(VpnGatewayId=second, VpcId=vpc)
    with refused("IncorrectState"):
        ec2.delete_vpn_gateway(VpnGatewayId=gateway)
    with refused("InvalidParameterValue"):
        ec2.create_vpn_gateway(Type="ipsec.1", AmazonSideAsn=7)
    ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)
    ec2.delete_vpn_gateway(VpnGatewayId=gateway)
    assert ec2.describe_vpn_gateways(VpnGatewayIds=[gateway])["VpnGateways"][0]["State"] == "deleted"
    with refused("InvalidVpnGatewayID.NotFound"):
        ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)


def test_a_connection_has_two_tunnels_and_a_configuration_for_the_customer(ec2, connect, customer, gateway):
    made = connect(TunnelOptions=[{"TunnelInsideCidr": "169.254.44.8/30", "PreSharedKey": "a.key_of.mine"}])
    which = made["VpnConnectionId"]
    ec2.get_waiter("vpn_connection_available").wait(VpnConnectionIds=[which])
    (shown,) = ec2.describe_vpn_connections(VpnConnectionIds=[which])["VpnConnections"]
    tunnels = shown["Options"]["TunnelOptions"]
    assert len({one["OutsideIpAddress"] for one in tunnels}) == 2 and len({one["PreSharedKey"] for one in tunnels}) == 2
    assert tunnels[0]["TunnelInsideCidr"] == "169.254.44.8/30" and tunnels[0]["PreSharedKey"] == "a.key_of.mine"
    assert tunnels[1]["TunnelInsideCidr"].startswith("169.254.") and len(tunnels[1]["PreSharedKey"]) == 32
    assert [(one["OutsideIpAddress"], one["Status"], one["AcceptedRouteCount"]) for one in shown["VgwTelemetry"]] == \
        [(one["OutsideIpAddress"], "DOWN", 0) for one in tunnels]
    root = ET.fromstring(shown["CustomerGatewayConfiguration"])
    assert (root.tag, root.get("id"), root.findtext("customer_gateway_id"), root.findtext("vpn_gateway_id")) == ("vpn_connection", which, customer, gateway)
    assert [(one.findtext("vpn_gateway/tunnel_outside_address/ip_address"), one.findtext("ike/pre_shared_key")) for one in root.iterfind("ipsec_tunnel")] == \
        [(one["OutsideIpAddress"], one["PreSharedKey"]) for one in tunnels]
    first = root.find("ipsec_tunnel")
    assert first.findtext("customer_gateway/tunnel_outside_address/ip_address") == "192.0.2.10"
    assert first.findtext("customer_gateway/tunnel_inside_address/ip_address") == "169.254.44.10"
    assert first.findtext("vpn_gateway/tunnel_inside_address/ip_address") == "169.254.44.9"
    ec2.delete_vpn_connection(VpnConnectionId=which)
    ec2.get_waiter("vpn_connection_deleted").wait(VpnConnectionIds=[which])
    (gone,) = ec2.describe_vpn_connections(VpnConnectionIds=[which])["VpnConnections"]
    assert "CustomerGatewayConfiguration" not in gone and not gone.get("VgwTelemetry")


def test_what_a_connection_does_not_do_is_refused(ec2, connect, refused):
    for options in ({"StaticRoutesOnly": False}, {"EnableAcceleration": True}, {"TunnelInsideIpVersion": "ipv6"},
                    {"TunnelOptions": [{"IKEVersions": [{"Value": "ikev2"}]}]}, {"TunnelOptions": [{"StartupAction": "start"}]}):
        with refused("UnsupportedOperation"):
            connect(**options)
    for options in ({"TunnelOptions": [{"PreSharedKey": "short"}]}, {"TunnelOptions": [{"PreSharedKey": "0begins.with.0"}]},
                    {"TunnelOptions": [{"TunnelInsideCidr": "169.254.169.252/30"}]}, {"TunnelOptions": [{"TunnelInsideCidr": "10.0.0.0/30"}]},
                    {"TunnelOptions": [{"TunnelInsideCidr": "169.254.44.8/30"}] * 2}):
        with refused("InvalidParameterValue"):
            connect(**options)
    assert ec2.describe_vpn_connections()["VpnConnections"] == []


def test_routes_are_propagated_to_the_tables_that_ask(ec2, connect, gateway, vpc, customer, refused):
    which = connect()["VpnConnectionId"]
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    table = table["RouteTableId"]

    def routes():
        (shown,) = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
        return {one["DestinationCidrBlock"]: (one["GatewayId"], one["Origin"], one["State"]) for one in shown["Routes"] if one["GatewayId"] == gateway}

    ec2.create_vpn_connection_route(VpnConnectionId=which, DestinationCidrBlock="192.168.7.0/24")
    assert routes() == {}
    ec2.enable_vgw_route_propagation(RouteTableId=table, GatewayId=gateway)
    assert routes() == {"192.168.7.0/24": (gateway, "EnableVgwRoutePropagation", "active")}
    assert ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["PropagatingVgws"] == [{"GatewayId": gateway}]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="192.168.7.0/24", GatewayId=gateway)  # one's own goes first
    assert routes() == {"192.168.7.0/24": (gateway, "CreateRoute", "active")}
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="192.168.7.0/24")
    ec2.delete_vpn_connection_route(VpnConnectionId=which, DestinationCidrBlock="192.168.7.0/24")
    assert routes() == {}
    with refused("InvalidRoute.NotFound"):
        ec2.delete_vpn_connection_route(VpnConnectionId=which, DestinationCidrBlock="192.168.7.0/24")
    with refused("IncorrectState"):
        ec2.delete_customer_gateway(CustomerGatewayId=customer)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="192.168.8.0/24", GatewayId=gateway)
    ec2.delete_vpn_connection(VpnConnectionId=which)
    ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)
    assert routes() == {"192.168.8.0/24": (gateway, "CreateRoute", "blackhole")}
    assert ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["PropagatingVgws"] == []
    with refused("Gateway.NotAttached"):
        ec2.enable_vgw_route_propagation(RouteTableId=table, GatewayId=gateway)


def test_limits(ec2, vpc, connect, gateway, refused, quota):
    quota("customer-gateways", 50)
    quota("vpn-gateways", 5)
    with refused("CustomerGatewayLimitExceeded"):
        for number in range(51):
            ec2.create_customer_gateway(Type="ipsec.1", PublicIp="192.0.2.11", BgpAsn=100 + number)
    with refused("VpnGatewayLimitExceeded"):
        for _ in range(6):
            ec2.create_vpn_gateway(Type="ipsec.1")
    other = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    with refused("VpnGatewayAttachmentLimitExceeded"):
        ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=other)
    with refused("DependencyViolation"):
        ec2.delete_vpc(VpcId=vpc)
    which = connect()["VpnConnectionId"]
    with refused("VpnConnectionLimitExceeded"):
        for _ in range(10):
            connect()
    with refused("VpnConnectionRouteLimitExceeded"):
        for number in range(101):
            ec2.create_vpn_connection_route(VpnConnectionId=which, DestinationCidrBlock=f"192.168.{number}.0/24")
