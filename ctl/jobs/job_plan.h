#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/plan/run_plan.h"
#include "ctl/jobs/job_source.h"
#include "ctl/rpc/session.h"
#include "proto/fpo/v1/coordinator.pb.h"

namespace fpo::ctl {

// What a job will take, worked out by the fpo-train beside fpoctl from the inputs on this machine.
// Unavailable, with the reason: there is no fpo-train here, inputs are missing, or it gave none.
// A terminal is told that it takes a while, and `otherwise`: how to do without.
absl::StatusOr<RunPlan> PlanOfJob(Session& session, const LoadedJob& job,
                                  const std::string& otherwise);

// Whether a plan fits into a worker's memory.
struct WorkerFit {
  enum class Kind { kFits, kTooSmall, kUnknown };
  std::string worker;
  Kind kind = Kind::kUnknown;
  int64_t room_bytes = 0;  // of the host, or of the smallest device
};
// Of connected workers that compute on what the plan is for; memory is unknown of a worker of an
// older version.
std::vector<WorkerFit> FitsOf(const RunPlan& plan, const std::vector<fpo::v1::Worker>& workers);
// "fits on w1 (64.0 GiB); not on w2 (8.0 GiB)", or that there is no such worker.
std::string FitsText(const RunPlan& plan, const std::vector<WorkerFit>& fits);
// A JSON array: {"worker","fits": true | false | null,"bytes"}.
std::string FitsJson(const std::vector<WorkerFit>& fits);

}  // namespace fpo::ctl
