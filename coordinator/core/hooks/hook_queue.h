#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/core/hooks/hook.h"
#include "coordinator/core/jobs/job_table.h"
#include "coordinator/core/moment.h"
#include "coordinator/core/store/job_store.h"

namespace fpo::coordinator {

// One thing to tell one hook.
struct HookDelivery {
  size_t hook = 0;  // its place among the hooks
  std::string id;
  HookEvent event = HookEvent::kSucceeded;
  std::string job_id;
  std::string body;
};

// What the hooks have been told and what comes next. Each hook has a mark in the store: the
// revision up to which it knows the jobs. A job's end has a revision above that until it is
// delivered, so ends survive a restart, and nothing else needs to be kept: a hook that does not
// answer costs a page of jobs. Each hook hears one thing at a time, in order. A delivery that a
// restart interrupts is made again, with the same id. Not thread-safe.
class HookQueue {
 public:
  struct Options {
    absl::Duration retry_first = absl::Seconds(1);
    absl::Duration retry_most = absl::Minutes(10);
    absl::Duration give_up_after = absl::Hours(24);  // after the event
    absl::Duration idle_mark = absl::Minutes(1);     // between marks of hooks without news
  };
  struct Source {
    // JobTable::ToTellAfter, and the revision up to which that is complete.
    std::function<JobsToTell(uint64_t after, size_t jobs_max)> jobs;
  };
  struct Counts {
    int64_t delivered = 0;
    int64_t failed = 0;    // tries
    int64_t given_up = 0;  // deliveries
    int64_t waiting = 0;   // of the page that is looked at
  };

  HookQueue(std::vector<Hook> hooks, JobStore* store, Source source, Options options);

  // A hook that the store does not know hears of what happens from now on.
  absl::Status Load(const Moment& now);
  // What is to be sent now; each is answered by Delivered or Failed.
  std::vector<HookDelivery> TakeDue(const Moment& now);
  void Delivered(size_t hook, const Moment& now);
  // Again after a while that doubles, or what the receiver asks for.
  void Failed(size_t hook, absl::Duration retry_after, const Moment& now);

  const std::vector<Hook>& hooks() const { return hooks_; }
  const Counts& CountsOf(size_t hook) const { return states_[hook].counts; }

 private:
  struct Waiting {
    uint64_t revision = 0;
    JobPtr job;
    HookEvent event = HookEvent::kSucceeded;
  };
  struct State {
    uint64_t mark = 0;    // known up to here
    uint64_t stored = 0;  // the mark in the store
    uint64_t page_end = 0;
    std::deque<Waiting> waiting;  // above the mark, up to page_end
    bool is_busy = false;
    int32_t failures = 0;  // in a row
    absl::Time not_before = absl::InfinitePast();
    absl::Time stored_at = absl::InfinitePast();
    Counts counts;
  };

  void Look(size_t hook, const Moment& now);  // for what comes after the mark
  void DropOld(size_t hook, const Moment& now);
  void PopFront(size_t hook, const Moment& now);
  void StoreMark(size_t hook, const Moment& now);

  const std::vector<Hook> hooks_;
  JobStore* const store_;
  const Source source_;
  const Options options_;
  std::vector<State> states_;
};

}  // namespace fpo::coordinator
