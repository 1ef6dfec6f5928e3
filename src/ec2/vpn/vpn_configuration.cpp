// The document with which a customer's engineer sets up the other end: addresses, pre-shared keys, and the tunnels' parameters.
#include <fmt/format.h>

#include "base/ipv4.hpp"
#include "ec2/vpn/vpn.hpp"
#include "wire/xml_writer.hpp"

namespace brume::ec2 {
namespace {

class Document {
 public:
  template <class Inside>
  void element(std::string_view tag, Inside inside) {
    out_.open(tag);
    inside();
    out_.close(tag);
  }
  void text(std::string_view tag, std::string_view value) { out_.element(tag, value); }
  void number(std::string_view tag, std::int64_t value) { out_.element(tag, std::to_string(value)); }
  std::string take() { return out_.take(); }

 private:
  wire::XmlWriter out_;
};

void write_end(Document& out, std::string_view who, const std::string& outside, std::uint32_t inside, std::int64_t asn) {
  out.element(who, [&] {
    out.element("tunnel_outside_address", [&] { out.text("ip_address", outside); });
    out.element("tunnel_inside_address", [&] {
      out.text("ip_address", format_ipv4(inside));
      out.text("network_mask", "255.255.255.252");
      out.number("network_cidr", 30);
    });
    out.element("bgp", [&] {
      out.number("asn", asn);
      out.number("hold_time", 30);
    });
  });
}

void write_tunnel(Document& out, const state::VpnTunnel& tunnel, const state::CustomerGateway& customer, const state::VpnGateway& gateway) {
  const auto inside = parse_ipv4_block(tunnel.inside_cidr).value_or(Ipv4Block{}).base;
  out.element("ipsec_tunnel", [&] {
    write_end(out, "customer_gateway", customer.ip_address, inside + 2, customer.asn);
    write_end(out, "vpn_gateway", tunnel.outside_ip, inside + 1, gateway.asn);
    out.element("ike", [&] {
      out.text("authentication_protocol", "sha1");
      out.text("encryption_protocol", "aes-128-cbc");
      out.number("lifetime", 28800);
      out.text("perfect_forward_secrecy", "group2");
      out.text("mode", "main");
      out.text("pre_shared_key", tunnel.psk);
    });
    out.element("ipsec", [&] {
      out.text("protocol", "esp");
      out.text("authentication_protocol", "hmac-sha1-96");
      out.text("encryption_protocol", "aes-128-cbc");
      out.number("lifetime", 3600);
      out.text("perfect_forward_secrecy", "group2");
      out.text("mode", "tunnel");
      out.text("clear_df_bit", "true");
      out.text("fragmentation_before_encryption", "true");
      out.number("tcp_mss_adjustment", 1350);
      out.element("dead_peer_detection", [&] {
        out.number("interval", 10);
        out.number("retries", 3);
      });
    });
  });
}

}  // namespace

std::string customer_configuration(const state::VpnConnection& connection, const state::CustomerGateway& customer,
                                   const state::VpnGateway& gateway) {
  Document out;
  out.text("customer_gateway_id", customer.id);
  out.text("vpn_gateway_id", gateway.id);
  out.text("vpn_connection_type", "ipsec.1");
  out.element("vpn_connection_attributes", [&] { out.text("static_routes_only", "true"); });
  for (const auto& tunnel : connection.tunnels) write_tunnel(out, tunnel, customer, gateway);
  return fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<vpn_connection id=\"{}\">{}</vpn_connection>", connection.id,
                     out.take());
}

}  // namespace brume::ec2
