#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/evaluation/length_control.h"
#include "common/evaluation/resample.h"
#include "common/evaluation/win_rate.h"
#include "train/verdicts/alpaca_tables.h"
#include "train/verdicts/answer_pairs.h"
#include "train/verdicts/verdict.h"

namespace fpo::train {

// What a judge said of one pair: where the baseline's answer stood first, and where the model's
// did. nullptr: this order was not asked for.
struct PairVerdicts {
  const Verdict* baseline_first = nullptr;
  const Verdict* model_first = nullptr;
};
// The model's preference, the mean over the orders that have a verdict; nullopt: none has.
std::optional<double> PreferenceOf(const PairVerdicts& verdicts);

struct JudgeSummary {
  WinRate rate;
  Interval interval;  // 95 %, of rate.percent; the bootstrap draws questions
  std::optional<LengthControlFit> controlled;
  Interval controlled_interval;
  int64_t unclear = 0;        // verdicts that named neither answer
  int64_t disagreements = 0;  // pairs whose orders name different winners
  int64_t both_orders = 0;    // pairs with a verdict in both
  double first_share =
      0;            // mean share of the answer that stood first: 0.5 without a bias for place
  double mass = 0;  // mean probability of the verdict tokens, of weighted verdicts; else NaN
  int64_t baseline_length = 0, model_length = 0;  // mean, in code points
  int64_t prompt_tokens = 0, answer_tokens = 0;   // of all verdicts, also of those that were stored
};

// `calibration`: null without length control; its difficulties belong to the baseline's questions,
// of which there must be as many. InvalidArgument otherwise, and when no pair has a verdict.
absl::StatusOr<JudgeSummary> Summarise(const AnswerPairs& answers,
                                       const std::vector<PairVerdicts>& verdicts,
                                       const AlpacaCalibration* calibration,
                                       const BootstrapOptions& bootstrap);

// One row a pair, as AlpacaEval's annotations have it: output_1 is the baseline's.
std::string AnnotationRow(const AnswerPairs& answers, const AnswerPair& pair,
                          const PairVerdicts& verdicts, const std::string& annotator);

}  // namespace fpo::train
