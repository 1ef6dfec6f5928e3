// Every action of every service is refused before it does or tells anything, when the evaluator says no.
#include "service/authorization.hpp"

#include <set>

#include "ebs/snapshot_blocks.hpp"
#include "ec2_actions.hpp"
#include "quotas/service_quotas.hpp"
#include "ssm/parameters.hpp"
#include "sts/identity.hpp"
#include "wire/schema.hpp"

namespace brume::ec2 {
namespace {

namespace schema = wire::schema;
using Pairs = std::vector<std::pair<std::string, std::string>>;

class SaysNo final : public service::Evaluator {
 public:
  bool allows(const service::Question& question) const override {
    asked.emplace_back(question.row().action);
    // Whatever the request names can be said.
    for (const auto& each : question.resources()) EXPECT_TRUE(each.arn.starts_with("arn:aws:")) << each.arn;
    return false;
  }
  mutable std::vector<std::string> asked;
};

// What a request of this shape has to have, with a value for each.
void add_required(const schema::Service& model, std::uint32_t index, const std::string& path, Pairs& out, int depth = 0) {
  const auto& shape = model.shapes[index];
  const auto before = out.size();
  const auto below = [&](std::string_view name) { return path.empty() ? std::string(name) : path + "." + std::string(name); };
  switch (shape.kind) {
    case schema::Kind::structure:
      for (const auto& member : model.members_of(shape))
        if (member.required && depth < 6) add_required(model, member.shape, below(member.parameter), out, depth + 1);
      // A structure is there if one of its members is.
      if (out.size() == before && !path.empty() && shape.member_count > 0)
        add_required(model, model.members_of(shape)[0].shape, below(model.members_of(shape)[0].parameter), out, depth + 1);
      return;
    case schema::Kind::list: return add_required(model, shape.element, below("1"), out, depth + 1);
    case schema::Kind::boolean: return out.emplace_back(path, "true"), void();
    case schema::Kind::integer:
    case schema::Kind::long_integer:
    case schema::Kind::number: return out.emplace_back(path, "1"), void();
    case schema::Kind::timestamp: return out.emplace_back(path, "2026-01-01T00:00:00Z"), void();
    case schema::Kind::blob: return out.emplace_back(path, "eA=="), void();
    default: return out.emplace_back(path, "x"), void();
  }
}

class EveryActionTest : public testing::Test {
 protected:
  ~EveryActionTest() override { store_->stop(); }

  // The code that the action ends with; it is run as the front door does.
  std::string run(const schema::Service& model, const service::Action& action) {
    Pairs pairs;
    const auto* operation = schema::find_operation(model, action.name);
    if (operation->input != schema::no_shape) add_required(model, operation->input, "", pairs);
    wire::QueryTree tree(std::move(pairs));
    tree.set_times(wire::TimeFormat::iso8601, true);
    const auto invocation = action.decode(action, tree.root());
    wire::Caller root;
    root.account_id = "111122223333";
    root.user_arn = "arn:aws:iam::111122223333:root";
    const service::Context context{root, services_, model.version, clock_.now(), false, &tree};
    try {
      if (action.lane == service::Lane::read) invocation->read(*store_->world(), context);
      if (action.lane == service::Lane::work) invocation->work(context);
      if (action.lane == service::Lane::write) store_->transact([&](state::Transaction& each) { invocation->write(each, context); });
    } catch (const wire::ApiError& error) {
      return error.code;
    }
    return "allowed";
  }

  SystemClock clock_;
  SeededRandom random_{1};
  service::Settings settings_;
  SaysNo no_;
  std::unique_ptr<state::Store> store_ = *state::Store::open(state::make_memory_log(), clock_, random_);
  service::Services services_{*store_, clock_, random_, settings_, {}, "a key", {}, {}, {}, {}, no_};
};

TEST_F(EveryActionTest, IsRefusedBeforeItRuns) {
  const std::set<std::string> refusals = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"};
  size_t count = 0;
  for (const auto& table : {make_service(), sts::make_service(), ssm::make_service(), quotas::make_service(), ebs::make_service()}) {
    const auto* model = schema::find_service(table.service);
    ASSERT_NE(model, nullptr) << table.service;
    for (const auto& action : table.actions) {
      SCOPED_TRACE(action.name);
      no_.asked.clear();
      EXPECT_TRUE(refusals.contains(run(*model, action)));
      EXPECT_EQ(no_.asked, std::vector<std::string>{std::string(table.service) + ":" + std::string(action.name)});
      ++count;
    }
  }
  EXPECT_GT(count, 350U);
}

}  // namespace
}  // namespace brume::ec2
