#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/evaluation/resample.h"

namespace fpo {

// The five grades of Arena-Hard's judges, seen from the first answer (A).
enum class Grade { kMuchBetter, kBetter, kTie, kWorse, kMuchWorse };  // A>>B A>B A=B B>A B>>A

// The grade in a judge's text: [[A>B]], or without one [A>B]. nullopt: none, or several that
// differ.
std::optional<Grade> ParseGrade(absl::string_view text);

// A grade as a share of belief that the first answer is better: 1, 0.75, 0.5, 0.25, 0. nullopt:
// a share that no grade has.
double ShareOf(Grade grade);
std::optional<Grade> GradeOfShare(double share);

// One comparison of two models on a question.
struct Battle {
  int64_t question = 0;   // battles of one question are drawn together by the bootstrap
  int first = 0;          // index of a model
  int second = 0;         // another one
  double first_wins = 0;  // 1, 0.5 or 0
  double weight = 1;
};
// As Arena-Hard counts them: a much better answer three times.
Battle BattleOf(int64_t question, int first, int second, Grade grade);

// Strengths s of the Bradley-Terry model, P(i beats j) = Sigmoid(s_i - s_j), by maximum likelihood;
// s of `baseline` is 0. One that no finite number fits, since the model won or lost everything, is
// bounded at 30 beyond the others. InvalidArgument names a model that no chain of battles connects
// with the baseline.
absl::StatusOr<std::vector<double>> FitBradleyTerry(const std::vector<std::string>& models,
                                                    absl::Span<const Battle> battles, int baseline);

struct ArenaScore {
  double percent = 0;  // chance to win against the baseline
  Interval interval;   // of it
};
// Arena-Hard's table: a score a model, 50 for the baseline itself. The bootstrap draws questions;
// rounds in which a model has no battle are left out for it. Arena-Hard's own draws single battles,
// so its intervals, which take two games on a question for independent, are narrower.
absl::StatusOr<std::vector<ArenaScore>> ArenaScores(const std::vector<std::string>& models,
                                                    absl::Span<const Battle> battles, int baseline,
                                                    const BootstrapOptions& options);

}  // namespace fpo
