#include "train/reference/response_scores.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "train/ops/segment.h"

namespace fpo::train {

HiddenRows ForwardRows(const Gemma& model, const SequenceBatch& batch,
                       const ScoringOptions& options) {
  // A device would end the process at an id that it does not have, and not say which.
  TORCH_CHECK(batch.greatest_id < model.config().vocab_size, "a batch holds token id ",
              batch.greatest_id, ", the model's vocabulary has ", model.config().vocab_size);
  ForwardOptions forward;
  forward.taps = options.taps;
  forward.activation_checkpointing = options.activation_checkpointing;
  std::vector<at::Tensor> hidden;
  std::vector<std::vector<at::Tensor>> sites(options.taps.size());
  for (const PaddedPart& part : batch.parts) {
    const ForwardResult result = model.Forward(part.ids, forward);
    hidden.push_back(result.hidden.flatten(0, 1).index_select(0, part.logp_rows));
    for (size_t tap = 0; tap < sites.size(); ++tap) {
      sites[tap].push_back(result.sites[tap].flatten(0, 1).index_select(0, part.response_rows));
    }
  }
  const auto in_order = [&](const std::vector<at::Tensor>& rows) {
    return rows.size() == 1 ? rows.front() : at::cat(rows).index_select(0, batch.row_order);
  };
  HiddenRows rows;
  rows.hidden = in_order(hidden);
  for (const std::vector<at::Tensor>& tap : sites) rows.sites.push_back(in_order(tap));
  return rows;
}

ResponseScores ScoreRows(const Gemma& model, const SequenceBatch& batch, const HiddenRows& rows,
                         const ScoringOptions& options) {
  VocabHeadOptions head;
  head.softcap = model.config().final_softcap.value_or(0);
  head.entropy_top = options.entropy_top;
  head.reference = options.reference;
  head.chunk_rows = options.chunk_rows;
  if (head.reference.hidden.defined()) {
    head.chunk_rows = std::max<int64_t>(1, options.chunk_rows / 2);
  }
  const TokenScores tokens = TokenLogProbs(rows.hidden, model.head(), batch.targets, head);
  const auto sums = [&](const at::Tensor& values) {
    return values.defined() ? ResponseSums(values, batch.response_of_row, batch.sequences) : values;
  };
  ResponseScores scores;
  scores.logp = sums(tokens.log_probs);
  scores.entropy = sums(tokens.entropy);
  scores.entropy_top = sums(tokens.entropy_top);
  scores.kl = sums(tokens.kl);
  scores.reference_logp = sums(tokens.reference_log_probs);
  scores.site_rows = rows.sites;
  return scores;
}

ResponseScores ScoreSequences(const Gemma& model, const SequenceBatch& batch,
                              const ScoringOptions& options) {
  return ScoreRows(model, batch, ForwardRows(model, batch, options), options);
}

}  // namespace fpo::train
