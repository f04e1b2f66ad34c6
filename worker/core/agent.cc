#include "worker/core/agent.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/observe/log.h"
#include "common/observe/trace_context.h"
#include "worker/core/run_checkpoints.h"

namespace fpo::worker {
namespace {

// `leaving`: the agent itself ended it.
Report EndReport(const AttemptRef& attempt, const AttemptEnd& end, bool leaving) {
  Report report;
  report.attempt = attempt;
  report.cache = end.cache;
  report.message = end.end.message;
  if (end.end.ok()) {
    report.status = ReportStatus::kSucceeded;
  } else if (end.survived_kill) {
    report.status = ReportStatus::kFailed;
    report.end_class = EndClass::kInfrastructure;
    absl::StrAppend(&report.message, "; a process survives SIGKILL and keeps its slots");
  } else if (end.end.end_class != EndClass::kAsked) {
    report.status = ReportStatus::kFailed;
    report.end_class = end.end.end_class;
  } else if (leaving) {
    // The job itself was not asked to end, so it continues elsewhere.
    report.status = ReportStatus::kFailed;
    report.end_class = EndClass::kAsked;
  } else {
    report.status = ReportStatus::kStopped;
  }
  return report;
}

void CarryOut(const KeepCheckpointsCommand& order, const JobPlaces& places) {
  const auto each = [&](const std::vector<std::string>& folders, const auto& act) {
    for (const std::string& folder : folders) {
      absl::Status status = CheckOutputPlace(places, folder);
      if (status.ok()) status = act(folder);
      if (status.ok()) continue;
      Log(LogLevel::kWarning, absl::StrCat("checkpoints: ", status.message()),
          {{"job", order.job_id}});
    }
  };
  each(order.pin, [](const std::string& folder) { return PinCheckpoint(folder, true); });
  each(order.unpin, [](const std::string& folder) { return PinCheckpoint(folder, false); });
  each(order.remove, RemoveCheckpoint);
}

}  // namespace

Agent::Agent(Options options, AttemptServices services, const SteadyClock* clock)
    : options_(std::move(options)),
      services_(services),
      clock_(clock),
      slots_(static_cast<size_t>(options_.slots)),
      closed_(options_.closed),
      idle_(options_.exit_when_idle, clock->Now()) {
  absl::MutexLock lock(&mutex_);
  CountSlots();
}

Agent::~Agent() {
  {
    absl::MutexLock lock(&mutex_);
    draining_ = true;
    for (auto& [id, attempt] : attempts_) attempt->Stop(absl::ZeroDuration(), "the agent ends");
    mutex_.Await(absl::Condition(
        +[](decltype(attempts_)* attempts) { return attempts->empty(); }, &attempts_));
  }
  JoinEnded();
}

void Agent::Drain(absl::Duration grace, absl::Duration patience) {
  const absl::Time deadline = BootNow() + patience;
  {
    absl::MutexLock lock(&mutex_);
    draining_ = true;
    for (auto& [id, attempt] : attempts_) attempt->Stop(grace, "the worker is shutting down");
    mutex_.Await(absl::Condition(
        +[](decltype(attempts_)* attempts) { return attempts->empty(); }, &attempts_));
  }
  JoinEnded();
  bool connected = false;
  {
    absl::MutexLock lock(&mutex_);
    connected = connected_;
  }
  // Without a session reports cannot be sent; the coordinator will notice that the attempts are
  // gone.
  if (connected) services_.outbox->WaitUntilEmpty(deadline - BootNow());
}

absl::Status Agent::Ready() const {
  absl::MutexLock lock(&mutex_);
  if (draining_) return absl::UnavailableError("the worker is shutting down");
  if (!wrong_store_.empty()) return absl::FailedPreconditionError(wrong_store_);
  if (!connected_) return absl::UnavailableError("no session with the coordinator");
  if (!closed_.empty()) return absl::UnavailableError(closed_);
  return absl::OkStatus();
}

absl::Status Agent::CheckStore() const {
  absl::MutexLock lock(&mutex_);
  if (wrong_store_.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(wrong_store_);
}

bool Agent::HasLease() const {
  absl::MutexLock lock(&mutex_);
  return clock_->Now() - last_answered_ < lease_;
}

std::vector<AttemptRef> Agent::RunningAttempts() { return services_.outbox->Attempts(); }

void Agent::OnConnected(const std::vector<AttemptRef>& kill, absl::Duration lease) {
  services_.outbox->StartSession();
  absl::MutexLock lock(&mutex_);
  connected_ = true;
  wrong_store_.clear();
  services_.metrics->wrong_store.Set(0);
  tell_closed_ = !closed_.empty();
  held_.reset();  // the new session resends what was not confirmed
  idle_.OnContact(clock_->Now());
  abandoned_ = abandoned_ && !attempts_.empty();
  lease_ = lease;
  last_answered_ = clock_->Now();
  services_.metrics->connected.Set(1);
  for (const AttemptRef& id : kill) {
    const auto found = attempts_.find(id);
    if (found == attempts_.end()) continue;
    Log(LogLevel::kWarning, "the coordinator no longer counts this attempt; killing it",
        {{"attempt", AttemptName(id)}});
    found->second->Stop(absl::ZeroDuration(), "the attempt no longer counts");
  }
}

void Agent::OnDisconnected() {
  absl::MutexLock lock(&mutex_);
  connected_ = false;
  idle_.OnContact(clock_->Now());
  services_.metrics->connected.Set(0);
}

bool Agent::HasWork() {
  return !attempts_.empty() || held_ || !services_.outbox->IsEmpty() || errands_.HasWork() ||
         options_.is_sending();
}

bool Agent::WouldLeave() {
  const bool due = idle_.IsDue(HasWork(), clock_->Now()) && !draining_;
  if (due) Log(LogLevel::kInfo, "this worker asks to leave", {{"why", idle_.why()}});
  return due;
}

void Agent::OnDismissed() {
  {
    absl::MutexLock lock(&mutex_);
    // What came up since is done first. The coordinator does not know this session any more, so
    // that another one begins within a lease.
    if (HasWork() || std::exchange(draining_, true)) return;
    Log(LogLevel::kInfo, "this worker leaves", {{"why", idle_.why()}});
  }
  options_.on_leave();
}

void Agent::OnStillAway() {
  bool leaves = false;
  {
    absl::MutexLock lock(&mutex_);
    const absl::Time now = clock_->Now();
    leaves = !connected_ && idle_.IsForgotten(HasWork(), now) && !std::exchange(draining_, true);
  }
  if (leaves) {
    Log(LogLevel::kWarning, "this worker ends: it runs nothing, and no coordinator answers");
    return options_.on_leave();
  }
  absl::MutexLock lock(&mutex_);
  const absl::Duration away = clock_->Now() - last_answered_;
  const bool ever = last_answered_ != absl::InfinitePast();
  if (options_.abandon_after <= absl::ZeroDuration() || !ever || away < options_.abandon_after) {
    return;
  }
  if (attempts_.empty() || std::exchange(abandoned_, true)) return;
  const std::string why = absl::StrCat("no contact with the coordinator for ",
                                       absl::FormatDuration(options_.abandon_after));
  Log(LogLevel::kError, absl::StrCat(why, "; stopping all attempts"));
  for (auto& [id, attempt] : attempts_) attempt->Stop(options_.grace, why);
}

bool Agent::IsIdle() {
  absl::MutexLock lock(&mutex_);
  return attempts_.empty();
}

void Agent::OnWrongStore(const std::string& why) {
  absl::MutexLock lock(&mutex_);
  wrong_store_ = why;
  services_.metrics->wrong_store.Set(1);
  Log(LogLevel::kError, absl::StrCat("WRONG_STORE: ", why, "; what runs here continues"),
      {{"running", absl::StrCat(attempts_.size())}});
}

void Agent::OnRefused(const std::string& why) {
  absl::MutexLock lock(&mutex_);
  if (closed_.empty()) closed_ = why;
  for (auto& [id, attempt] : attempts_) attempt->Stop(absl::ZeroDuration(), why);
}

// Not on the session's thread: removing a checkpoint may take longer than a lease.
void Agent::OnCheckpointOrder(const KeepCheckpointsCommand& order) {
  errands_.Add([order, places = options_.attempt.places] { CarryOut(order, places); });
}

std::optional<std::vector<int32_t>> Agent::TakeSlots(const AttemptRef& attempt, int32_t count) {
  std::vector<int32_t> taken;
  for (size_t i = 0; i < slots_.size() && taken.size() < static_cast<size_t>(count); ++i) {
    if (!slots_[i]) taken.push_back(static_cast<int32_t>(i));
  }
  if (taken.size() < static_cast<size_t>(count)) return std::nullopt;
  for (const int32_t slot : taken) slots_[static_cast<size_t>(slot)] = attempt;
  CountSlots();
  return taken;
}

void Agent::FreeSlots(const AttemptRef& attempt) {
  for (std::optional<AttemptRef>& slot : slots_) {
    if (slot == attempt) slot.reset();
  }
  CountSlots();
}

void Agent::CountSlots() {
  const auto used = std::count_if(slots_.begin(), slots_.end(),
                                  [](const auto& slot) { return slot.has_value(); });
  services_.metrics->SetSlots(static_cast<int>(used), static_cast<int>(slots_.size()));
}

std::vector<bool> Agent::HeldSlots() const {
  absl::MutexLock lock(&mutex_);
  std::vector<bool> held;
  for (const std::optional<AttemptRef>& slot : slots_) held.push_back(slot.has_value());
  return held;
}

void Agent::Refuse(const AttemptRef& attempt, const std::string& why) {
  Report report;
  report.attempt = attempt;
  report.status = ReportStatus::kRefused;
  report.message = why;
  services_.outbox->AddReport(std::move(report), /*is_final=*/false);
  services_.outbox->Close(attempt);
}

void Agent::OnAssign(const AssignCommand& assignment) {
  const AttemptRef& id = assignment.attempt;
  absl::MutexLock lock(&mutex_);
  if (attempts_.count(id) > 0) return;  // repeated after a lost connection
  if (draining_) return Refuse(id, "the worker is shutting down");
  if (!closed_.empty()) return Refuse(id, closed_);
  const int32_t count = std::max(assignment.slots, 1);
  const std::optional<std::vector<int32_t>> slots = TakeSlots(id, count);
  if (!slots) {
    const auto free = std::count_if(slots_.begin(), slots_.end(),
                                    [](const auto& slot) { return !slot.has_value(); });
    return Refuse(id, absl::StrCat(count, " slots asked, ", free, " of ", slots_.size(), " free"));
  }
  std::vector<std::string> devices;
  for (const int32_t slot : *slots) {
    const auto index = static_cast<size_t>(slot);
    const bool listed = index < options_.visible_devices.size();
    devices.push_back(listed ? options_.visible_devices[index] : "");
  }
  services_.outbox->Open(id);
  Report accepted;
  accepted.attempt = id;
  accepted.status = ReportStatus::kAccepted;
  services_.outbox->AddReport(std::move(accepted), /*is_final=*/false);
  const auto trace = ParseTraceparent(assignment.traceparent);
  Log(LogLevel::kInfo, "attempt accepted",
      {{"attempt", AttemptName(id)}, {"trace_id", trace ? trace->trace_id : "none"}});
  AttemptOptions attempt_options = options_.attempt;
  attempt_options.slots = *slots;
  auto attempt =
      std::make_unique<RunningAttempt>(std::move(attempt_options), services_, assignment, devices);
  RunningAttempt* const raw = attempt.get();
  attempts_.emplace(id, std::move(attempt));
  raw->Start([this, id](const AttemptEnd& end) { OnEnd(id, end); });
}

void Agent::OnStop(const AttemptRef& attempt, absl::Duration grace, const std::string& why) {
  absl::MutexLock lock(&mutex_);
  const auto found = attempts_.find(attempt);
  if (found != attempts_.end()) {
    Log(LogLevel::kInfo, "stopping",
        {{"attempt", AttemptName(attempt)}, {"grace", absl::FormatDuration(grace)}, {"why", why}});
    return found->second->Stop(grace, why);
  }
  const std::vector<AttemptRef> known = services_.outbox->Attempts();
  // its end is already reported
  if (std::find(known.begin(), known.end(), attempt) != known.end()) return;
  Report report;
  report.attempt = attempt;
  report.status = ReportStatus::kStopped;
  report.message = "no such attempt runs here";
  services_.outbox->AddReport(std::move(report), /*is_final=*/true);
  services_.outbox->Close(attempt);
}

// Called on the attempt's thread, last.
void Agent::OnEnd(const AttemptRef& attempt, const AttemptEnd& end) {
  Log(LogLevel::kInfo, "attempt ended",
      {{"attempt", AttemptName(attempt)},
       {"class", std::string(Name(end.end.end_class))},
       {"message", end.end.message}});
  if (!end.broken_host.empty()) CloseBecause(end.broken_host);
  if (services_.gate != nullptr) AwaitDevices(attempt);
  absl::MutexLock lock(&mutex_);
  // The coordinator may answer the report with new work at once, so the slots are freed first.
  if (!end.survived_kill) FreeSlots(attempt);
  services_.outbox->AddReport(EndReport(attempt, end, draining_ || abandoned_), /*is_final=*/true);
  services_.outbox->Close(attempt);
  const auto found = attempts_.find(attempt);
  ended_.push_back(std::move(found->second));
  attempts_.erase(found);
}

// The next attempt on these slots needs their GPUs' memory.
void Agent::AwaitDevices(const AttemptRef& attempt) {
  std::vector<int32_t> slots;
  {
    absl::MutexLock lock(&mutex_);
    for (size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i] == attempt) slots.push_back(static_cast<int32_t>(i));
    }
  }
  const auto leaving = [this] {
    absl::MutexLock lock(&mutex_);
    return draining_;
  };
  const absl::Status free = services_.gate->AwaitFree(slots, leaving);
  if (!free.ok() && !leaving()) CloseBecause(std::string(free.message()));
}

void Agent::CloseBecause(const std::string& why) {
  absl::MutexLock lock(&mutex_);
  if (!closed_.empty()) return;
  Log(LogLevel::kError, absl::StrCat("this worker takes no more work: ", why));
  closed_ = why;
  tell_closed_ = true;
}

void Agent::JoinEnded() {
  std::vector<std::unique_ptr<RunningAttempt>> ended;
  {
    absl::MutexLock lock(&mutex_);
    ended.swap(ended_);
  }
}

void Agent::OnAck(const AttemptRef& attempt, uint64_t events_seq, uint64_t logs_seq) {
  services_.outbox->Acknowledge(attempt, events_seq, logs_seq);
}

void Agent::OnResendLogs(const AttemptRef& attempt, uint64_t from_seq) {
  services_.outbox->ResendLogs(attempt, from_seq);
}

void Agent::OnHeartbeatSent(uint64_t seq) { services_.outbox->OnHeartbeatSent(seq); }

void Agent::OnHeartbeatAnswered(uint64_t seq, absl::Time sent) {
  services_.outbox->OnHeartbeatAnswered(seq);
  absl::MutexLock lock(&mutex_);
  last_answered_ = std::max(last_answered_, sent);
}

std::optional<Outgoing> Agent::Next(absl::Duration patience) {
  JoinEnded();
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(tell_closed_, false)) return Closing{closed_};
    if (held_) return std::exchange(held_, std::nullopt);
    if (WouldLeave()) return Leaving{idle_.why()};
  }
  std::optional<Outgoing> next = services_.outbox->Next(patience);
  absl::MutexLock lock(&mutex_);
  if (!next || !std::exchange(tell_closed_, false)) return next;
  // The worker closed while this waited. The report of why a job failed here must follow the
  // Closing, or the coordinator would send the job back at once.
  held_ = std::move(next);
  return Closing{closed_};
}

}  // namespace fpo::worker
