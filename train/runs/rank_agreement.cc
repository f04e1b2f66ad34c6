#include "train/runs/rank_agreement.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "train/events/exit_status.h"
#include "train/reference/reference_plan.h"

namespace fpo::train {
namespace {

Digest DigestOf(const at::Tensor& values) {
  const at::Tensor flat = values.to(at::kCPU).contiguous();
  return Sha256Of({static_cast<const char*>(flat.const_data_ptr()), flat.nbytes()});
}

}  // namespace

std::vector<SharedFact> SharedFactsOf(const JobConfig& job, const RunInputs& inputs) {
  std::vector<SharedFact> facts = {
      {absl::StrCat("data.train (", absl::StrJoin(job.data.train, ", "),
                    ") or the tokenizer of model.path"),
       inputs.train.digest()},
      {"data.eval", inputs.eval.digest()},
      {absl::StrCat("model.path ", inputs.policy.path), Sha256Of(inputs.policy.digest)}};
  for (const EvalTokens& set : inputs.more_eval) {
    facts.push_back({absl::StrCat("data.eval.", set.name), set.tokens.digest()});
  }
  for (const LoadedSae& sae : inputs.objective.saes) {
    facts.push_back({absl::StrCat("sae.path ", sae.path), Sha256Of(sae.digest)});
  }
  if (inputs.reference != nullptr) {
    facts.push_back(
        {absl::StrCat("reference.path ", ReferencePath(job)), Sha256Of(inputs.use.model_digest)});
  }
  if (inputs.objective.constraint.weights.defined()) {
    facts.push_back({absl::StrCat("method.feature_weights ", job.method.feature_weights),
                     DigestOf(inputs.objective.constraint.weights)});
  }
  for (const FeatureContract& contract : inputs.objective.contracts) {
    facts.push_back({absl::StrCat("constraint.sets ", contract.name), DigestOf(contract.features)});
  }
  return facts;
}

absl::Status CheckRanksAgree(const std::vector<SharedFact>& facts, ProcessGroup& group) {
  std::string own;
  for (const SharedFact& fact : facts) own += ToHex(fact.digest);
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> all, group.AllGather(own));
  for (size_t rank = 0; rank < all.size(); ++rank) {
    const auto differs = std::mismatch(all[rank].begin(), all[rank].end(), all[0].begin()).first;
    if (differs == all[rank].end()) continue;
    const size_t fact = static_cast<size_t>(differs - all[rank].begin()) / (2 * sizeof(Digest));
    return FailWith(ExitCode::kInvalid,
                    absl::StrCat("data-differs: rank ", rank, " does not have the same ",
                                 facts[fact].what, " as rank 0; every host needs the same files"));
  }
  return absl::OkStatus();
}

absl::StatusOr<CheckpointChoice> ChoiceOfRankZero(const CheckpointChoice& own,
                                                  ProcessGroup& group) {
  constexpr size_t kStepDigits = 20;
  const std::string text = absl::StrFormat("%0*d%s", kStepDigits, own.step, ToHex(own.digest));
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> all, group.AllGather(text));
  CheckpointChoice first;
  if (!absl::SimpleAtoi(all[0].substr(0, kStepDigits), &first.step)) {
    return absl::InternalError(absl::StrCat("rank 0 says ", all[0]));
  }
  FPO_ASSIGN_OR_RETURN(first.digest, DigestFromHex(all[0].substr(kStepDigits)));
  return first;
}

}  // namespace fpo::train
