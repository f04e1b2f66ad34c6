#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/page/figure.h"

namespace fpo {

// The pairs of an evaluation, from the lines of evaluations/step-N.jsonl.
struct EvaluatedPairs {
  struct Pair {
    double log_prob_margin;                              // lp_w / n_w - lp_l / n_l, nats per token
    std::optional<double> divergence_margin, kl_margin;  // rejected minus chosen
  };
  std::string run;
  int64_t step = 0;
  std::vector<Pair> pairs;
  int64_t skipped_lines = 0;  // without both log-probabilities, e.g. of sft
};
EvaluatedPairs ReadEvaluatedPairs(absl::string_view jsonl);

// A pair's divergence margin against its log-probability margin, as points and as means of tenths
// of the pairs (of the paper's Figure 4, middle); another figure for the KL where it is known.
// `divergence`: "Feature MSE (D)" or "KL".
std::vector<Figure> PairFigures(const std::vector<EvaluatedPairs>& runs,
                                const std::string& divergence);

}  // namespace fpo
