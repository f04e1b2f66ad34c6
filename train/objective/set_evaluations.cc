#include "train/objective/set_evaluations.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

// {"eval_loss": x} as {"eval_NAME_loss": x}.
void AddNamed(const std::string& name, const std::map<std::string, double>& from,
              std::map<std::string, double>* metrics) {
  for (const auto& [metric, value] : from) {
    (*metrics)[absl::StrCat("eval_", name, "_", absl::StripPrefix(metric, "eval_"))] = value;
  }
}

}  // namespace

absl::StatusOr<SetEvaluations> EvaluateSets(const SetEvaluationInputs& from, MicroBatchSize* size,
                                            ProcessGroup& group) {
  const int64_t pairs_max = from.job.evaluate.pairs;
  FPO_ASSIGN_OR_RETURN(Evaluation first,
                       EvaluatePairs({from.objective, from.inputs.eval, pairs_max}, size, group));
  SetEvaluations result;
  result.metrics = first.metrics;
  result.contracts = std::move(first.contracts);
  const std::string& name = from.job.data.eval_name;
  if (!name.empty()) {
    AddNamed(name, first.metrics, &result.metrics);
    result.pairs.push_back({name, &from.inputs.eval, first.pairs});
  }
  result.pairs.insert(result.pairs.begin(), {"", &from.inputs.eval, std::move(first.pairs)});
  for (const EvalTokens& set : from.inputs.more_eval) {
    FPO_ASSIGN_OR_RETURN(
        Evaluation evaluation,
        EvaluatePairs({from.objective, set.tokens, pairs_max, /*contracts=*/false}, size, group));
    AddNamed(set.name, evaluation.metrics, &result.metrics);
    const auto seconds = evaluation.metrics.find("eval_seconds");
    if (seconds != evaluation.metrics.end()) result.metrics["eval_seconds"] += seconds->second;
    result.pairs.push_back({set.name, &set.tokens, std::move(evaluation.pairs)});
  }
  return result;
}

}  // namespace fpo::train
