#include "train/judge/grade_results.h"

#include <optional>

#include "common/status_macros.h"

namespace fpo::train {
namespace {

constexpr int kBaseline = 0, kModel = 1;

std::optional<Grade> GradeOf(const Verdict* verdict) {
  if (verdict == nullptr || !verdict->first) return std::nullopt;
  return GradeOfShare(*verdict->first);
}

}  // namespace

absl::StatusOr<GradeSummary> SummariseGrades(const AnswerPairs& answers,
                                             const std::vector<PairVerdicts>& verdicts,
                                             const BootstrapOptions& bootstrap) {
  GradeSummary summary;
  std::vector<Battle> battles;
  for (size_t i = 0; i < verdicts.size(); ++i) {
    const auto question = static_cast<int64_t>(i);
    if (const auto grade = GradeOf(verdicts[i].baseline_first)) {
      battles.push_back(BattleOf(question, kBaseline, kModel, *grade));
      ++summary.counts[summary.counts.size() - 1 - static_cast<size_t>(*grade)];
    }
    if (const auto grade = GradeOf(verdicts[i].model_first)) {
      battles.push_back(BattleOf(question, kModel, kBaseline, *grade));
      ++summary.counts[static_cast<size_t>(*grade)];
    }
  }
  if (battles.empty()) {
    return absl::InvalidArgumentError("no verdict holds a grade such as [[A>B]]");
  }
  FPO_ASSIGN_OR_RETURN(
      const std::vector<ArenaScore> scores,
      ArenaScores({answers.baseline, answers.model}, battles, kBaseline, bootstrap));
  summary.score = scores[kModel];
  return summary;
}

}  // namespace fpo::train
