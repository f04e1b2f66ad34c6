#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/job/job_fields.h"
#include "common/job/job_file.h"

namespace fpo {

// The part of the field table for "evaluate". The slots point into the argument.
JobEntry EvaluateEntry(EvaluateSection* section);

// evaluate.metric by its name in metrics.jsonl: "eval_loss" of "loss" (and of "eval_loss").
std::string DecidingMetric(const JobConfig& config);
// Whether a lower value of it is better: what evaluate.direction or else its name says. nullopt:
// neither does.
std::optional<bool> LowerDecides(const JobConfig& config);

// The names of the sets in data.eval, in order; none for the only one.
std::vector<std::string> EvalSetNames(const JobConfig& config);

// What is wrong with early stopping, the metric, and the names of sets.
std::vector<JobProblem> EvaluateProblems(const JobConfig& config);
// What is right and will surprise; "" otherwise.
std::string EarlyStopWarning(const JobConfig& config);

}  // namespace fpo
