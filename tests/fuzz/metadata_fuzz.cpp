// Any request of a guest: method, target and headers from the fuzzer's bytes. Nothing may crash, and every answer must be one that the
// service means to give.
#include <cstdlib>
#include <string_view>

#include "guest/metadata_service.hpp"

namespace {

using namespace brume;

struct Fixture {
  SystemClock clock;
  SeededRandom random{1};
  std::unique_ptr<state::Store> store = state::Store::open(state::make_memory_log(), clock, random).value();
  guest::MetadataService service;

  static guest::MetadataConfiguration configuration() {
    guest::MetadataConfiguration made;
    made.token_key = std::string(32, 'k');
    return made;
  }
  Fixture() : service(*store, configuration(), clock) {
    store->transact([](state::Transaction& t) {
      state::Instance instance;
      instance.account = "1";
      instance.id = "i-1";
      instance.interface_ids = {"eni-1"};
      instance.public_key = "ssh-rsa A";
      instance.metadata_tags = true;
      instance.vpc_id = "vpc-1";
      instance.instance_stores.resize(1);
      instance.instance_stores[0].virtual_name = "ephemeral0", instance.instance_stores[0].device = "/dev/sdb";
      t.put(instance);
      state::NetworkInterface interface;
      interface.account = "1";
      interface.id = "eni-1";
      interface.vpc_id = "vpc-1";
      interface.mac = "02:00:00:00:00:01";
      interface.private_ip = "10.0.0.1";
      interface.public_ip = "1.2.3.4";
      interface.instance_id = "i-1";
      t.put(interface);
      t.put(state::TagSet{"1", "i-1", "instance", {{"Name", "x"}}});
      t.put(state::UserData{"1", "i-1", "data"});
    });
  }
};

// Up to the next newline of what is left.
std::string take_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  std::string line(rest.substr(0, end));
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  static const Fixture fixture;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  wire::HttpRequest request;
  request.method = take_line(rest);
  request.target = take_line(rest);
  request.peer_address = "10.0.0.1";
  request.headers.emplace_back("x-aws-ec2-metadata-token", take_line(rest));
  request.headers.emplace_back("x-aws-ec2-metadata-token-ttl-seconds", take_line(rest));
  if (!rest.empty()) request.headers.emplace_back("x-forwarded-for", take_line(rest));
  const auto response = fixture.service.answer(request, "vpc-1");
  // A token without a limit to its hops would be one for everybody behind the guest.
  if (response.status == 200 && request.method == "PUT" && response.hop_limit != 1) std::abort();
  switch (response.status) {
    case 200:
    case 400:
    case 401:
    case 403:
    case 404:
    case 405:
    case 414: return 0;
    default: std::abort();
  }
}
