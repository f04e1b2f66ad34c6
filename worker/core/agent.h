#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "worker/core/coordinator_link.h"
#include "worker/core/errands.h"
#include "worker/core/idle_exit.h"
#include "worker/core/running_attempt.h"

namespace fpo::worker {

// The worker's slots and the attempts on them. It obeys the coordinator but continues without it:
// losing contact must not lose work. Thread-safe.
class Agent final : public CoordinatorListener {
 public:
  struct Options {
    int32_t slots = 1;
    // CUDA_VISIBLE_DEVICES of each slot; an empty text or no list: no restriction.
    std::vector<std::string> visible_devices = {};
    // After this long without an answer from the coordinator every attempt is stopped: a lost agent
    // must not hold its devices forever. Zero: never.
    absl::Duration abandon_after = absl::Minutes(30);
    absl::Duration grace = absl::Seconds(30);  // for the checkpoint in that case
    AttemptOptions attempt;
    std::string closed = {};  // why no work is accepted from the start; empty: it is
    // A worker that had nothing to do for so long leaves; zero: never. It calls `on_leave` once the
    // coordinator lets it go, or was not there for as long.
    absl::Duration exit_when_idle = absl::ZeroDuration();
    std::function<void()> on_leave = [] {};
    std::function<bool()> is_sending = [] { return false; };  // files, to a user
  };

  Agent(Options options, AttemptServices services, const SteadyClock* clock);
  ~Agent() override;  // kills running attempts

  // Accepts no more work, stops every attempt with `grace` and waits for their ends and, at most
  // `patience` in all, for the coordinator to acknowledge them. Blocks.
  void Drain(absl::Duration grace, absl::Duration patience);
  // Why no work is accepted: draining, or no session.
  absl::Status Ready() const;
  // FailedPrecondition: the coordinator that answers is not the one whose attempts run here.
  absl::Status CheckStore() const;
  // False when the coordinator has been silent for a whole lease.
  bool HasLease() const;

  std::vector<AttemptRef> RunningAttempts() override;
  void OnConnected(const std::vector<AttemptRef>& kill, absl::Duration lease) override;
  void OnDisconnected() override;
  void OnStillAway() override;
  bool IsIdle() override;
  void OnWrongStore(const std::string& why) override;
  void OnRefused(const std::string& why) override;
  void OnAssign(const AssignCommand& assignment) override;
  void OnStop(const AttemptRef& attempt, absl::Duration grace, const std::string& why) override;
  void OnCheckpointOrder(const KeepCheckpointsCommand& order) override;
  void OnAck(const AttemptRef& attempt, uint64_t events_seq, uint64_t logs_seq) override;
  void OnResendLogs(const AttemptRef& attempt, uint64_t from_seq) override;
  void OnDismissed() override;
  void OnHeartbeatSent(uint64_t seq) override;
  void OnHeartbeatAnswered(uint64_t seq, absl::Time sent) override;
  std::optional<Outgoing> Next(absl::Duration patience) override;
  std::vector<bool> HeldSlots() const;          // by slot: an attempt has it
  void AwaitErrands() { errands_.AwaitAll(); }  // checkpoint orders so far are carried out

 private:
  void OnEnd(const AttemptRef& attempt, const AttemptEnd& end);
  void AwaitDevices(const AttemptRef& attempt);
  void CloseBecause(const std::string& why);
  void Refuse(const AttemptRef& attempt, const std::string& why);
  std::optional<std::vector<int32_t>> TakeSlots(const AttemptRef& attempt, int32_t count)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FreeSlots(const AttemptRef& attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Something runs, is being sent, or waits to be sent.
  bool HasWork() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether to ask the coordinator now to be let go.
  bool WouldLeave() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountSlots() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void JoinEnded();

  const Options options_;
  const AttemptServices services_;
  const SteadyClock* const clock_;

  mutable absl::Mutex mutex_;
  std::map<AttemptRef, std::unique_ptr<RunningAttempt>> attempts_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<RunningAttempt>> ended_ ABSL_GUARDED_BY(mutex_);  // to be joined
  std::vector<std::optional<AttemptRef>> slots_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool abandoned_ ABSL_GUARDED_BY(mutex_) = false;    // attempts were stopped after losing contact
  std::string closed_ ABSL_GUARDED_BY(mutex_);        // why no more work is accepted; empty: it is
  bool tell_closed_ ABSL_GUARDED_BY(mutex_) = false;  // the coordinator has not been told yet
  std::optional<Outgoing> held_ ABSL_GUARDED_BY(mutex_);  // sent after a Closing
  bool connected_ ABSL_GUARDED_BY(mutex_) = false;
  std::string wrong_store_
      ABSL_GUARDED_BY(mutex_);  // why the coordinator is another; empty: it is not
  absl::Duration lease_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();
  absl::Time last_answered_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  IdleExit idle_ ABSL_GUARDED_BY(mutex_);
  Errands errands_;
};

}  // namespace fpo::worker
