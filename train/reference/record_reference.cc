#include "train/reference/record_reference.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/reference/record_key.h"
#include "common/status_macros.h"
#include "train/data/context_id.h"
#include "train/events/exit_status.h"

namespace fpo::train {

RecordReference::RecordReference(std::unique_ptr<RecordFile> file, Options options)
    : file_(std::move(file)), options_(std::move(options)) {}

absl::StatusOr<std::unique_ptr<RecordReference>> RecordReference::Open(Options options) {
  FPO_ASSIGN_OR_RETURN(std::unique_ptr<RecordFile> file, RecordFile::Open(options.path));
  const Recipe& stored = file->recipe();
  // A feature record contains its margin-only record.
  const bool serves = stored == options.recipe ||
                      (options.recipe.sae.empty() && MarginRecipe(stored) == options.recipe);
  if (!serves) {
    return FailWith(ExitCode::kForeignCache,
                    absl::StrCat("this cache does not belong to this model: ", options.path,
                                 " holds records of recipe ", CanonicalRecipe(stored),
                                 " but the job needs ", CanonicalRecipe(options.recipe),
                                 "; score the reference again, or use the model and SAE it was "
                                 "made with"));
  }
  return std::unique_ptr<RecordReference>(new RecordReference(std::move(file), std::move(options)));
}

absl::Status RecordReference::Require(const std::vector<ReferenceResponse>& responses) const {
  const auto absent = [this](const ReferenceResponse& response) {
    return !file_->Contains(response.key);
  };
  const auto first = std::find_if(responses.begin(), responses.end(), absent);
  if (first == responses.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      options_.path, " lacks ", std::count_if(first, responses.end(), absent), " of the ",
      responses.size(), " records that this job reads, the first of key ", ToHex(first->key),
      "; it was made from other data, or for fewer steps or evaluation pairs. --reference auto ",
      "computes what is missing"));
}

absl::Status RecordReference::Fill(const Record& record, int64_t row,
                                   const std::vector<at::Tensor>& pooled) const {
  if (!pooled.empty() && record.features.size() != pooled.size()) {
    return absl::DataLossError(absl::StrCat(options_.path, ": a record has ",
                                            record.features.size(), " feature lists, expected ",
                                            pooled.size()));
  }
  for (size_t s = 0; s < pooled.size(); ++s) {
    const int64_t width = pooled[s].size(1);
    float* out = pooled[s].data_ptr<float>() + row * width;
    for (const auto& [index, value] : record.features[s]) {
      if (index >= width) {
        return absl::DataLossError(absl::StrCat(options_.path, ": feature index ", index,
                                                " in a record of an SAE with ", width,
                                                " features"));
      }
      out[index] = value;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ReferenceValues> RecordReference::Values(const std::vector<Sequence>& sequences,
                                                        ReferenceDetail detail) {
  if (detail == ReferenceDetail::kDistributions) {
    return absl::FailedPreconditionError(
        absl::StrCat(options_.path, ": records hold no next-token distributions; the KL methods ",
                     "need reference.source: online"));
  }
  const int64_t count = static_cast<int64_t>(sequences.size());
  ReferenceValues values;
  values.logp = at::empty({count}, at::kDouble);
  for (const int64_t width : options_.features) {
    values.pooled.push_back(at::zeros({count, width}, at::kFloat));
  }
  for (int64_t i = 0; i < count; ++i) {
    const Sequence& sequence = sequences[i];
    FPO_ASSIGN_OR_RETURN(const Record record,
                         file_->Find(RecordKey(sequence.prompt, sequence.response)));
    if (record.tokens != ScoredTokens(sequence.response)) {
      return absl::DataLossError(absl::StrCat(options_.path, ": a record counts ", record.tokens,
                                              " response tokens, the response has ",
                                              ScoredTokens(sequence.response)));
    }
    values.logp.data_ptr<double>()[i] = record.sum_logp;
    FPO_RETURN_IF_ERROR(Fill(record, i, values.pooled));
  }
  values.logp = values.logp.to(options_.device);
  for (at::Tensor& pooled : values.pooled) pooled = pooled.to(options_.device);
  return values;
}

}  // namespace fpo::train
