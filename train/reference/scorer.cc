#include "train/reference/scorer.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/data/context_id.h"
#include "train/events/exit_status.h"
#include "train/reference/response_scores.h"

namespace fpo::train {

std::vector<std::pair<uint32_t, float>> SparseFeatures(const at::Tensor& pooled, int64_t top) {
  std::vector<std::pair<uint32_t, float>> entries;
  const float* values = pooled.data_ptr<float>();
  for (int64_t i = 0; i < pooled.numel(); ++i) {
    if (values[i] != 0) entries.emplace_back(static_cast<uint32_t>(i), values[i]);
  }
  if (top > 0 && static_cast<int64_t>(entries.size()) > top) {
    // Ties go to the lowest index, as in the loss.
    std::stable_sort(entries.begin(), entries.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    entries.resize(top);
    std::sort(entries.begin(), entries.end());
  }
  return entries;
}

Scorer::Scorer(Gemma model, Options options)
    : model_(std::move(model)),
      options_(std::move(options)),
      size_({options_.tokens_per_batch, options_.halve, model_.device(), options_.warn}) {}

absl::Status Scorer::ScoreBatch(const std::vector<Sequence>& sequences,
                                std::vector<Record>* out) const {
  const at::NoGradGuard no_grad;
  FPO_ASSIGN_OR_RETURN(const SequenceBatch batch, MakeSequenceBatch(sequences, model_.device()));
  ScoringOptions scoring;
  for (const LoadedSae& sae : options_.saes) scoring.taps.push_back(sae.tap);
  const ResponseScores scores = ScoreSequences(model_, batch, scoring);
  const at::Tensor logp = scores.logp.cpu();
  std::vector<at::Tensor> pooled;
  for (size_t s = 0; s < options_.saes.size(); ++s) {
    const ResponseRows rows{scores.site_rows[s], batch.response_of_row, batch.sequences};
    pooled.push_back(options_.saes[s].sae.PooledFeatures(rows).to(at::kFloat).cpu().contiguous());
  }
  for (int64_t i = 0; i < batch.sequences; ++i) {
    Record record;
    record.sum_logp = logp.data_ptr<double>()[i];
    record.tokens = static_cast<uint32_t>(ScoredTokens(sequences[i].response));
    if (!std::isfinite(record.sum_logp)) {
      return FailWith(ExitCode::kNotFinite,
                      absl::StrCat("the reference's log-probability of a response of ",
                                   record.tokens, " tokens is ", record.sum_logp,
                                   "; check the model's weights, or use dtype float32"));
    }
    for (const at::Tensor& list : pooled) {
      record.features.push_back(SparseFeatures(list.select(0, i), options_.top_features));
    }
    out->push_back(std::move(record));
  }
  return absl::OkStatus();
}

// Positions of the responses of each batch.
std::vector<std::vector<int64_t>> Scorer::Batches(const std::vector<Sequence>& sequences,
                                                  int64_t tokens) const {
  if (PacksBatches(model_.device())) return GroupPacked(sequences, tokens);
  std::vector<int64_t> lengths;
  for (const Sequence& sequence : sequences) lengths.push_back(sequence.length());
  return GroupByLength(lengths, tokens);
}

// In as few batches as memory has room for.
absl::StatusOr<std::vector<Record>> Scorer::ScoreGroup(
    const std::vector<Sequence>& sequences) const {
  std::vector<Record> records(sequences.size());
  const auto score = [&](int64_t tokens, MicroBatchSize::Current* current) -> absl::Status {
    for (const std::vector<int64_t>& batch : Batches(sequences, tokens)) {
      std::vector<Sequence> members;
      int64_t longest = 0;
      for (const int64_t position : batch) {
        members.push_back(sequences[position]);
        longest = std::max(longest, members.back().length());
      }
      const auto count = static_cast<int64_t>(batch.size());
      *current = {count, std::min(std::max(tokens, longest), count * longest)};
      std::vector<Record> scored;
      FPO_RETURN_IF_ERROR(ScoreBatch(members, &scored));
      for (size_t i = 0; i < batch.size(); ++i) records[batch[i]] = std::move(scored[i]);
    }
    return absl::OkStatus();
  };
  FPO_RETURN_IF_ERROR(size_.Run("a batch of responses to score", score));
  return records;
}

absl::StatusOr<std::vector<Record>> Scorer::Score(const std::vector<Sequence>& sequences,
                                                  const KeepScoring& keep) const {
  std::vector<Record> records(sequences.size());
  int64_t done = 0;
  Work work({"reference", "", 0, static_cast<int64_t>(sequences.size()), "responses"});
  for (const std::vector<int64_t>& group : Batches(sequences, options_.tokens_per_batch)) {
    std::vector<Sequence> members;
    for (const int64_t position : group) members.push_back(sequences[position]);
    FPO_ASSIGN_OR_RETURN(std::vector<Record> scored, ScoreGroup(members));
    for (size_t i = 0; i < group.size(); ++i) records[group[i]] = std::move(scored[i]);
    done += static_cast<int64_t>(group.size());
    work.SetDone(done);
    if (keep && !keep()) {
      return FailWith(ExitCode::kStopped, absl::StrCat("scoring stopped on request after ", done,
                                                       " of ", sequences.size(), " responses"));
    }
  }
  return records;
}

}  // namespace fpo::train
