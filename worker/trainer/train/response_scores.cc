#include "worker/trainer/train/response_scores.h"

#include "worker/trainer/ops/segment.h"
#include "worker/trainer/ops/vocab_head.h"

namespace fpo::train {

ResponseScores ScoreSequences(const Gemma& model, const SequenceBatch& batch,
                              const ScoringOptions& options) {
  ForwardOptions forward;
  forward.taps = options.taps;
  forward.activation_checkpointing = options.activation_checkpointing;
  const ForwardResult result = model.Forward(batch.ids, forward);
  VocabHeadOptions head;
  head.softcap = model.config().final_softcap.value_or(0);
  head.chunk_rows = options.chunk_rows;
  const TokenScores tokens =
      TokenLogProbs(result.hidden.flatten(0, 1).index_select(0, batch.logp_rows), model.head(),
                    batch.targets, head);
  ResponseScores scores;
  scores.logp = ResponseSums(tokens.log_probs, batch.response_of_row, batch.sequences);
  scores.entropy = ResponseSums(tokens.entropy, batch.response_of_row, batch.sequences);
  for (const at::Tensor& site : result.sites) {
    scores.site_rows.push_back(site.flatten(0, 1).index_select(0, batch.response_rows));
  }
  return scores;
}

}  // namespace fpo::train
