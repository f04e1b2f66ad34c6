#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/evaluation/bradley_terry.h"
#include "common/evaluation/resample.h"
#include "train/judge/judge_results.h"

namespace fpo::train {

struct GradeSummary {
  ArenaScore score;  // the model's chance to win against the baseline, by Bradley-Terry
  // Grades as seen from the model: much better, better, a tie, worse, much worse. Verdicts without
  // a grade are in none.
  std::array<int64_t, 5> counts = {};
};

// Of verdicts in the form kGrade, each a battle as Arena-Hard counts them; the bootstrap draws
// questions. InvalidArgument without a grade.
absl::StatusOr<GradeSummary> SummariseGrades(const AnswerPairs& answers,
                                             const std::vector<PairVerdicts>& verdicts,
                                             const BootstrapOptions& bootstrap);

}  // namespace fpo::train
