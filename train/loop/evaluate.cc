#include "train/loop/evaluate.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/data/batcher.h"
#include "train/data/context_id.h"
#include "train/loop/step_gradients.h"

namespace fpo::train {

namespace {

struct EvaluationShare {
  std::vector<int64_t> pairs;  // of this rank
  GlobalBatch global;          // of all ranks
};

int64_t PairCount(const EvaluationInputs& inputs) {
  return std::min(inputs.pairs.size(), inputs.pairs_max);
}

EvaluationShare ShareOf(const EvaluationInputs& inputs, const ProcessGroup& group) {
  EvaluationShare share;
  for (int64_t i = 0; i < PairCount(inputs); ++i) {
    share.global.pairs += 1;
    share.global.chosen_tokens += static_cast<double>(ScoredTokens(inputs.pairs.pair(i).chosen));
    if (i % group.world() == group.rank()) share.pairs.push_back(i);
  }
  return share;
}

struct Measured {
  BatchMetrics metrics;
  PairValues pairs;
  ContractSums contracts;
};

absl::StatusOr<Measured> Measure(const EvaluationInputs& inputs, const EvaluationShare& share,
                                 MicroBatchSize* size) {
  Batcher::Options cut;
  cut.sequences_per_pair = SequencesPerPair(inputs.objective.method());
  const PairLengths lengths = LengthsFor(inputs.objective, inputs.pairs, PairCount(inputs));
  Measured measured;
  const auto measure = [&](int64_t tokens, MicroBatchSize::Current* current) -> absl::Status {
    measured = {{}, PairValues(PairCount(inputs)), ContractSums(inputs.objective.contracts())};
    cut.tokens_per_microbatch = tokens;
    Work work("evaluating", static_cast<int64_t>(share.pairs.size()), "pairs");
    for (const auto& micro_batch : CutMicroBatches(share.pairs, lengths, cut)) {
      const auto count = static_cast<int64_t>(micro_batch.size());
      *current = {count, MicroBatchTokens(micro_batch, lengths, cut.sequences_per_pair)};
      std::vector<TokenPairView> views;
      for (const int64_t index : micro_batch) views.push_back(inputs.pairs.pair(index));
      FPO_ASSIGN_OR_RETURN(const ObjectivePart part, inputs.objective.Compute(views, share.global));
      measured.metrics += part.metrics;
      measured.contracts += part.contracts;
      for (int64_t i = 0; i < count; ++i) {
        measured.pairs.Copy(part.pairs, i, micro_batch[static_cast<size_t>(i)]);
      }
      work.Advance(count);
    }
    return absl::OkStatus();
  };
  FPO_RETURN_IF_ERROR(size->Run("an evaluation", measure));
  return measured;
}

// Of kto: the KL of all ranks' pairs. Collective.
absl::Status MeasureKtoKl(const EvaluationInputs& inputs, EvaluationShare* share,
                          MicroBatchSize* size, ProcessGroup& group) {
  if (inputs.objective.method() != Method::kKto) return absl::OkStatus();
  const PairLengths lengths = LengthsFor(inputs.objective, inputs.pairs, PairCount(inputs));
  std::vector<double> sum;
  const auto measure = [&](int64_t tokens, MicroBatchSize::Current* current) -> absl::Status {
    sum = {0};
    Batcher::Options cut;
    cut.sequences_per_pair = 1;
    cut.tokens_per_microbatch = tokens;
    for (const auto& micro_batch : CutMicroBatches(share->pairs, lengths, cut)) {
      *current = {static_cast<int64_t>(micro_batch.size()),
                  MicroBatchTokens(micro_batch, lengths, 1)};
      std::vector<TokenPairView> views;
      for (const int64_t index : micro_batch) views.push_back(inputs.pairs.pair(index));
      FPO_ASSIGN_OR_RETURN(const double part, inputs.objective.MismatchedLogRatios(views));
      sum[0] += part;
    }
    return absl::OkStatus();
  };
  FPO_RETURN_IF_ERROR(size->Run("an evaluation's KL", measure));
  FPO_RETURN_IF_ERROR(group.Sum(&sum));
  if (share->global.pairs > 0) share->global.kl = KtoKl(sum[0], share->global.pairs);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Evaluation> EvaluatePairs(const EvaluationInputs& inputs, MicroBatchSize* size,
                                         ProcessGroup& group) {
  const at::NoGradGuard no_grad;
  const absl::Time start = absl::Now();
  EvaluationShare share = ShareOf(inputs, group);
  FPO_RETURN_IF_ERROR(MeasureKtoKl(inputs, &share, size, group));
  FPO_ASSIGN_OR_RETURN(Measured measured, Measure(inputs, share, size));
  std::vector<double> sums = measured.metrics.Pack();
  FPO_RETURN_IF_ERROR(group.Sum(&sums));
  measured.metrics.Unpack(sums);
  FPO_RETURN_IF_ERROR(group.Sum(measured.pairs.packed()));
  Evaluation evaluation;
  evaluation.pairs = std::move(measured.pairs);
  std::map<std::string, double>& report = evaluation.metrics;
  for (const auto& [name, value] : measured.metrics.Report(inputs.objective.preference())) {
    report["eval_" + name] = value;
  }
  if (inputs.contracts && !report.empty() && !measured.contracts.packed()->empty()) {
    FPO_RETURN_IF_ERROR(group.Sum(measured.contracts.packed()));
    FPO_ASSIGN_OR_RETURN(evaluation.contracts,
                         measured.contracts.Results(inputs.objective.contracts()));
  }
  for (const ContractResult& contract : evaluation.contracts) {
    report[absl::StrCat("eval_contract/", contract.name)] = contract.change;
    report["eval_contracts_broken"] += contract.broken() ? 1 : 0;
  }
  if (!report.empty()) report["eval_seconds"] = absl::ToDoubleSeconds(absl::Now() - start);
  return evaluation;
}

}  // namespace fpo::train
