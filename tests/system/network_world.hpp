// A little world for packets: this process's own network namespace is "the host", behind it an "internet", and guests that are network
// namespaces whose card is plugged into the engine's tap by a pump, as a virtual machine's card is.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptor.hpp"
#include "engines/network/network_engine.hpp"

namespace brume::network::test {

// Runs `work` as the first process of network, mount and process namespaces of its own, with an empty /run: the machine's network is
// never touched, and whatever it starts ends with it. Returns its result; 77 where that is not allowed (not root).
int in_private_world(const std::function<int()>& work);

// Runs a program to its end in a namespace (empty: the host); standard output when it succeeded.
std::optional<std::string> run_in(const std::string& space, const std::vector<std::string>& line, int seconds_limit = 10);
// Work on a thread inside a namespace; empty: the host.
void inside(const std::string& space, const std::function<void()>& work);

// The interface of this number: "eni-0…", its hardware address, the /24 that its address is in.
InterfaceSpec interface_spec(unsigned number, const std::string& vpc_id, const std::string& private_ip, const std::string& public_ip = "",
                             const std::string& group = "sg-all");

// Something to read, before the limit?
bool readable(int number, int limit_ms);

// Addresses are of IPv4 or IPv6 alike.
enum class Outcome { connected, refused, silent };
struct Connection {
  Outcome outcome = Outcome::silent;
  Descriptor socket;
};
// A first packet may be lost while a link comes up; TCP sends it again after a second.
Connection connect_from(const std::string& space, const std::string& address, int port, int limit_ms = 3000);
Outcome try_from(const std::string& space, const std::string& address, int port, int limit_ms = 3000);
// Sends a line and waits for its echo.
bool talks(const Descriptor& socket, int limit_ms = 1000);
bool pings(const std::string& space, const std::string& address);

// What a name server says of a name or an address; empty: nothing.
std::string ask_name(const std::string& space, const std::string& question, const std::string& server);
// A line of the answer ends so.
bool says(const std::string& answer, const std::string& what);

// Accepts on a port of a namespace, by IPv4 or (any: "::") by IPv6, says who is connected ("from 1.2.3.4\n") and echoes.
class EchoServer {
 public:
  EchoServer(const std::string& space, int port, const std::string& any = "0.0.0.0");
  ~EchoServer();

 private:
  void serve();
  Descriptor listener_;
  Descriptor stop_;
  std::thread thread_;
};
// What an echo server says of us; empty when it cannot be reached.
std::string seen_as(const std::string& space, const std::string& address, int port);

// A UDP socket bound in a namespace.
class UdpSocket {
 public:
  UdpSocket(const std::string& space, int port);
  void send(const std::string& address, int port, const std::string& text);
  // Waits for a datagram: its text.
  std::optional<std::string> receive(int limit_ms = 300);

 private:
  Descriptor socket_;
};

class Guest {
 public:
  // The interface must have been ensured. `configure`: with static addresses, as DHCP would give them.
  Guest(NetworkEngine& engine, const InterfaceSpec& interface, const std::string& name, bool configure = true);
  ~Guest();
  const std::string& space() const { return name_; }
  const InterfaceSpec& interface() const { return interface_; }
  // An Ethernet frame as a guest may make it up.
  void send_frame(const std::vector<std::uint8_t>& frame);
  // What the router answers to an ARP request from this card, as hex; empty: nothing.
  std::string ask_arp(const std::string& sender_mac, const std::string& sender_ip, const std::string& target_ip);

 private:
  void pump();
  InterfaceSpec interface_;
  std::string name_;
  Descriptor tap_;   // the engine's
  Descriptor card_;  // the guest's
  Descriptor stop_;
  std::atomic<bool> watch_arp_ = false;
  std::atomic<bool> arp_answer_ = false;
  std::thread thread_;
};

std::vector<std::uint8_t> udp_frame(const std::string& source_mac, const std::string& target_mac, const std::string& source,
                                    const std::string& target, int source_port, int target_port, const std::string& text);

// Hears of what others change, as control does.
class Disturbances {
 public:
  explicit Disturbances(NetworkEngine& engine) : engine_(engine) {
    engine.on_disturbance([this](const std::string& id) {
      const std::lock_guard lock(mutex_);
      told_.insert(id);
      changed_.notify_all();
    });
  }
  ~Disturbances() { engine_.on_disturbance({}); }
  // Was the VPC told of, now or before the limit? It is forgotten then.
  bool of(const std::string& id, int limit_ms = 10000) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(limit_ms), [&] { return told_.erase(id) > 0; });
  }

 private:
  NetworkEngine& engine_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> told_;
};

}  // namespace brume::network::test
