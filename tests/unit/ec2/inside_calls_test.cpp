// What a service of ours asks for from inside, beside the same from a client.
#include "service/inside_calls.hpp"

#include <unistd.h>

#include <filesystem>
#include <future>
#include <regex>

#include "base/files.hpp"
#include "base/text.hpp"
#include "ec2_actions.hpp"
#include "service/front_door.hpp"
#include "state/codec.hpp"
#include "wire/ec2/instances.hpp"
#include "wire/ec2/launch_templates.hpp"
#include "wire/ec2/tags.hpp"

namespace brume::ec2 {
namespace {

using namespace wire::ec2;

constexpr auto image_id = "ami-0123456789abcdef0";

class InsideCallsTest : public ActionsTest {
 protected:
  InsideCallsTest() {
    add(instance_actions());
    add(tag_actions());
    add(launch_template_actions());
    transact([](state::Transaction& transaction) { transaction.put(state::Setting{"public-pool", "198.18.0.0/16"}); });
    put<state::Snapshot>("snap-0123456789abcdef0", [](state::Snapshot& snapshot) { snapshot.size_gib = 1; });
    put<state::Image>(image_id, [](state::Image& image) {
      image.root_device_name = "/dev/sda1";
      auto& root = image.block_devices.emplace_back();
      root.device = "/dev/sda1";
      root.snapshot_id = "snap-0123456789abcdef0";
      root.size_gib = 1;
    });
  }

  wire::Caller root(const char* whose = account) const { return service::root_principal(services(), whose, "tests"); }
  static RunInstancesRequest launch(std::string token = {}) {
    RunInstancesRequest request;
    request.image_id = image_id;
    request.instance_type = "t3.micro";
    request.min_count = 1;
    request.max_count = 2;
    request.placement.emplace().availability_zone = "us-east-1a";
    if (!token.empty()) request.client_token = std::move(token);
    return request;
  }
  static std::string launch_parameters(const std::string& token) {
    return "ImageId=" + std::string(image_id) +
           "&InstanceType=t3.micro&MinCount=1&MaxCount=2&Placement.AvailabilityZone=us-east-1a&ClientToken=" + token;
  }
  Reservation run(const RunInstancesRequest& request) { return inside_.call<Reservation>(root(), {"ec2", "RunInstances"}, request); }
  template <class Call>
  static std::string code_of(const Call& call) {
    try {
      call();
    } catch (const wire::ApiError& error) {
      return error.code;
    }
    return "";
  }
  size_t instances() const { return world()->size<state::Instance>(); }

  service::InsideCalls inside_{services(), {make_service()}, nullptr};
};

// With an audit stream.
class AuditedCallsTest : public InsideCallsTest {
 protected:
  AuditedCallsTest() {
    std::string name = "/tmp/brume-audited-calls-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    service::AuditSettings with_reads;
    with_reads.reads = true;
    audit_ = *service::AuditLog::open(folder_, with_reads);
    calls_ = std::make_unique<service::InsideCalls>(services(), std::vector{make_service()}, audit_.get());
  }
  ~AuditedCallsTest() override {
    services().store.stop();
    std::filesystem::remove_all(folder_);
  }

  // Without what differs from request to request.
  std::vector<std::string> lines() const {
    static const std::regex own(R"x("(time|requestId)":"[^"]+",)x");
    audit_->flush();
    const auto text = read_file(folder_ + "/audit.jsonl").value_or("");
    std::vector<std::string> all;
    for (const auto line : split(text, '\n'))
      if (!line.empty()) all.push_back(std::regex_replace(std::string(line), own, ""));
    return all;
  }
  static std::string line(std::string_view action, std::string_view end) {
    return R"({"region":"us-east-1","account":"111122223333","principal":"arn:aws:iam::111122223333:root","calledBy":"tests",)"
           R"("service":"ec2","action":")" +
           std::string(action) + R"(","version":"2016-11-15",)" + std::string(end) + "}";
  }

  std::string folder_;
  std::unique_ptr<service::AuditLog> audit_;
  std::unique_ptr<service::InsideCalls> calls_;
};

TEST_F(InsideCallsTest, ALaunchFromInsideIsTheLaunchThatAClientGets) {
  const auto inside = run(launch("a"));
  const auto wire = call("RunInstances", launch_parameters("b"));
  ASSERT_EQ(inside.instances.size(), 2U);
  ASSERT_EQ(count(wire, "instanceId"), 2U);
  // Two records that differ in what tells instances apart, and in nothing else.
  const auto* mine = world()->find<state::Instance>(account, *inside.instances[0].instance_id);
  const auto* theirs = world()->find<state::Instance>(account, first(wire, "instanceId"));
  ASSERT_NE(mine, nullptr);
  ASSERT_NE(theirs, nullptr);
  auto alike = *mine;
  alike.id = theirs->id;
  alike.reservation_id = theirs->reservation_id;
  alike.client_token = theirs->client_token;
  alike.launched = theirs->launched;
  alike.state_since = theirs->state_since;
  alike.interface_ids = theirs->interface_ids;
  alike.volume_ids = theirs->volume_ids;
  EXPECT_EQ(state::encode(alike), state::encode(*theirs));
  EXPECT_EQ(mine->interface_ids.size(), theirs->interface_ids.size());
  EXPECT_EQ(mine->volume_ids.size(), theirs->volume_ids.size());
}

TEST_F(InsideCallsTest, ATokenNamesOneRequestWhicheverWayItComes) {
  const auto first_time = run(launch("t"));
  EXPECT_EQ(*run(launch("t")).reservation_id, *first_time.reservation_id);
  EXPECT_EQ(first(call("RunInstances", launch_parameters("t")), "reservationId"), *first_time.reservation_id);
  EXPECT_EQ(instances(), 2U);
  const auto of_client = first(call("RunInstances", launch_parameters("u")), "reservationId");
  EXPECT_EQ(*run(launch("u")).reservation_id, of_client);
  EXPECT_EQ(instances(), 4U);
  // It names the whole request, too.
  auto other = launch("u");
  other.max_count = 1;
  EXPECT_EQ(code_of([&] { run(other); }), "IdempotentParameterMismatch");
  EXPECT_EQ(instances(), 4U);
}

TEST_F(InsideCallsTest, TheSameRulesHold) {
  auto wrong = launch();
  wrong.image_id = "ami-00000000000000000";
  EXPECT_EQ(code_of([&] { run(wrong); }), "InvalidAMIID.NotFound");
  wrong = launch();
  wrong.min_count.reset();
  EXPECT_EQ(code_of([&] { run(wrong); }), "MissingParameter");
  wrong = launch();
  wrong.dry_run = true;
  EXPECT_EQ(code_of([&] { run(wrong); }), "DryRunOperation");
  wrong = launch();
  auto& tags = wrong.tag_specifications.emplace_back();
  tags.resource_type = "instance";
  auto& tag = tags.tags.emplace_back();
  tag.key = "k";
  tag.value = "not \x01 text";
  EXPECT_EQ(code_of([&] { run(wrong); }), "InvalidParameterValue");
  EXPECT_EQ(instances(), 0U);
}

TEST_F(InsideCallsTest, TheSameRightsHold) {
  auto somebody = root();
  somebody.user_arn = "arn:aws:iam::111122223333:user/alice";
  EXPECT_EQ(code_of([&] { inside_.call<Reservation>(somebody, {"ec2", "RunInstances"}, launch()); }), "UnauthorizedOperation");
  TerminateInstancesRequest request;
  request.instance_ids = {*run(launch()).instances[0].instance_id};
  EXPECT_EQ(code_of([&] {
              inside_.call<TerminateInstancesResponse>(root(stranger), {"ec2", "TerminateInstances"}, request);
            }),
            "InvalidInstanceID.NotFound");
}

TEST_F(InsideCallsTest, TagsAndTerminates) {
  const auto id = *run(launch()).instances[0].instance_id;
  CreateTagsRequest tagging;
  tagging.resources = {id};
  auto& tag = tagging.tags.emplace_back();
  tag.key = "group";
  tag.value = "web";
  inside_.call<CreateTagsResponse>(root(), {"ec2", "CreateTags"}, tagging);
  EXPECT_EQ(first(call("DescribeTags", "Filter.1.Name=resource-id&Filter.1.Value.1=" + id), "value"), "web");
  TerminateInstancesRequest end;
  end.instance_ids = {id};
  const auto ended = inside_.call<TerminateInstancesResponse>(root(), {"ec2", "TerminateInstances"}, end);
  ASSERT_EQ(ended.terminating_instances.size(), 1U);
  EXPECT_EQ(*ended.terminating_instances[0].instance_id, id);
  EXPECT_NE(world()->find<state::Instance>(account, id)->state, state::InstanceState::pending);
}

TEST_F(InsideCallsTest, AnErrorThatComesAfterTheChangeIsTold) {
  const auto open = *run(launch()).instances[0].instance_id;
  auto elsewhere = launch();
  elsewhere.placement->availability_zone = "us-east-1b";
  elsewhere.disable_api_termination = true;
  const auto kept = *run(elsewhere).instances[0].instance_id;
  TerminateInstancesRequest end;
  end.instance_ids = {open, kept};
  EXPECT_EQ(code_of([&] {
              inside_.call<TerminateInstancesResponse>(root(), {"ec2", "TerminateInstances"}, end);
            }),
            "OperationNotPermitted");
  EXPECT_EQ(world()->find<state::Instance>(account, open)->state, state::InstanceState::shutting_down);
  EXPECT_EQ(world()->find<state::Instance>(account, kept)->state, state::InstanceState::pending);
}

TEST_F(InsideCallsTest, APartOfADecisionStandsOrFallsWithIt) {
  std::string id;
  transact([&](state::Transaction& transaction) {
    const auto made = inside_.call_within<Reservation>(transaction, root(), {"ec2", "RunInstances"}, launch());
    id = *made.instances[0].instance_id;
    transaction.put(state::Setting{"group", id});
    // Seen at once by the next of them.
    CreateTagsRequest tagging;
    tagging.resources = {id};
    auto& tag = tagging.tags.emplace_back();
    tag.key = "group";
    tag.value = "web";
    inside_.call_within<CreateTagsResponse>(transaction, root(), {"ec2", "CreateTags"}, tagging);
    EXPECT_EQ(inside_.call_within<DescribeInstancesResponse>(transaction, root(), {"ec2", "DescribeInstances"}, DescribeInstancesRequest())
                  .reservations.size(),
              1U);
  });
  EXPECT_EQ(instances(), 2U);
  EXPECT_EQ(first(call("DescribeTags", "Filter.1.Name=resource-id&Filter.1.Value.1=" + id), "key"), "group");
  EXPECT_THROW(transact([&](state::Transaction& transaction) {
                 inside_.call_within<Reservation>(transaction, root(), {"ec2", "RunInstances"}, launch());
                 throw std::runtime_error("the group has gone");
               }),
               std::runtime_error);
  EXPECT_EQ(instances(), 2U);
}

TEST_F(AuditedCallsTest, ACallHasTheLineOfAClientsRequest) {
  service::WorkerPool workers(1, 10);
  service::FrontDoorSettings settings;
  settings.simulated = true;
  settings.audit = audit_.get();
  service::FrontDoor door(services(), {make_service()}, workers, settings);
  transact([](state::Transaction& transaction) {
    state::AccessKey key;
    key.id = "KEY";
    key.account = account;
    state::Account owner;
    owner.id = account;
    transaction.put(std::move(owner));
    transaction.put(std::move(key));
  });
  const auto ask = [&](std::string_view action, const std::string& parameters) {
    std::promise<void> answered;
    wire::HttpRequest request;
    request.method = "GET";
    request.target = "/?Version=2016-11-15&AWSAccessKeyId=KEY&Action=" + std::string(action) + "&" + parameters;
    request.peer_address = "192.0.2.1";
    door.handle(std::move(request), [&](wire::HttpResponse) { answered.set_value(); });
    answered.get_future().get();
  };
  ask("RunInstances", launch_parameters("t"));
  calls_->call<Reservation>(root(), {"ec2", "RunInstances"}, launch());
  ask("RunInstances", "MinCount=1");
  EXPECT_THROW(calls_->call<Reservation>(root(), {"ec2", "RunInstances"}, RunInstancesRequest()), wire::ApiError);
  ask("DescribeInstances", "");
  calls_->call<DescribeInstancesResponse>(root(), {"ec2", "DescribeInstances"}, DescribeInstancesRequest());
  workers.stop();
  door.stop();
  const auto all = lines();
  ASSERT_EQ(all.size(), 6U);
  for (size_t i = 0; i < all.size(); i += 2) {
    const auto as_from_inside = std::regex_replace(std::regex_replace(all[i], std::regex(R"("source":"192.0.2.1",)"), ""),
                                                   std::regex(R"("accessKeyId":"KEY")"), R"("calledBy":"tests")");
    EXPECT_EQ(as_from_inside, all[i + 1]);
  }
  EXPECT_EQ(all[1], line("RunInstances", R"("status":200,"read":false)"));
  EXPECT_EQ(all[3], line("RunInstances", R"("status":400,"error":"MissingParameter","read":false)"));
  EXPECT_EQ(all[5], line("DescribeInstances", R"("status":200,"read":true)"));
}

TEST_F(AuditedCallsTest, APartOfADecisionHasItsLineWhenThatIsDurable) {
  transact([&](state::Transaction& transaction) {
    calls_->call_within<Reservation>(transaction, root(), {"ec2", "RunInstances"}, launch());
    EXPECT_TRUE(lines().empty()) << "it may still fail";
  });
  EXPECT_EQ(lines(), std::vector{line("RunInstances", R"("status":200,"read":false)")});
  // What the outer decision took back never happened.
  EXPECT_THROW(transact([&](state::Transaction& transaction) {
                 calls_->call_within<Reservation>(transaction, root(), {"ec2", "RunInstances"}, launch());
                 throw std::runtime_error("the group has gone");
               }),
               std::runtime_error);
  EXPECT_EQ(lines().size(), 1U);
  // What was refused was asked for.
  auto wrong = launch();
  wrong.image_id = "ami-00000000000000000";
  EXPECT_THROW(transact([&](state::Transaction& transaction) {
                 calls_->call_within<Reservation>(transaction, root(), {"ec2", "RunInstances"}, wrong);
               }),
               wire::ApiError);
  ASSERT_EQ(lines().size(), 2U);
  EXPECT_EQ(lines()[1], line("RunInstances", R"("status":400,"error":"InvalidAMIID.NotFound","read":false)"));
}

TEST_F(InsideCallsTest, ALaunchTemplateHoldsWhatWasAskedFromInside) {
  CreateLaunchTemplateRequest made;
  made.launch_template_name = "web";
  made.launch_template_data.emplace().image_id = image_id;
  made.launch_template_data->instance_type = "t3.small";
  inside_.call<CreateLaunchTemplateResponse>(root(), {"ec2", "CreateLaunchTemplate"}, made);
  RunInstancesRequest request;
  request.min_count = 1;
  request.max_count = 1;
  request.launch_template.emplace().launch_template_name = "web";
  EXPECT_EQ(*run(request).instances[0].instance_type, "t3.small");
  // What the request says itself counts more.
  request.instance_type = "t3.micro";
  EXPECT_EQ(*run(request).instances[0].instance_type, "t3.micro");
}

TEST_F(InsideCallsTest, AWrongCallIsAFaultOfTheCaller) {
  EXPECT_THROW(inside_.call<Reservation>(root(), {"ec2", "MakeCastles"}, launch()), std::logic_error);
  EXPECT_THROW(inside_.call<Reservation>(root(), {"ec2", "TerminateInstances"}, launch()), std::logic_error);
  EXPECT_THROW(inside_.call<TerminateInstancesResponse>(root(), {"ec2", "RunInstances"}, launch()), std::logic_error);
  EXPECT_EQ(instances(), 0U);
}

}  // namespace
}  // namespace brume::ec2
