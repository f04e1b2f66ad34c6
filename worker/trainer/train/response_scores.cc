#include "worker/trainer/train/response_scores.h"

#include <ATen/ATen.h>

#include "worker/trainer/ops/segment.h"
#include "worker/trainer/ops/vocab_head.h"

namespace fpo::train {

ResponseScores ScoreSequences(const Gemma& model, const SequenceBatch& batch,
                              const ScoringOptions& options) {
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
  VocabHeadOptions head;
  head.softcap = model.config().final_softcap.value_or(0);
  head.chunk_rows = options.chunk_rows;
  const TokenScores tokens = TokenLogProbs(in_order(hidden), model.head(), batch.targets, head);
  ResponseScores scores;
  scores.logp = ResponseSums(tokens.log_probs, batch.response_of_row, batch.sequences);
  scores.entropy = ResponseSums(tokens.entropy, batch.response_of_row, batch.sequences);
  for (const std::vector<at::Tensor>& rows : sites) scores.site_rows.push_back(in_order(rows));
  return scores;
}

}  // namespace fpo::train
