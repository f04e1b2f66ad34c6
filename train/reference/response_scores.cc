#include "train/reference/response_scores.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "train/ops/fast_paths.h"
#include "train/sae/response_rows.h"

namespace fpo::train {
namespace {

int64_t ChunkRowsOf(const Gemma& model, const ScoringOptions& options) {
  const int64_t heads = options.reference.hidden.defined() ? 2 : 1;
  const int64_t row = heads * model.config().vocab_size * static_cast<int64_t>(sizeof(float));
  // A GPU needs larger products to be busy, and its gradient of the head is read once a chunk.
  const int64_t times = CudaKernelsOf(model.head()) != nullptr ? 16 : 1;
  return std::max<int64_t>(1, times * options.logit_bytes / row);
}

int64_t FirstRow(const SequenceBatch& batch, int64_t response) {
  return response < batch.sequences ? batch.first_row[static_cast<size_t>(response)] : batch.rows;
}

// Units [first, first + count) of a loss.
struct UnitRange {
  int64_t first, count;

  // Their rows, a range for each side.
  RowChunk Rows(const SequenceBatch& batch, int64_t sides) const {
    RowChunk rows;
    for (int64_t side = 0; side < sides; ++side) {
      const int64_t response = side * (batch.sequences / sides) + first;
      const int64_t begin = FirstRow(batch, response);
      rows.push_back({begin, FirstRow(batch, response + count) - begin});
    }
    return rows;
  }
  // Which of the sides * count responses each of these rows belongs to.
  at::Tensor Owners(const SequenceBatch& batch, int64_t sides) const {
    std::vector<at::Tensor> owners;
    const RowChunk rows = Rows(batch, sides);
    for (int64_t side = 0; side < sides; ++side) {
      const RowRange& range = rows[static_cast<size_t>(side)];
      const int64_t response = side * (batch.sequences / sides) + first;
      owners.push_back(batch.response_of_row.narrow(0, range.first, range.count) -
                       (response - side * count));
    }
    return at::cat(owners);
  }
};

// Units whose rows fit into `chunk_rows` together, one after another; empty when one takes more
// than four times as many by itself.
std::vector<UnitRange> CutUnits(const SequenceBatch& batch, int64_t sides, int64_t chunk_rows) {
  constexpr int64_t kLargestUnit = 4;
  std::vector<UnitRange> chunks;
  int64_t room = 0;
  for (int64_t unit = 0; unit < batch.sequences / sides; ++unit) {
    int64_t rows = 0;
    for (const RowRange& range : UnitRange{unit, 1}.Rows(batch, sides)) rows += range.count;
    if (rows > kLargestUnit * chunk_rows) return {};
    if (chunks.empty() || rows > room) {
      chunks.push_back({unit, 0});
      room = chunk_rows;
    }
    ++chunks.back().count;
    room -= rows;
  }
  return chunks;
}

// Lets the head make its gradients in forward: the loss of a chunk of whole units is known there.
void SetLoss(const SequenceBatch& batch, const UnitLoss& loss, VocabHeadOptions* head) {
  const std::vector<UnitRange> units = CutUnits(batch, loss.sides, head->chunk_rows);
  for (const UnitRange& range : units) head->chunks.push_back(range.Rows(batch, loss.sides));
  if (units.empty()) return;
  head->loss = [units, &batch, &loss](size_t chunk, const ChunkScores& scores) {
    const UnitRange& range = units[chunk];
    const at::Tensor owners = range.Owners(batch, loss.sides);
    const auto sums = [&](const at::Tensor& values) {
      return values.defined() ? ResponseSums(values, owners, loss.sides * range.count) : values;
    };
    const auto rows = [&](const at::Tensor& values) {
      return values.defined() ? values.index_select(0, owners).to(scores.log_probs.scalar_type())
                              : values;
    };
    const SideGradients gradients =
        loss.gradient(range.first, range.count,
                      {sums(scores.log_probs), sums(scores.kl), sums(scores.reference_log_probs)});
    return ChunkGradients{rows(gradients.logp), rows(gradients.kl)};
  };
}

}  // namespace

HiddenRows ForwardRows(const Gemma& model, const SequenceBatch& batch,
                       const ScoringOptions& options) {
  // A device would end the process at an id that it does not have, and not say which.
  TORCH_CHECK(batch.greatest_id < model.config().vocab_size, "a batch holds token id ",
              batch.greatest_id, ", the model's vocabulary has ", model.config().vocab_size);
  ForwardOptions forward;
  forward.taps = options.taps;
  forward.edit = options.edit;
  forward.sites_only = options.sites_only;
  forward.activation_checkpointing = options.activation_checkpointing;
  forward.checkpointed_layers = options.checkpointed_layers;
  std::vector<at::Tensor> hidden;
  std::vector<std::vector<at::Tensor>> sites(options.taps.size());
  for (const BatchPart& part : batch.parts) {
    forward.layout = part.layout;
    forward.kept_rows = part.layout != nullptr;
    const ForwardResult result = model.Forward(part.ids, forward);
    if (!options.sites_only) {
      hidden.push_back(result.hidden.flatten(0, 1).index_select(0, part.logp_rows));
    }
    for (size_t tap = 0; tap < sites.size(); ++tap) {
      sites[tap].push_back(result.sites[tap].flatten(0, 1).index_select(0, part.response_rows));
    }
  }
  const auto in_order = [&](const std::vector<at::Tensor>& rows) {
    return rows.size() == 1 ? rows.front() : at::cat(rows).index_select(0, batch.row_order);
  };
  HiddenRows rows;
  if (!options.sites_only) rows.hidden = in_order(hidden);
  for (const std::vector<at::Tensor>& tap : sites) rows.sites.push_back(in_order(tap));
  return rows;
}

ResponseScores ScoreRows(const Gemma& model, const SequenceBatch& batch, const HiddenRows& rows,
                         const ScoringOptions& options) {
  VocabHeadOptions head;
  head.softcap = model.config().final_softcap.value_or(0);
  head.entropy_top = options.entropy_top;
  head.reference = options.reference;
  head.chunk_rows = ChunkRowsOf(model, options);
  if (options.loss.gradient) SetLoss(batch, options.loss, &head);
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
