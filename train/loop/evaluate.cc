#include "train/loop/evaluate.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/data/batcher.h"

namespace fpo::train {

absl::StatusOr<std::map<std::string, double>> EvaluatePairs(const Objective& objective,
                                                            const TokenFile& pairs,
                                                            const EvaluationOptions& options,
                                                            ProcessGroup& group) {
  const at::NoGradGuard no_grad;
  const absl::Time start = absl::Now();
  const int64_t count = std::min(pairs.size(), options.pairs_max);
  std::vector<int64_t> mine, longest(count);
  double weight = 0;
  for (int64_t i = 0; i < count; ++i) {
    longest[i] = pairs.LongestSequence(i);
    weight += objective.Weight(pairs.pair(i));
    if (i % group.world() == group.rank()) mine.push_back(i);
  }
  Batcher::Options cut;
  cut.tokens_per_microbatch = options.tokens_per_microbatch;
  cut.sequences_per_pair = objective.method() == Method::kSft ? 1 : 2;
  BatchMetrics metrics;
  Work work("evaluating", static_cast<int64_t>(mine.size()), "pairs");
  for (const std::vector<int64_t>& micro_batch : CutMicroBatches(mine, longest, cut)) {
    std::vector<TokenPairView> views;
    for (const int64_t index : micro_batch) views.push_back(pairs.pair(index));
    FPO_ASSIGN_OR_RETURN(const ObjectivePart part, objective.Compute(views, weight));
    metrics += part.metrics;
    work.Advance(static_cast<int64_t>(micro_batch.size()));
  }
  std::vector<double> sums = metrics.Pack();
  FPO_RETURN_IF_ERROR(group.Sum(&sums));
  metrics.Unpack(sums);
  std::map<std::string, double> report;
  for (const auto& [name, value] : metrics.Report(objective.method())) {
    report["eval_" + name] = value;
  }
  if (!report.empty()) report["eval_seconds"] = absl::ToDoubleSeconds(absl::Now() - start);
  return report;
}

}  // namespace fpo::train
