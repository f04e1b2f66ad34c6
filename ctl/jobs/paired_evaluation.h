#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/evaluation/resample.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"

namespace fpo::ctl {

// A job's final evaluation, pair by pair: of evaluations/step-N.jsonl or evaluation.pairs.jsonl.
struct EvaluationByPair {
  std::vector<std::string> pairs;                     // their names, ascending
  std::map<std::string, std::vector<double>> values;  // by field, in the same order
};

// InvalidArgument names the line. A field that some lines lack, or that is null in one, is left
// out: means over some of the pairs would not be those of the job. Adds "accuracy", 1 or 0, where
// there are margins.
absl::StatusOr<EvaluationByPair> ParseEvaluationByPair(absl::string_view json_lines);

// Fetches and reads that file from the worker that holds it. NotFound: the job has none.
absl::StatusOr<EvaluationByPair> FetchEvaluationByPair(Session& session,
                                                       CoordinatorClient& coordinator,
                                                       const std::string& job_id);

struct MetricDifference {
  std::string metric;
  double baseline = 0, value = 0;  // means
  Interval interval;               // of value - baseline, 95 %

  double difference() const { return value - baseline; }
  bool ExcludesZero() const { return interval.low > 0 || interval.high < 0; }
};
struct PairedEvaluation {
  int64_t pairs = 0;
  std::vector<MetricDifference> metrics;  // accuracy, margin, loss: those that both have
};

// Differences to the baseline by a bootstrap over the pairs, each drawn with both of its values.
// FailedPrecondition, with the numbers, unless both evaluations are of exactly the same pairs.
absl::StatusOr<PairedEvaluation> PairEvaluations(const EvaluationByPair& baseline,
                                                 const EvaluationByPair& job);

}  // namespace fpo::ctl
