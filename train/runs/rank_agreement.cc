#include "train/runs/rank_agreement.h"

#include "absl/strings/str_cat.h"
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
  return facts;
}

absl::Status CheckRanksAgree(const std::vector<SharedFact>& facts, ProcessGroup& group) {
  // Every rank fills its own row; the sum shows all rows to all.
  std::vector<double> table(static_cast<size_t>(group.world()) * facts.size(), 0.0);
  for (size_t i = 0; i < facts.size(); ++i) {
    table[static_cast<size_t>(group.rank()) * facts.size() + i] = DigestAsNumber(facts[i].digest);
  }
  FPO_RETURN_IF_ERROR(group.Sum(&table));
  for (size_t i = 0; i < table.size(); ++i) {
    const size_t fact = i % facts.size();
    if (table[i] == table[fact]) continue;
    return FailWith(
        ExitCode::kInvalid,
        absl::StrCat("data-differs: rank ", i / facts.size(), " does not have the same ",
                     facts[fact].what, " as rank 0; every host needs the same files"));
  }
  return absl::OkStatus();
}

double DigestAsNumber(const Digest& digest) {
  double number = 0;
  for (size_t i = 0; i < 6; ++i) number = number * 256 + digest[i];
  return number;
}

}  // namespace fpo::train
