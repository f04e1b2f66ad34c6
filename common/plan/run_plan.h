#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/plan/memory_plan.h"

namespace fpo {

// How long a phase takes, and how that is known.
struct PhaseTime {
  std::string phase;  // prepare | load | reference | train | evaluate | checkpoints | export
  double seconds = 0;
  bool known = false;  // false: nothing was measured, `seconds` says nothing
  std::string how;

  bool operator==(const PhaseTime&) const = default;
};

// A setting that lowers the memory, and what the job would then need.
struct PlanChange {
  std::string setting;  // "batch.tokens_per_microbatch=8192", as --set takes it
  std::string price;    // what it costs
  int64_t host_bytes = 0;
  int64_t device_bytes = 0;

  bool operator==(const PlanChange&) const = default;
};

// What a job will take: fpo-train works it out (`fpo-train plan`), fpoctl shows it.
struct RunPlan {
  std::string device;  // cpu | cuda
  int64_t parameters = 0;
  int64_t train_pairs = 0;
  int64_t eval_pairs = 0;
  int64_t tokens = 0;  // of an epoch, as they are computed
  int64_t steps = 0;
  int64_t micro_batches = 0;         // of all steps
  int64_t records = 0;               // that the job reads
  int64_t records_present = 0;       // of them in the run's own folder
  int64_t host_available_bytes = 0;  // of the machine that made the plan, when it did
  std::vector<PhaseMemory> memory;
  std::vector<PhaseTime> times;
  std::vector<PlanChange> changes;  // the least harmful first
  std::vector<std::string> notes;   // what was not looked at, and what was assumed

  // Of the known phases.
  double Seconds() const;
  bool TimeIsKnown() const;  // of all phases
  bool operator==(const RunPlan&) const = default;
};

// One JSON object, and back. InvalidArgument when the text is none.
std::string RunPlanJson(const RunPlan& plan);
absl::StatusOr<RunPlan> ParseRunPlan(absl::string_view json);

}  // namespace fpo
