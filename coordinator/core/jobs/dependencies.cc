#include "coordinator/core/jobs/dependencies.h"

#include "coordinator/core/scheduling/explain.h"

namespace fpo::coordinator {

FindJob FindIn(const JobTable& jobs) {
  return [&jobs](const std::string& job_id) { return jobs.Get(job_id); };
}

DependencyState DependenciesOf(const Job& job, const FindJob& find) {
  DependencyState state;
  for (const std::string& id : job.after_end) {
    const JobPtr other = find(id);
    if (!other || IsTerminal(other->state)) continue;
    state = {DependencyState::Kind::kWaiting, ExplainEndDependency(id, other->state)};
    break;
  }
  for (const std::string& id : job.after_ok) {
    const JobPtr other = find(id);
    if (!other || other->state == JobState::kSucceeded) continue;
    if (IsTerminal(other->state)) {
      return {DependencyState::Kind::kImpossible, ExplainDependency(id, other->state)};
    }
    if (state.kind == DependencyState::Kind::kMet) {
      state = {DependencyState::Kind::kWaiting, ExplainDependency(id, other->state)};
    }
  }
  return state;
}

std::vector<JobPtr> ReadyBefore(const Job& job, const JobTable& jobs) {
  std::vector<JobPtr> ready;
  for (JobPtr& other : jobs.Queued()) {
    if (other->job_id == job.job_id) break;
    if (DependenciesOf(*other, FindIn(jobs)).kind == DependencyState::Kind::kMet) {
      ready.push_back(std::move(other));
    }
  }
  return ready;
}

std::vector<const Job*> WithDependenciesMet(const std::vector<JobPtr>& queued, absl::Time now,
                                            JobTable* jobs) {
  std::vector<const Job*> ready;
  for (const JobPtr& job : queued) {
    const DependencyState state = DependenciesOf(*job, FindIn(*jobs));
    if (state.kind == DependencyState::Kind::kMet) ready.push_back(job.get());
    if (state.kind == DependencyState::Kind::kWaiting) {
      jobs->SetReason(job->job_id, {Standing::kDependency, state.why});
    }
    if (state.kind == DependencyState::Kind::kImpossible) {
      (void)jobs->ApplyEvent(job->job_id, Unsatisfiable{state.why}, now);
    }
  }
  return ready;
}

void FailHopelessHeldJobs(absl::Time now, JobTable* jobs) {
  if (jobs->counts()[static_cast<size_t>(JobState::kHeld)] == 0) return;
  for (const JobPtr& job : jobs->All()) {
    if (job->state != JobState::kHeld) continue;
    const DependencyState state = DependenciesOf(*job, FindIn(*jobs));
    if (state.kind != DependencyState::Kind::kImpossible) continue;
    (void)jobs->ApplyEvent(job->job_id, Unsatisfiable{state.why}, now);
  }
}

}  // namespace fpo::coordinator
