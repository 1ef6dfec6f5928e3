// Sends one request again and again over several connections of this machine, and prints how fast it was answered, as JSON:
//   load --port N [--connections N] [--seconds S] [--requests N] [--get PATH | --body FORM] [--key ID --secret S] [--region R]
//   [--no-keep-alive]
// With --key the request is signed (version 4, by the header); once, since EC2 takes the same signed request again for five minutes.
// One thread and epoll: the machine's other cores are the server's. Ends after S seconds or N requests, whichever comes first.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.hpp"
#include "base/text.hpp"

namespace {

using Steady = std::chrono::steady_clock;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "load: %s\n", why.c_str());
  std::exit(2);
}

struct Options {
  std::uint16_t port = 0;
  size_t connections = 16;
  double seconds = 3;
  size_t requests = 100'000'000;
  std::string get;
  std::string body;
  std::string key, secret;
  std::string region = "us-east-1";
  std::string address = "127.0.0.1";  // of the server
  std::string from;                   // our own; empty: as the system chooses
  bool keep_alive = true;
};

template <class Number>
Number number_of(std::string_view text) {
  Number number{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || end != text.data() + text.size()) give_up("'" + std::string(text) + "' is not a number");
  return number;
}

in_addr address_of(const std::string& text) {
  in_addr address{};
  if (::inet_pton(AF_INET, text.c_str(), &address) != 1) give_up("'" + text + "' is not an address");
  return address;
}

Options read_options(int count, char** arguments) {
  Options options;
  std::map<std::string_view, std::string*> texts{
      {"--get", &options.get},       {"--body", &options.body},       {"--key", &options.key},  {"--secret", &options.secret},
      {"--region", &options.region}, {"--address", &options.address}, {"--from", &options.from}};
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    if (name == "--no-keep-alive") {
      options.keep_alive = false;
      continue;
    }
    if (i + 1 == count) give_up("what value has " + std::string(name) + "?");
    const std::string_view value = arguments[++i];
    if (name == "--port")
      options.port = number_of<std::uint16_t>(value);
    else if (name == "--connections")
      options.connections = number_of<size_t>(value);
    else if (name == "--seconds")
      options.seconds = number_of<double>(value);
    else if (name == "--requests")
      options.requests = number_of<size_t>(value);
    else if (const auto at = texts.find(name); at != texts.end())
      *at->second = value;
    else
      give_up("there is no option " + std::string(name));
  }
  if (options.port == 0 || (options.get.empty() && options.body.empty())) give_up("--port, and --get or --body");
  options.connections = std::clamp<size_t>(options.connections, 1, 512);
  options.seconds = std::clamp(options.seconds, 0.1, 120.0);
  return options;
}

std::string authorization(const Options& options, const std::string& host, const std::string& time) {
  using brume::hmac_sha256;
  const std::string day = time.substr(0, 8);
  const std::string scope = day + "/" + options.region + "/ec2/aws4_request";
  const std::string names = "content-type;host;x-amz-date";
  const std::string canonical = "POST\n/\n\ncontent-type:application/x-www-form-urlencoded; charset=utf-8\nhost:" + host +
                                "\nx-amz-date:" + time + "\n\n" + names + "\n" + brume::to_hex(brume::sha256(options.body));
  const std::string to_sign = "AWS4-HMAC-SHA256\n" + time + "\n" + scope + "\n" + brume::to_hex(brume::sha256(canonical));
  const auto key = hmac_sha256(hmac_sha256(hmac_sha256(hmac_sha256("AWS4" + options.secret, day), options.region), "ec2"), "aws4_request");
  return "AWS4-HMAC-SHA256 Credential=" + options.key + "/" + scope + ", SignedHeaders=" + names +
         ", Signature=" + brume::to_hex(hmac_sha256(key, to_sign));
}

// What botocore sends, header by header.
std::string make_request(const Options& options) {
  const std::string host = "127.0.0.1:" + std::to_string(options.port);
  const std::string connection = options.keep_alive ? "" : "Connection: close\r\n";
  if (!options.get.empty()) return "GET " + options.get + " HTTP/1.1\r\nHost: " + host + "\r\n" + connection + "\r\n";
  std::string text = "POST / HTTP/1.1\r\nHost: " + host +
                     "\r\nAccept-Encoding: identity\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
                     "User-Agent: brume-load\r\n" +
                     connection;
  if (!options.key.empty()) {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    char time[32];
    std::strftime(time, sizeof time, "%Y%m%dT%H%M%SZ", &parts);
    text += std::string("X-Amz-Date: ") + time + "\r\nAuthorization: " + authorization(options, host, time) + "\r\n";
  }
  return text + "Content-Length: " + std::to_string(options.body.size()) + "\r\n\r\n" + options.body;
}

struct Connection {
  int socket = -1;
  size_t sent = 0;
  std::string head;  // of the answer, as far as it is there
  bool in_body = false;
  size_t body_left = 0;
  bool closes = false;  // the server said so
  bool awaits = false;
  int status = 0;
  Steady::time_point began;
};

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options), request_(make_request(options)), connections_(options.connections), epoll_(::epoll_create1(0)) {}
  void run();
  void print() const;

 private:
  void open(size_t index);
  void send(size_t index);
  void receive(size_t index);
  bool take(Connection& connection, std::string_view bytes);
  bool read_head(Connection& connection);
  void finish(size_t index);

  const Options& options_;
  const std::string request_;
  std::vector<Connection> connections_;
  int epoll_;
  bool over_ = false;
  size_t begun_ = 0;
  size_t good_ = 0, bad_ = 0, bytes_ = 0;
  std::string first_bad_;
  std::vector<float> latencies_;  // milliseconds
  double took_ = 0;
};

void Load::open(size_t index) {
  Connection& connection = connections_[index];
  if (connection.socket >= 0) ::close(connection.socket);
  connection = {};
  connection.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (!options_.from.empty()) {
    address.sin_addr = address_of(options_.from);
    if (::bind(connection.socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      give_up(options_.from + " is no address of this machine: " + std::strerror(errno));
  }
  address.sin_port = htons(options_.port);
  address.sin_addr = address_of(options_.address);
  const int on = 1;
  ::setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(connection.socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    give_up("nobody listens on port " + std::to_string(options_.port) + ": " + std::strerror(errno));
  epoll_event event{EPOLLIN, {.u64 = index}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event);
}

// Requests are small: they always fit into the socket's buffer.
void Load::send(size_t index) {
  if (over_ || begun_ >= options_.requests) return;
  Connection& connection = connections_[index];
  ++begun_;
  connection.began = Steady::now();
  connection.awaits = true;
  connection.head.clear();
  connection.in_body = false;
  const auto sent = ::send(connection.socket, request_.data(), request_.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(request_.size())) {
    --begun_;
    connection.awaits = false;
    open(index);
    send(index);
  }
}

bool Load::read_head(Connection& connection) {
  const auto end = connection.head.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::string lower = brume::to_lower(std::string_view(connection.head).substr(0, end + 2));
  connection.status = lower.size() > 12 ? std::atoi(lower.c_str() + 9) : 0;
  connection.closes = lower.starts_with("http/1.0") || lower.find("\r\nconnection: close\r\n") != std::string::npos;
  const auto length = lower.find("\r\ncontent-length:");
  if (length == std::string::npos) give_up("an answer without a length: " + lower);
  connection.body_left = static_cast<size_t>(std::atoll(lower.c_str() + length + 17));
  connection.in_body = true;
  return true;
}

// True: the answer is complete.
bool Load::take(Connection& connection, std::string_view bytes) {
  if (!connection.in_body) {
    connection.head.append(bytes);
    if (!read_head(connection)) return false;
    bytes = std::string_view(connection.head).substr(connection.head.find("\r\n\r\n") + 4);
    if (connection.status != 200 && first_bad_.empty()) first_bad_ = connection.head.substr(0, 600);
  }
  bytes_ += bytes.size();
  connection.body_left -= std::min(connection.body_left, bytes.size());
  return connection.body_left == 0;
}

void Load::receive(size_t index) {
  static char buffer[256 << 10];
  Connection& connection = connections_[index];
  const auto got = ::recv(connection.socket, buffer, sizeof buffer, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    if (connection.awaits) ++bad_, --begun_;
    if (bad_ > 1000) give_up("the server closes every connection");
    open(index);
    return send(index);
  }
  if (take(connection, {buffer, static_cast<size_t>(got)})) finish(index);
}

void Load::finish(size_t index) {
  Connection& connection = connections_[index];
  connection.awaits = false;
  (connection.status == 200 ? good_ : bad_) += 1;
  latencies_.push_back(std::chrono::duration<float, std::milli>(Steady::now() - connection.began).count());
  if (connection.closes) open(index);
  send(index);
}

void Load::run() {
  const auto start = Steady::now();
  const auto end = start + std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(options_.seconds));
  for (size_t i = 0; i < connections_.size(); ++i) {
    open(i);
    send(i);
  }
  epoll_event events[64];
  const auto limit = end + std::chrono::seconds(60);
  while (good_ + bad_ < options_.requests) {
    const int count = ::epoll_wait(epoll_, events, 64, 100);
    const auto now = Steady::now();
    if (now >= end && !over_) {
      over_ = true;
      // What is under way still counts when nothing has come yet: an answer may take longer than the whole time.
      if (good_ + bad_ > 0) break;
    }
    if (over_ && (good_ + bad_ > 0 || now > limit)) break;
    for (int i = 0; i < count; ++i) receive(events[i].data.u64);
  }
  took_ = std::chrono::duration<double>(Steady::now() - start).count();
}

void Load::print() const {
  auto sorted = latencies_;
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&](double part) {
    return sorted.empty() ? 0.0 : static_cast<double>(sorted[static_cast<size_t>(part * static_cast<double>(sorted.size() - 1))]);
  };
  std::string bad;
  for (const char c : first_bad_)
    if (c >= ' ' && c != '"' && c != '\\') bad += c;
  std::printf(
      "{\"requests_per_second\":%.2f,\"good\":%zu,\"bad\":%zu,\"seconds\":%.3f,\"connections\":%zu,\"bytes_each\":%.0f,"
      "\"latency_ms\":{\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f},\"first_bad\":\"%s\"}\n",
      static_cast<double>(good_) / took_, good_, bad_, took_, options_.connections,
      static_cast<double>(bytes_) / static_cast<double>(std::max<size_t>(1, good_ + bad_)), at(0.5), at(0.9), at(0.99), at(1.0),
      bad.c_str());
}

}  // namespace

int main(int count, char** arguments) {
  const Options options = read_options(count, arguments);
  Load load(options);
  load.run();
  load.print();
  return 0;
}
