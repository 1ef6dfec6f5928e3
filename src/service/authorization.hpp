// Whether a caller may do what it asks for. Asked for every action, after its request was read and before anything is told of what
// exists, in the same World as the action is decided in (Invocation in action.hpp). What is asked is a Question; who answers it is an
// Evaluator: today one that knows account roots only. Policies are another Evaluator over the same questions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/action.hpp"
#include "wire/authorization.hpp"

namespace brume::service {

// What an action would touch.
struct Resource {
  std::string arn;
  const wire::authorization::ResourceUse* use;  // its type and condition keys; null: its id does not say what it is
};

// Cheap to make; what costs is done when it is asked for. Lives during one call of Evaluator::allows.
class Question {
 public:
  Question(const Invocation& invocation, const Context& context, const state::World& world)
      : invocation_(invocation), context_(context), world_(world) {}

  const wire::Caller& principal() const { return context_.caller; }
  // In which the action happens.
  const std::string& account() const { return context_.account(); }
  const wire::authorization::Row& row() const { return *invocation_.action().authorization; }
  const Context& context() const { return context_; }
  const state::World& world() const { return world_; }

  // Those that the request names, one by one; and one with "*" for its id of each required type that it names none of: what is to be
  // made ("instance/*" of a launch), what a default will decide, or a name that leads to nothing. Empty: the action is about none.
  std::vector<Resource> resources() const;

 private:
  const Invocation& invocation_;
  const Context& context_;
  const state::World& world_;
};

// Threads: allows may be called from any thread at once, also the writer's: it must not wait.
class Evaluator {
 public:
  Evaluator() = default;
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;
  virtual ~Evaluator() = default;
  virtual bool allows(const Question& question) const = 0;
};

}  // namespace brume::service
