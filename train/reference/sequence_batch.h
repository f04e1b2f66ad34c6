#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace fpo::train {

// A prompt and one response to it. Views; the owner of the ids outlives it.
struct Sequence {
  absl::Span<const int32_t> prompt;
  absl::Span<const int32_t> response;

  int64_t length() const { return static_cast<int64_t>(prompt.size() + response.size()); }
};

// Sequences of similar length, padded on the right to one length.
struct PaddedPart {
  at::Tensor ids;            // [batch, seq] int64
  at::Tensor logp_rows;      // [rows] int64 into the flattened [batch * seq]
  at::Tensor response_rows;  // [rows] int64: logp_rows + 1
};

// A batch of responses and its two row lists: a log-prob row *predicts* a response token, a
// response row *is* one. The sequences are cut into parts so that little padding is computed;
// everything that leaves the model is put back into the order of the sequences.
struct SequenceBatch {
  std::vector<PaddedPart> parts;
  at::Tensor
      row_order;       // [rows] int64: where each row is in the parts' rows; undefined for one part
  at::Tensor targets;  // [rows] int64
  at::Tensor response_of_row;  // [rows] int64 in 0 .. sequences-1, ascending
  at::Tensor tokens;           // [sequences] float64: response tokens
  int64_t sequences = 0;
  int64_t rows = 0;
  std::vector<int64_t> first_row;  // [sequences], on the host: where its rows begin
  int64_t real_tokens = 0;         // without padding
  int64_t padded_tokens = 0;       // what the model computes
};

// InvalidArgument when a prompt or a response is empty: there is nothing to predict from, or
// nothing to predict. `part_cost`: what one more part costs, in tokens of forward; on CUDA launches
// are dear, so there the default makes one part.
absl::StatusOr<SequenceBatch> MakeSequenceBatch(const std::vector<Sequence>& sequences,
                                                at::Device device,
                                                std::optional<int64_t> part_cost = std::nullopt);

// The cut of `lengths` into parts that computes the fewest padded tokens plus `part_cost` a part:
// positions, longest first.
std::vector<std::vector<int64_t>> CutIntoParts(const std::vector<int64_t>& lengths,
                                               int64_t part_cost);

// Groups of positions in `lengths`, longest sequences first, so that group size times its longest
// length stays within `tokens`; a longer sequence stands alone.
std::vector<std::vector<int64_t>> GroupByLength(const std::vector<int64_t>& lengths,
                                                int64_t tokens);

}  // namespace fpo::train
