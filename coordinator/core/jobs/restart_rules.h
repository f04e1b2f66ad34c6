#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"

// Whether, when and where a job is retried after an attempt. Pure functions of the job.
namespace fpo::coordinator {

inline constexpr int kAttemptsWithoutProgressMax = 3;
inline constexpr int kHostFaultsMax = 2;

// Failures that the job itself caused; only these use up its restarts.
bool IsCounted(const Attempt& attempt);

// Why the job must not be retried after its last attempt, or nullopt.
std::optional<std::string> FatalReason(const Job& job);

// "program: message"; says so when the attempt before ended at the same step in the same way.
std::string DescribeEnd(const Job& job);

// Delay before the next attempt after `requeues` earlier ones without progress. The first restart
// after a lost process is quick, since most losses are single.
absl::Duration RecoveryBackoff(int requeues);  // 1 s, then 5 s doubling to 5 min
absl::Duration RefusalBackoff(int requeues);   // 5 s doubling to 5 min

// Counts a fault of `worker`, which ends the last attempt; one that failed preflight is not tried
// again.
void RecordHostFault(absl::string_view worker, bool in_preflight, Job* job);
void ClearHostFaults(const std::string& worker, Job* job);
// Whether to avoid it for this job while other known workers could hold it.
bool IsExcluded(const Job& job, const std::string& worker);
// Why it is excluded: "it failed this job 2 times in a row", "its preflight failed".
std::string DescribeFaults(const Job& job, const std::string& worker);

}  // namespace fpo::coordinator
