#include "coordinator/core/hooks/hook_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/log.h"
#include "common/status_macros.h"

namespace fpo::coordinator {
namespace {

constexpr size_t kPageJobs = 100;

}  // namespace

HookQueue::HookQueue(std::vector<Hook> hooks, JobStore* store, Source source, Options options)
    : hooks_(std::move(hooks)),
      store_(store),
      source_(std::move(source)),
      options_(options),
      states_(hooks_.size()) {}

absl::Status HookQueue::Load(const Moment& now) {
  FPO_ASSIGN_OR_RETURN(const auto marks, store_->LoadHookMarks());
  const uint64_t newest = source_.jobs(0, 0).complete_to;
  for (size_t i = 0; i < hooks_.size(); ++i) {
    State& state = states_[i];
    const auto known = marks.find(hooks_[i].name);
    // Revisions that were not stored are given again after a restart.
    state.mark = known == marks.end() ? newest : std::min(known->second, newest);
    state.stored = known == marks.end() || known->second != state.mark ? ~uint64_t{0} : state.mark;
    StoreMark(i, now);
  }
  return absl::OkStatus();
}

std::vector<HookDelivery> HookQueue::TakeDue(const Moment& now) {
  std::vector<HookDelivery> due;
  for (size_t i = 0; i < hooks_.size(); ++i) {
    State& state = states_[i];
    if (state.is_busy || now.steady < state.not_before) continue;
    DropOld(i, now);
    if (state.waiting.empty()) Look(i, now);
    DropOld(i, now);
    if (state.waiting.empty()) continue;
    const Waiting& next = state.waiting.front();
    state.is_busy = true;
    due.push_back({i, DeliveryIdOf(hooks_[i], *next.job, next.event), next.event, next.job->job_id,
                   HookBody(hooks_[i], *next.job, next.event)});
  }
  return due;
}

void HookQueue::Look(size_t hook, const Moment& now) {
  State& state = states_[hook];
  const JobsToTell page = source_.jobs(state.mark, kPageJobs);
  for (const auto& [revision, job] : page.jobs) {
    for (const HookEvent event : HookEventsOf(*job)) {
      if (Wants(hooks_[hook], *job, event)) state.waiting.push_back({revision, job, event});
    }
  }
  state.page_end = page.complete_to;
  state.counts.waiting = static_cast<int64_t>(state.waiting.size());
  if (!state.waiting.empty()) return;
  state.mark = page.complete_to;
  if (!page.jobs.empty() || now.steady - state.stored_at >= options_.idle_mark) {
    StoreMark(hook, now);
  }
}

void HookQueue::DropOld(size_t hook, const Moment& now) {
  State& state = states_[hook];
  const int64_t before = state.counts.given_up;
  std::string first;
  while (!state.waiting.empty() &&
         now.wall - state.waiting.front().job->state_since > options_.give_up_after) {
    if (first.empty()) first = state.waiting.front().job->job_id;
    ++state.counts.given_up;
    PopFront(hook, now);
  }
  if (first.empty()) return;
  Log(LogLevel::kError, "a webhook was not told of jobs for too long: given up",
      {{"hook", hooks_[hook].name},
       {"deliveries", absl::StrCat(state.counts.given_up - before)},
       {"first", first}});
}

// All that a revision tells has been told once the next one is at the front.
void HookQueue::PopFront(size_t hook, const Moment& now) {
  State& state = states_[hook];
  const uint64_t told = state.waiting.front().revision;
  state.waiting.pop_front();
  state.counts.waiting = static_cast<int64_t>(state.waiting.size());
  if (!state.waiting.empty() && state.waiting.front().revision == told) return;
  state.mark = state.waiting.empty() ? state.page_end : told;
  StoreMark(hook, now);
}

void HookQueue::Delivered(size_t hook, const Moment& now) {
  State& state = states_[hook];
  state.is_busy = false;
  state.failures = 0;
  state.not_before = absl::InfinitePast();
  ++state.counts.delivered;
  PopFront(hook, now);
}

void HookQueue::Failed(size_t hook, absl::Duration retry_after, const Moment& now) {
  State& state = states_[hook];
  state.is_busy = false;
  ++state.counts.failed;
  const int32_t doublings = std::min(state.failures++, 30);
  const absl::Duration pause =
      std::min(options_.retry_first * (int64_t{1} << doublings), options_.retry_most);
  state.not_before = now.steady + std::max(pause, std::min(retry_after, 6 * options_.retry_most));
}

// Not before the next write that syncs is it durable: what is told again then has the same id.
void HookQueue::StoreMark(size_t hook, const Moment& now) {
  State& state = states_[hook];
  state.stored_at = now.steady;
  if (state.mark == state.stored) return;
  const absl::Status stored = store_->PutHookMark(hooks_[hook].name, state.mark);
  if (stored.ok()) {
    state.stored = state.mark;
  } else {
    Log(LogLevel::kWarning, absl::StrCat("what a webhook knows was not stored: ", stored.message()),
        {{"hook", hooks_[hook].name}});
  }
}

}  // namespace fpo::coordinator
