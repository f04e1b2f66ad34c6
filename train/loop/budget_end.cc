#include "train/loop/budget_end.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/loop/evaluate.h"
#include "train/loop/model_loader.h"
#include "train/objective/budget_landing.h"

namespace fpo::train {
namespace {

// Elements that are converted at once: an embedding has a billion of them.
constexpr int64_t kPiece = 1 << 24;

// master = start + factor (master - start), in pieces of rows.
void ScaleDistance(const at::Tensor& start, double factor, const at::Tensor& master) {
  const at::NoGradGuard no_grad;
  const int64_t rows = master.dim() == 0 ? 1 : master.size(0);
  const at::Tensor from = start.reshape({rows, -1}), to = master.view({rows, -1});
  const int64_t step = std::max<int64_t>(1, kPiece / std::max<int64_t>(1, to.size(1)));
  for (int64_t row = 0; row < rows; row += step) {
    const int64_t count = std::min(step, rows - row);
    const at::Tensor piece = to.narrow(0, row, count);
    const at::Tensor origin = from.narrow(0, row, count).to(piece.device(), piece.scalar_type());
    piece.copy_(at::lerp(origin, piece, factor));
  }
}

absl::StatusOr<TensorMap> StartWeights(const LoadedModel& policy) {
  FPO_ASSIGN_OR_RETURN(const ModelIdentity now, IdentifyModel(policy.path));
  if (now.digest == policy.digest) return MapWeights(policy.path);
  return absl::FailedPreconditionError(absl::StrCat(
      "the weights cannot be put onto constraint.budget: the model in ", policy.path,
      ", from which the run started, is another one now; put the first one back and go on with "
      "--resume"));
}

absl::Status MoveFromStart(const TensorMap& start, double factor, ShardedUpdate* update) {
  return update->ChangeMasters([&](const TensorRange& master) {
    if (IsLora(master.name)) {  // the line is that of B A: B goes to zero, A stays
      if (IsLoraB(master.name)) ScaleDistance(at::zeros_like(master.values), factor, master.values);
      return absl::OkStatus();
    }
    const auto stored = start.find(master.name);
    if (stored == start.end()) {
      return absl::InternalError(absl::StrCat("the model folder has no tensor for ", master.name));
    }
    ScaleDistance(stored->second.reshape({-1}).narrow(0, master.begin, master.end - master.begin),
                  factor, master.values);
    return absl::OkStatus();
  });
}

absl::StatusOr<double> MeasureDivergence(const BudgetEnd& end, const TokenFile& pairs) {
  FPO_ASSIGN_OR_RETURN(const Evaluation evaluation,
                       EvaluatePairs({end.objective, pairs, end.pairs_max}, &end.size, end.group));
  const auto chosen = evaluation.metrics.find("eval_divergence/chosen");
  const auto rejected = evaluation.metrics.find("eval_divergence/rejected");
  if (chosen == evaluation.metrics.end() || rejected == evaluation.metrics.end()) {
    return absl::InternalError("an evaluation has no divergence to put onto the budget");
  }
  return (chosen->second + rejected->second) / 2;
}

}  // namespace

absl::StatusOr<DivergenceBudget::Conclusion> EndOnBudget(const BudgetEnd& end) {
  if (end.state.near_step == 0 || !end.inputs.PolicyIsReference()) {
    return end.budget.Conclude(end.state);
  }
  const Work work({"", "putting the weights onto the budget", 0, 0, ""});
  const bool held_out = end.inputs.eval.size() > 0;
  const TokenFile& pairs = held_out ? end.inputs.eval : end.inputs.train;
  LandingActions actions;
  actions.measure = [&] { return MeasureDivergence(end, pairs); };
  TensorMap start;
  actions.scale = [&](double factor) -> absl::Status {
    if (start.empty() && end.inputs.policy.model.lora() == nullptr) {
      FPO_ASSIGN_OR_RETURN(start, StartWeights(end.inputs.policy));
    }
    return MoveFromStart(start, factor, &end.update);
  };
  FPO_ASSIGN_OR_RETURN(const BudgetLanding landing,
                       LandOnBudget(end.budget.budget(), end.budget.Alpha(end.state) > 0, actions));
  return end.budget.ConcludeLanded(end.state, landing, held_out);
}

}  // namespace fpo::train
