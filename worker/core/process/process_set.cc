#include "worker/core/process/process_set.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/status_macros.h"

namespace fpo::worker {

absl::StatusOr<RankProcess*> ProcessSet::Start(const RankCommand& command, RankSink& sink) {
  {
    absl::MutexLock lock(&mutex_);
    if (kill_at_) return absl::CancelledError("stopped on request");
  }
  FPO_ASSIGN_OR_RETURN(std::unique_ptr<RankProcess> process,
                       RankProcess::Start(*spawner_, command, sink));
  FPO_RETURN_IF_ERROR(journal_->Add(process->pid(), command.identity));
  absl::MutexLock lock(&mutex_);
  if (kill_at_) process->Stop(std::max(*kill_at_ - BootNow(), absl::ZeroDuration()));
  RankProcess* const raw = process.get();
  processes_.emplace(raw, std::move(process));
  return raw;
}

RankExit ProcessSet::Wait(RankProcess* process) {
  const RankExit exit = process->Wait();
  std::unique_ptr<RankProcess> ended;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = processes_.find(process);
    ended = std::move(found->second);
    processes_.erase(found);
  }
  // One that survives SIGKILL stays in the journal for the next agent.
  if (exit.gone) {
    journal_->Remove(ended->pid());
  } else {
    has_survivors_ = true;
  }
  metrics_->OnRankExit(EndClassOf(exit));
  if (IsNotFinite(exit)) metrics_->not_finite.Add();
  return exit;
}

void ProcessSet::Stop(absl::Duration grace) {
  absl::MutexLock lock(&mutex_);
  const absl::Time kill_at = BootNow() + grace;
  kill_at_ = kill_at_ ? std::min(*kill_at_, kill_at) : kill_at;
  for (const auto& [raw, process] : processes_) process->Stop(grace);
}

}  // namespace fpo::worker
