#include "coordinator/core/provision/provisioner.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/observe/log.h"
#include "common/status_macros.h"
#include "coordinator/core/provision/provision_pass.h"
#include "coordinator/core/provision/provision_text.h"

namespace fpo::coordinator {
namespace {

using State = ProvisionRequest::State;

constexpr absl::Duration kBackoffFirst = absl::Seconds(30);
constexpr absl::Duration kBackoffMost = absl::Minutes(30);
constexpr int kDoublingsMax = 10;

absl::Duration BackoffAfter(int32_t failures) {
  return std::min(kBackoffMost, kBackoffFirst * (1 << std::min(failures - 1, kDoublingsMax)));
}

// The request may have been taken all the same: it is asked again, by its name.
bool IsInDoubt(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

void Say(LogLevel level, const std::string& what, const ProvisionRequest& request) {
  Log(level, what,
      {{"pool", request.pool},
       {"request", request.reference.empty() ? request.id : request.reference},
       {"workers", absl::StrCat(request.workers)},
       {"job", request.job_id},
       {"attempt", absl::StrCat(request.attempt)}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<Provisioner>> Provisioner::Open(std::vector<ProvisionPool> pools,
                                                               const Dependencies& dependencies) {
  std::unique_ptr<Provisioner> provisioner(new Provisioner(std::move(pools), dependencies));
  FPO_ASSIGN_OR_RETURN(const std::vector<ProvisionRequest> stored,
                       dependencies.store->LoadProvisionRequests());
  absl::MutexLock lock(&provisioner->mu_);
  for (const ProvisionPool& pool : provisioner->pools_) provisioner->counts_[pool.name];
  for (const ProvisionRequest& request : stored) {
    if (provisioner->PoolOf(request.pool) != nullptr) {
      provisioner->entries_[request.id].request = request;
      continue;
    }
    Say(LogLevel::kError, "workers were asked of a pool that is no longer known; look for them",
        request);
    FPO_RETURN_IF_ERROR(dependencies.store->RemoveProvisionRequest(request.id));
  }
  return provisioner;
}

const ProvisionPool* Provisioner::PoolOf(const std::string& name) const {
  const auto found = std::find_if(pools_.begin(), pools_.end(),
                                  [&](const ProvisionPool& pool) { return pool.name == name; });
  return found == pools_.end() ? nullptr : &*found;
}

bool Provisioner::MayHold(const Job& job) const {
  return std::any_of(pools_.begin(), pools_.end(),
                     [&](const ProvisionPool& pool) { return CanHold(pool, job); });
}

bool Provisioner::Put(ProvisionEntry* entry, const ProvisionRequest& changed) {
  const absl::Status stored = store_.PutProvisionRequest(changed);
  if (stored.ok()) {
    entry->request = changed;
  } else {
    Say(LogLevel::kError, absl::StrCat("a request for workers is not stored: ", stored.message()),
        changed);
  }
  return stored.ok();
}

void Provisioner::Remove(const std::string& id) {
  const absl::Status removed = store_.RemoveProvisionRequest(id);
  if (removed.ok()) {
    entries_.erase(id);
  } else {  // the next look finds it again
    Log(LogLevel::kError,
        absl::StrCat("a request for workers is not removed: ", removed.message()));
  }
}

// Steady times of what an earlier process asked for; the wall clock may have been set since.
void Provisioner::Age(const Moment& now) {
  for (auto& [id, entry] : entries_) {
    const auto steady = [&](absl::Time wall) {
      return now.steady - std::max(now.wall - wall, absl::ZeroDuration());
    };
    const ProvisionRequest& request = entry.request;
    entry.asked = steady(request.asked);
    if (request.started != absl::InfinitePast()) entry.started = steady(request.started);
  }
  aged_ = true;
}

void Provisioner::CountWorkers(const std::vector<SlotOffer>& offers, const Moment& now) {
  for (auto& [id, entry] : entries_) entry.connected = 0;
  for (const SlotOffer& offer : offers) {
    const auto label = offer.labels.find(kRequestLabel);
    if (!offer.connected || label == offer.labels.end()) continue;
    const auto entry = entries_.find(label->second);
    if (entry != entries_.end()) ++entry->second.connected;
  }
  for (auto& [id, entry] : entries_) {
    if (entry.connected <= entry.request.arrived) continue;
    ProvisionRequest changed = entry.request;
    changed.arrived = entry.connected;
    if (changed.started == absl::InfinitePast()) {  // the engine may say so later
      changed.started = now.wall;
      entry.started = now.steady;
    }
    const bool all = changed.is_coming() && changed.arrived >= changed.workers;
    if (all) changed.state = State::kServing;
    if (!Put(&entry, changed) || !all) continue;
    ++counts_[changed.pool].requests["served"];
    backoffs_.erase(ShapeOf(changed));
    Say(LogLevel::kInfo, "all workers came that were asked for", changed);
  }
}

void Provisioner::EndOverdue(const Moment& now) {
  for (auto& [id, entry] : entries_) {
    if (entry.request.state != State::kAsked) continue;
    const ProvisionPool& pool = *PoolOf(entry.request.pool);
    const bool started = entry.started != absl::InfinitePast();
    if (!started && now.steady - entry.asked >= pool.queue_for) {
      Fail(&entry, absl::StrCat("not started within ", absl::FormatDuration(pool.queue_for)), now);
    } else if (started && now.steady - entry.started >= pool.arrive_within) {
      Fail(&entry,
           absl::StrCat(entry.request.arrived, " of ", entry.request.workers,
                        " workers came within ", absl::FormatDuration(pool.arrive_within)),
           now);
    }
  }
}

void Provisioner::Fail(ProvisionEntry* entry, const std::string& why, const Moment& now) {
  ProvisionRequest changed = entry->request;
  // Those that came may be at work.
  changed.state = changed.arrived > 0 ? State::kServing : State::kCalledOff;
  if (!Put(entry, changed)) return;
  entry->next_call = now.steady;
  NoteFailure(changed, why, now);
}

void Provisioner::NoteFailure(const ProvisionRequest& request, const std::string& why,
                              const Moment& now) {
  ProvisionBackoff& backoff = backoffs_[ShapeOf(request)];
  const absl::Duration pause = BackoffAfter(++backoff.failures);
  backoff.until = {now.wall + pause, now.steady + pause};
  backoff.why = why;
  ++counts_[request.pool].requests["failed"];
  Say(LogLevel::kWarning, absl::StrCat("a request for workers failed: ", why), request);
}

void Provisioner::CallOffUnneeded(const Moment& now) {
  for (auto& [id, entry] : entries_) {
    if (!entry.request.is_coming() || entry.request.arrived > 0) continue;
    if (entry.needed) {
      entry.unneeded_since = absl::InfiniteFuture();
      continue;
    }
    entry.unneeded_since = std::min(entry.unneeded_since, now.steady);
    if (now.steady - entry.unneeded_since < PoolOf(entry.request.pool)->ask_after) continue;
    ProvisionRequest changed = entry.request;
    changed.state = State::kCalledOff;
    if (!Put(&entry, changed)) continue;
    entry.next_call = now.steady;
    ++counts_[changed.pool].requests["called_off"];
    Say(LogLevel::kInfo, "workers are called off: no job needs them any more", changed);
  }
}

std::map<std::string, std::string> Provisioner::Tick(const std::vector<const Job*>& waiting,
                                                     std::vector<SlotOffer> offers,
                                                     const Moment& now) {
  absl::MutexLock lock(&mu_);
  if (!aged_) Age(now);
  CountWorkers(offers, now);
  EndOverdue(now);
  ProvisionPass pass({&pools_, &entries_, &backoffs_, &lacking_since_}, std::move(offers), now);
  pass.on_ask = [&](ProvisionRequest request)
                    ABSL_NO_THREAD_SAFETY_ANALYSIS { return Ask(std::move(request), now); };
  std::map<std::string, std::string> notes = pass.Run(waiting);
  counts_on_ = pass.TakeCountsOn();
  CallOffUnneeded(now);
  return notes;
}

ProvisionEntry* Provisioner::Ask(ProvisionRequest request, const Moment& now) {
  do {
    request.id = make_id_();
  } while (entries_.count(request.id) > 0);
  ProvisionEntry entry;
  if (!Put(&entry, request)) return nullptr;
  entry.asked = entry.next_call = now.steady;
  ++counts_[request.pool].requests["asked"];
  Say(LogLevel::kInfo, "workers are asked for", request);
  return &(entries_[request.id] = std::move(entry));
}

std::vector<std::string> Provisioner::Describe(const std::string& job_id, absl::Time wall) const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> lines;
  const auto ids = counts_on_.find(job_id);
  if (ids == counts_on_.end()) return lines;
  for (const std::string& id : ids->second) {
    const auto entry = entries_.find(id);
    if (entry == entries_.end()) continue;
    const ProvisionRequest& request = entry->second.request;
    lines.push_back(RequestLine(request, *PoolOf(request.pool), wall));
  }
  return lines;
}

std::optional<ProvisionOrder> Provisioner::NextOrder(const std::string& pool, const Moment& now) {
  absl::MutexLock lock(&mu_);
  for (auto& [id, entry] : entries_) {
    if (entry.request.pool != pool || entry.next_call > now.steady) continue;
    // One of an earlier process is asked for only when it turns out to be needed still.
    if (entry.request.state == State::kWanted && !entry.needed) continue;
    entry.next_call = now.steady + PoolOf(pool)->look_every;
    if (entry.request.state == State::kWanted) {
      return ProvisionOrder{ProvisionOrder::Kind::kAsk, entry.request};
    }
    const bool call_off = entry.request.state == State::kCalledOff && !entry.told;
    return ProvisionOrder{call_off ? ProvisionOrder::Kind::kCallOff : ProvisionOrder::Kind::kLook,
                          entry.request};
  }
  return std::nullopt;
}

void Provisioner::OnAsked(const std::string& id, const absl::StatusOr<std::string>& reference,
                          const Moment& now) {
  absl::MutexLock lock(&mu_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  ProvisionEntry& entry = found->second;
  if (reference.ok()) {
    ProvisionRequest changed = entry.request;
    changed.reference = *reference;
    // It may have been called off meanwhile.
    if (changed.state == State::kWanted) changed.state = State::kAsked;
    entry.asked = now.steady;
    if (Put(&entry, changed)) Say(LogLevel::kInfo, "the engine took a request", changed);
    return;
  }
  NoteFailure(entry.request, std::string(reference.status().message()), now);
  if (!IsInDoubt(reference.status())) return Remove(id);
  ++entry.request.attempt;
  if (entry.request.state == State::kWanted) {
    entry.next_call = backoffs_[ShapeOf(entry.request)].until.steady;
  }
}

void Provisioner::OnLooked(const std::string& id, const absl::StatusOr<AllocationState>& state,
                           const Moment& now) {
  absl::MutexLock lock(&mu_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  ProvisionEntry& entry = found->second;
  const ProvisionRequest& request = entry.request;
  if (!state.ok()) {
    return Say(LogLevel::kWarning,
               absl::StrCat("cannot see what became of a request: ", state.status().message()),
               request);
  }
  if (*state != AllocationState::kGone) {
    entry.told = false;  // or it is called off again
    const bool runs = *state == AllocationState::kRunning || request.arrived > 0;
    if (runs == (request.started != absl::InfinitePast())) return;
    ProvisionRequest changed = request;
    changed.started = runs ? now.wall : absl::InfinitePast();  // an engine may queue it again
    if (Put(&entry, changed)) entry.started = runs ? now.steady : absl::InfinitePast();
    return;
  }
  if (entry.connected > 0) return;  // they end by themselves
  if (request.state == State::kAsked && request.arrived == 0) {
    NoteFailure(request, "it ended before a worker came", now);
  }
  Say(LogLevel::kInfo, "workers that were asked for are gone", request);
  Remove(id);
}

void Provisioner::OnCalledOff(const std::string& id, const absl::Status& status,
                              const Moment& now) {
  absl::MutexLock lock(&mu_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  found->second.told = status.ok();
  if (status.ok()) {
    found->second.next_call = now.steady;  // look at once whether it is gone
    return;
  }
  Say(LogLevel::kError, absl::StrCat("workers cannot be called off: ", status.message()),
      found->second.request);
}

std::map<std::string, ProvisionCounts> Provisioner::Counts() const {
  absl::MutexLock lock(&mu_);
  std::map<std::string, ProvisionCounts> counts = counts_;
  for (const auto& [id, entry] : entries_) {
    ProvisionCounts& of = counts[entry.request.pool];
    of.workers_here += entry.connected;
    if (entry.request.is_coming()) of.workers_coming += entry.request.workers - entry.connected;
  }
  return counts;
}

}  // namespace fpo::coordinator
