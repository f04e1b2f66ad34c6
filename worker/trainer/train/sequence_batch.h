#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
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

// Sequences padded on the right to one length, and the two row lists of a response: a log-prob row
// *predicts* a response token, a response row *is* one. Rows index the flattened [batch * seq].
struct SequenceBatch {
  at::Tensor ids;              // [batch, seq] int64
  at::Tensor logp_rows;        // [rows] int64
  at::Tensor response_rows;    // [rows] int64: logp_rows + 1
  at::Tensor targets;          // [rows] int64
  at::Tensor response_of_row;  // [rows] int64 in 0 .. batch-1
  at::Tensor tokens;           // [batch] float64: response tokens
  int64_t sequences = 0;
  int64_t rows = 0;
  int64_t real_tokens = 0;  // without padding
};

// InvalidArgument when a prompt or a response is empty: there is nothing to predict from, or
// nothing to predict.
absl::StatusOr<SequenceBatch> MakeSequenceBatch(const std::vector<Sequence>& sequences,
                                                at::Device device);

// Groups of positions in `lengths`, longest sequences first, so that group size times its longest
// length stays within `tokens`; a longer sequence stands alone.
std::vector<std::vector<int64_t>> GroupByLength(const std::vector<int64_t>& lengths,
                                                int64_t tokens);

}  // namespace fpo::train
