#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/scheduling/elastic_slots.h"
#include "coordinator/core/scheduling/slot_offer.h"

// Why a job is not running: the main reason with its numbers, for people, who see it as "name of
// the Standing: explanation". Texts name points in time, not remaining seconds, so that they change
// only with the facts.
namespace fpo::coordinator {

std::string ExplainBackoff(const Job& job, absl::string_view after_what);
std::string ExplainAdmission(const Job& job);   // RESERVED: who has not accepted
std::string ExplainRecovering(const Job& job);  // RECOVERING: who has not stopped
std::string ExplainStopping(const Job& job);    // CANCELLING, PAUSING: the same
std::string ExplainHeld(const Job& job);
std::string ExplainPaused(const Job& job);
// A job that must succeed first has not (yet).
std::string ExplainDependency(const std::string& job_id, JobState state);
// A job that must end first has not.
std::string ExplainEndDependency(const std::string& job_id, JobState state);

// Why the job has no place on the known workers: all that it may use have too few slots together,
// or enough slots exist, but they are taken, or their worker is lost, closed, or avoided because it
// failed this job.
WaitReason ExplainNoPlace(const Job& job, const std::vector<SlotOffer>& known);
// The same for a job that fails at `deadline` unless a worker comes.
std::string ExplainDeadline(absl::string_view no_place, absl::Time deadline);
// "; 2 suffice, since it has lost a worker", or from when on, of a job that may start with fewer
// slots than it asks for. Empty for other jobs.
std::string ExplainFewer(const Job& job, const ElasticOptions& options, absl::Time now);
// Why a job on fewer slots than it asks for is stopped.
std::string ExplainWidened(const Job& job, int32_t held);
// It would fit, but jobs before it in the queue also wait for slots.
WaitReason ExplainBehind(int64_t jobs_ahead);
// Hosts of an attempt prepared other data than the first of them; empty: none that is known.
std::string ExplainDataDiffers(const Attempt& attempt);
// Why a running job is stopped for `other`.
std::string ExplainPreempted(const Job& other);
// The same, because its worker is leaving.
std::string ExplainWorkerLeaves(absl::string_view worker, absl::string_view why);

}  // namespace fpo::coordinator
