#include "server/core/dependencies.h"

#include "server/core/explain.h"

namespace fpo::coordinator {

DependencyState DependenciesOf(const Job& job, const JobTable& jobs) {
  DependencyState state;
  for (const std::string& id : job.after_ok) {
    const JobPtr other = jobs.Get(id);
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

}  // namespace fpo::coordinator
