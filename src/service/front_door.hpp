// Takes every API request from bytes to answer, in one fixed order:
//   size and in-flight limits (HttpServer, here) → codec, service and action from the outside → sender, on the raw bytes → parameters →
//   rate → action → typed request → run → answer → audit line.
// Nothing of a request is believed before its sender is known, and nothing is changed before the whole request is understood. What
// the bytes mean is a codec's business (wire/codec), who sent them an identity's (wire/identity): this file knows no protocol.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "service/action.hpp"
#include "service/answer_budget.hpp"
#include "service/audit_log.hpp"
#include "service/fair_shares.hpp"
#include "service/large_reads.hpp"
#include "service/throttle.hpp"
#include "service/worker_pool.hpp"
#include "wire/codec/codec.hpp"
#include "wire/http/server.hpp"
#include "wire/identity/identity.hpp"

namespace brume::service {

struct FrontDoorSettings {
  bool simulated = false;              // an unknown access key is the account 123456789012's, and signatures are not needed
  unsigned requests_in_flight = 512;   // over it 503
  unsigned requests_of_account = 384;  // of them; the rest is others'
  unsigned changes_of_account = 16;    // that wait for the state at once; further ones wait for their turn
  unsigned reader_threads = 4;         // for large reads, and for the answers of writes
  AnswerLimits answers{};              // that wait to be read
  double throttle = 0;                 // of EC2's rates of requests (throttle.hpp); 0: none
  AuditLog* audit = nullptr;           // outlives the front door; null: nothing is audited
};

// Threads: handle may be called from any thread.
class FrontDoor {
 public:
  // `known`: the services whose requests are understood; those of `tables` are among them.
  FrontDoor(const Services& services, std::vector<ServiceTable> tables, WorkerPool& workers, FrontDoorSettings settings,
            wire::schema::Services known = wire::schema::services());
  ~FrontDoor();

  void handle(wire::HttpRequest&& request, wire::Responder respond);
  // Ends the threads of its own. Before the state goes, and after the last request. Idempotent.
  void stop() { readers_.stop(); }
  // For requests that do not get as far as handle.
  wire::HttpResponse refuse(int status, std::string_view reason) const;

  struct Counters {
    std::atomic<std::uint64_t> requests{0}, errors{0}, refused{0}, large_reads{0};
  };
  const Counters& counters() const { return counters_; }
  // Bytes of answers that clients have not taken yet; small ones are not counted.
  size_t unread_answers() const { return budget_.unread(); }

 private:
  struct Pending;  // one request on its way

  void identify(Pending& pending);
  void decode(Pending& pending);
  void look_up(Pending& pending);
  void run(const std::shared_ptr<Pending>& pending);
  void run_read(const std::shared_ptr<Pending>& pending);
  void read_now(Pending& pending);
  void submit_write(const std::shared_ptr<Pending>& pending);
  void run_write(const std::shared_ptr<Pending>& pending);
  void run_work(const std::shared_ptr<Pending>& pending);
  void answer(Pending& pending);
  void answer_failure(Pending& pending, std::exception_ptr failure);
  void audit(const Pending& pending, int status) const;
  void finish(Pending& pending, wire::HttpResponse&& response);

  const Services& services_;
  std::vector<ServiceTable> tables_;
  std::unordered_map<std::string, const Action*> actions_;  // "ec2/RunInstances"
  WorkerPool& workers_;
  FrontDoorSettings settings_;
  wire::schema::Services known_;
  wire::Identities identities_;
  std::unique_ptr<Throttle> throttle_;  // null: nobody is held back
  std::atomic<unsigned> in_flight_{0};
  AccountCounts accounts_;
  AccountTurns changes_;
  AnswerBudget budget_;
  LargeReads large_reads_;
  Counters counters_;
  WorkerPool readers_;  // last: its threads use the others
};

}  // namespace brume::service
