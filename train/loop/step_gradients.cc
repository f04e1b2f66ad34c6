#include "train/loop/step_gradients.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/failpoint.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/data/context_id.h"
#include "train/events/exit_status.h"
#include "train/reference/sequence_batch.h"
#include "train/runs/data_plan.h"

namespace fpo::train {
namespace {

// Layers are counted again for each forward pass that the micro-batch was cut into.
void Backward(const at::Tensor& loss, int64_t layers) {
  const Work work("backward", layers, "layers");
  loss.backward();
}

MicroBatchSize::Current Describe(const StepInputs& inputs, const std::vector<int64_t>& pairs) {
  return {static_cast<int64_t>(pairs.size()), inputs.batcher.TokensOf(pairs)};
}

// Of one micro-batch.
absl::Status AddGradients(const StepInputs& inputs, const std::vector<int64_t>& pairs,
                          GradientBuffer* gradients, StepShare* share) {
  std::vector<TokenPairView> views;
  for (const int64_t index : pairs) views.push_back(inputs.pairs.pair(index));
  FPO_ASSIGN_OR_RETURN(const ObjectivePart part, inputs.objective.Compute(views, inputs.global));
  if (inputs.parts != nullptr) inputs.parts->End("forward_seconds");
  if (!std::isfinite(part.loss_value)) {
    return FailWith(ExitCode::kNotFinite,
                    absl::StrCat("the loss is ", part.loss_value, " at step ", inputs.step + 1,
                                 ", rows ", RowsOf(inputs.pairs, pairs), " of the training data"));
  }
  gradients->Collect([&] { Backward(part.loss, inputs.layers); });
  if (inputs.parts != nullptr) inputs.parts->End("backward_seconds");
  share->metrics += part.metrics;
  share->reference_seconds += part.reference_seconds;
  return absl::OkStatus();
}

// Scored tokens of this rank's chosen responses.
double ChosenTokens(const TokenFile& pairs, const BatchStep& batch) {
  int64_t tokens = 0;
  for (const std::vector<int64_t>& micro_batch : batch.micro_batches) {
    for (const int64_t pair : micro_batch) tokens += ScoredTokens(pairs.pair(pair).chosen);
  }
  return static_cast<double>(tokens);
}

// Objective::MismatchedLogRatios of this rank's examples.
absl::StatusOr<double> MismatchedLogRatios(const StepInputs& inputs, MicroBatchSize* size) {
  double sum = 0;
  const auto measure = [&](int64_t tokens, MicroBatchSize::Current* current) -> absl::Status {
    sum = 0;
    const BatchStep batch = inputs.batcher.Step(inputs.step, tokens);
    for (const std::vector<int64_t>& examples : batch.micro_batches) {
      *current = Describe(inputs, examples);
      std::vector<TokenPairView> views;
      for (const int64_t index : examples) views.push_back(inputs.pairs.pair(index));
      FPO_ASSIGN_OR_RETURN(const double part, inputs.objective.MismatchedLogRatios(views));
      sum += part;
    }
    return absl::OkStatus();
  };
  FPO_RETURN_IF_ERROR(size->Run(absl::StrCat("step ", inputs.step + 1, ", its KL"), measure));
  return sum;
}

}  // namespace

absl::StatusOr<StepShare> ComputeGradients(const StepInputs& inputs, MicroBatchSize* size,
                                           GradientBuffer* gradients) {
  const std::string what = absl::StrCat("step ", inputs.step + 1);
  StepShare share;
  const auto compute = [&](int64_t tokens, MicroBatchSize::Current* current) -> absl::Status {
    gradients->Clear();
    share = {};
    const BatchStep batch = inputs.batcher.Step(inputs.step, tokens);
    Work work(what, static_cast<int64_t>(batch.micro_batches.size()), "micro-batches");
    for (const std::vector<int64_t>& pairs : batch.micro_batches) {
      *current = Describe(inputs, pairs);
      FPO_RETURN_IF_ERROR(AddGradients(inputs, pairs, gradients, &share));
      work.Advance();
      FPO_FAILPOINT("train.step.micro_batch");
    }
    return absl::OkStatus();
  };
  FPO_RETURN_IF_ERROR(size->Run(what, compute));
  return share;
}

namespace {

// Micro-batches of one round.
struct RoundInputs {
  const StepInputs& step;
  std::vector<std::vector<int64_t>> micro_batches;
};

absl::Status ComputeRound(const RoundInputs& round, MicroBatchSize::Current* current,
                          ShardedUpdate* update, StepShare* share) {
  for (size_t i = 0; i < round.micro_batches.size(); ++i) {
    *current = Describe(round.step, round.micro_batches[i]);
    const bool last = i + 1 == round.micro_batches.size();
    const BackwardWatchInScope scope(last ? update->watch() : nullptr);
    FPO_RETURN_IF_ERROR(
        AddGradients(round.step, round.micro_batches[i], &update->gradients(), share));
    AdvanceWork();
    FPO_FAILPOINT("train.step.micro_batch");
  }
  return absl::OkStatus();
}

// False: a rank ran out of memory, and nothing of this counts.
absl::StatusOr<bool> TryStep(const StepInputs& inputs, MicroBatchSize* size, ShardedUpdate* update,
                             StepShare* share) {
  const std::string what = absl::StrCat("step ", inputs.step + 1);
  const BatchStep batch = inputs.batcher.Step(inputs.step, size->tokens());
  const auto count = static_cast<int64_t>(batch.micro_batches.size());
  const Work work(what, count, "micro-batches");
  FPO_ASSIGN_OR_RETURN(const int64_t rounds, update->Rounds(count));
  const int64_t in_each = rounds == 1 ? count : 1;
  bool fits = true;
  for (int64_t round = 0; round < rounds; ++round) {
    const auto begin = batch.micro_batches.begin() + std::min(count, round * in_each);
    const auto end = batch.micro_batches.begin() + std::min(count, (round + 1) * in_each);
    update->BeginRound();
    const bool computes = fits && begin < end;
    if (computes) {
      const RoundInputs own{inputs, {begin, end}};
      FPO_ASSIGN_OR_RETURN(fits, size->Try(what, [&](int64_t, MicroBatchSize::Current* current) {
        return ComputeRound(own, current, update, share);
      }));
    }
    FPO_RETURN_IF_ERROR(update->EndRound(computes && fits));
  }
  return update->AllFit(fits);
}

}  // namespace

absl::StatusOr<StepShare> ComputeGradients(const StepInputs& inputs, MicroBatchSize* size,
                                           ShardedUpdate* update) {
  if (update->sharding() == Sharding::kNone) {
    return ComputeGradients(inputs, size, &update->gradients());
  }
  while (true) {
    StepShare share;
    FPO_ASSIGN_OR_RETURN(const bool fits, TryStep(inputs, size, update, &share));
    if (fits) return share;
  }
}

PairLengths LengthsFor(const Objective& objective, const TokenFile& pairs, int64_t count) {
  return LengthsOf(pairs, count, ResponsesOf(objective.method()), PacksBatches(objective.device()));
}

absl::StatusOr<GlobalBatch> GlobalBatchOf(const StepInputs& inputs, MicroBatchSize* size,
                                          ProcessGroup& group) {
  const BatchStep batch = inputs.batcher.Step(inputs.step);
  GlobalBatch global{static_cast<double>(batch.pairs)};
  std::vector<double> sum = {0};
  if (inputs.objective.CountsTokens()) {
    sum[0] = ChosenTokens(inputs.pairs, batch);
    FPO_RETURN_IF_ERROR(group.Sum(&sum));
    global.chosen_tokens = sum[0];
  } else if (inputs.objective.method() == Method::kKto) {
    FPO_ASSIGN_OR_RETURN(sum[0], MismatchedLogRatios(inputs, size));
    FPO_RETURN_IF_ERROR(group.Sum(&sum));
    global.kl = KtoKl(sum[0], global.pairs);
  }
  return global;
}

std::string RowsOf(const TokenFile& file, const std::vector<int64_t>& pairs) {
  std::vector<int64_t> rows;
  for (const int64_t pair : pairs) rows.push_back(file.pair(pair).row);
  return absl::StrJoin(rows, ", ");
}

std::string RowsOfStep(const TokenFile& file, const BatchStep& batch) {
  std::vector<int64_t> pairs;
  for (const auto& part : batch.micro_batches) pairs.insert(pairs.end(), part.begin(), part.end());
  return RowsOf(file, pairs);
}

}  // namespace fpo::train
