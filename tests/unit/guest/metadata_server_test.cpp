// The metadata service over real connections, as the daemon serves it: guests are addresses of this machine's loopback.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <thread>

#include "guest/metadata_service.hpp"

namespace brume::guest {
namespace {

const std::string token_request =
    "PUT /latest/api/token HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n";
const std::string id_request = "GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string data_request = "GET /latest/user-data HTTP/1.1\r\nHost: x\r\n\r\n";

constexpr size_t guest_connections = 8;

class MetadataServerTest : public testing::Test {
 protected:
  void SetUp() override {
    store_->transact([](state::Transaction& t) {
      for (int i = 1; i <= 3; ++i) {
        state::Instance instance;
        instance.account = "a", instance.id = "i-" + std::to_string(i), instance.interface_ids = {"eni-" + std::to_string(i)};
        instance.metadata_hop_limit = i;
        t.put(instance);
        state::NetworkInterface interface;
        interface.account = "a", interface.id = "eni-" + std::to_string(i), interface.vpc_id = "vpc-1", interface.instance_id = instance.id;
        interface.private_ip = "127.0.0." + std::to_string(i);
        t.put(interface);
        t.put(state::UserData{"a", instance.id, std::string(16 << 10, 'x')});
      }
    });
    MetadataConfiguration configuration;
    configuration.token_key = std::string(32, 'k');
    service_ = std::make_unique<MetadataService>(*store_, configuration, clock_);
    server_ = std::make_unique<wire::HttpServer>(2);
    wire::HttpLimits limits;
    limits.connections_of_peer = guest_connections;
    port_ = server_
                ->serve(
                    wire::listen_tcp("127.0.0.1", 0).value(),
                    [this](wire::HttpRequest&& request, const wire::Responder& respond) { respond(service_->answer(request, "vpc-1")); },
                    [](int status, std::string_view) { return MetadataService::page(status); }, limits)
                ->port;
  }
  void TearDown() override { server_->stop(); }

  // A connection from the guest's own address. `least_hops`: packets that have fewer left are not taken (RFC 5082), as if they had
  // had to go on from here.
  Descriptor connect(int guest, int least_hops = 0, int receive_buffer = 0) {
    Descriptor made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer > 0) ::setsockopt(made.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(0x7F000000U + static_cast<std::uint32_t>(guest));
    EXPECT_EQ(::bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_);
    EXPECT_EQ(::connect(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    if (least_hops > 0) ::setsockopt(made.get(), IPPROTO_IP, IP_MINTTL, &least_hops, sizeof least_hops);
    return made;
  }
  static void send(const Descriptor& connection, const std::string& text) {
    EXPECT_EQ(::send(connection.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // What comes until `end` is in it; "" when nothing did for `limit`.
  static std::string receive(const Descriptor& connection, std::string_view end, milliseconds limit = seconds(5)) {
    std::string text;
    pollfd waiting{connection.get(), POLLIN, 0};
    while (text.find(end) == std::string::npos && ::poll(&waiting, 1, static_cast<int>(limit.count())) > 0) {
      char bytes[16384];
      const auto count = ::recv(connection.get(), bytes, sizeof bytes, 0);
      if (count <= 0) break;
      text.append(bytes, static_cast<size_t>(count));
    }
    return text;
  }
  std::string id_of(const Descriptor& connection) {
    send(connection, id_request);
    const auto answer = receive(connection, "\r\n\r\ni-");
    return answer.empty() ? "" : answer.substr(answer.size() - 3);
  }

  SystemClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<state::Store> store_ = state::Store::open(state::make_memory_log(), clock_, random_).value();
  std::unique_ptr<MetadataService> service_;
  std::unique_ptr<wire::HttpServer> server_;
  std::uint16_t port_ = 0;
};

TEST_F(MetadataServerTest, TokensReachWhoIsNoFurtherThanTheHopLimit) {
  for (int guest = 1; guest <= 3; ++guest) {
    const auto near = connect(guest, guest);
    send(near, token_request);
    EXPECT_NE(receive(near, "Seconds: 60").find(" 200 OK"), std::string::npos) << guest;
    const auto far = connect(guest, guest + 1);
    send(far, token_request);
    EXPECT_EQ(receive(far, "\r\n\r\n", milliseconds(300)), "") << guest;
  }
}

TEST_F(MetadataServerTest, OtherAnswersGoAsFarAsAny) {
  const auto far = connect(1, 60);
  EXPECT_EQ(id_of(far), "i-1");
}

// The lost token would else come with the next answer: TCP sends again what was not acknowledged.
TEST_F(MetadataServerTest, ALostTokenIsNotSentAgainFromFurtherAway) {
  const auto far = connect(1, 2);
  send(far, token_request + id_request);
  EXPECT_EQ(receive(far, "\r\n\r\n", milliseconds(700)), "");
}

TEST_F(MetadataServerTest, AConnectionIsKept) {
  const auto guest = connect(2);
  for (int i = 0; i < 50; ++i) ASSERT_EQ(id_of(guest), "i-2");
}

TEST_F(MetadataServerTest, SlowGuestsDelayNobody) {
  std::vector<Descriptor> slow;
  for (size_t i = 0; i < guest_connections / 2; ++i) {
    slow.push_back(connect(1));
    send(slow.back(), "GET /latest/meta-data/instance-id HTT");
    // Asks for a megabyte and takes nothing of it.
    slow.push_back(connect(1, 0, 4096));
    std::string many;
    for (int n = 0; n < 64; ++n) many += data_request;
    send(slow.back(), many);
  }
  const auto start = std::chrono::steady_clock::now();
  const auto guest = connect(2);
  for (int i = 0; i < 500; ++i) ASSERT_EQ(id_of(guest), "i-2");
  // Far from any time limit of the slow ones; alone it takes some hundredths of a second.
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(5));
}

TEST_F(MetadataServerTest, AGuestsOwnHalfRequestsMakeRoomForItsNext) {
  const auto other = connect(2);
  send(other, id_request.substr(0, 5));
  std::vector<Descriptor> held;
  for (size_t i = 0; i < guest_connections; ++i) {
    held.push_back(connect(1));
    send(held.back(), id_request + "GET /");  // from its first answer on it is in the middle of a request
    EXPECT_NE(receive(held.back(), "i-1"), "");
  }
  EXPECT_EQ(id_of(connect(1)), "i-1");
  EXPECT_EQ(receive(held.front(), "never"), "") << "its oldest was closed";
  send(other, id_request.substr(5));
  EXPECT_NE(receive(other, "i-2"), "") << "a neighbour's was not, though it is older";
}

TEST_F(MetadataServerTest, AGuestsOwnIdleConnectionMakesRoomForItsNext) {
  const auto other = connect(2);
  EXPECT_EQ(id_of(other), "i-2");
  std::vector<Descriptor> held;
  for (size_t i = 0; i < guest_connections; ++i) {
    held.push_back(connect(1));
    EXPECT_EQ(id_of(held.back()), "i-1");
  }
  const auto next = connect(1);
  EXPECT_EQ(id_of(next), "i-1");
  EXPECT_EQ(receive(held.front(), "never"), "") << "its oldest was closed";
  EXPECT_EQ(id_of(other), "i-2") << "a neighbour's was not, though it is older";
}

}  // namespace
}  // namespace brume::guest
