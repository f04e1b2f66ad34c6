#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "train/ops/packed_layout.h"

namespace fpo::train {

// A prompt and one response to it, which may have context ids (train/data/context_id.h): they are
// read and have no rows. Views: the ids must outlive it.
struct Sequence {
  absl::Span<const int32_t> prompt;
  absl::Span<const int32_t> response;

  int64_t length() const { return static_cast<int64_t>(prompt.size() + response.size()); }
};

// Where a sequence is among packed ones.
struct PackedPlace {
  size_t group;       // of the layout; its prompt is the group's
  int64_t first_row;  // of its response, within the group
};

// Sequences without padding, each prompt once: responses to equal prompts share it.
struct PackedSequences {
  at::Tensor ids;  // [1, rows] int64, on the CPU
  std::shared_ptr<const PackedLayout> layout;
  std::vector<PackedPlace> places;  // of each sequence
};

// Prompts are not empty; a response may be. `device`: of the layout.
PackedSequences PackSequences(const std::vector<Sequence>& sequences, at::Device device);
// [sequences, longest] int64 on the CPU, zeros on the right.
at::Tensor PadSequences(const std::vector<Sequence>& sequences);

// Sequences of similar length, padded on the right to one length; or packed, with each prompt once.
struct BatchPart {
  at::Tensor ids;  // [batch, seq] int64; packed: [1, rows]
  // [rows] int64 into the flattened [batch * seq]; packed: into the layout's kept rows
  at::Tensor logp_rows;
  at::Tensor response_rows;                              // [rows] int64
  std::shared_ptr<const PackedLayout> layout = nullptr;  // packed only
};

// A batch of responses and its two row lists: a log-prob row *predicts* a response token, a
// response row *is* one. The sequences are cut into parts to reduce padding; everything that leaves
// the model is restored to sequence order.
struct SequenceBatch {
  std::vector<BatchPart> parts;
  at::Tensor
      row_order;       // [rows] int64: where each row is in the parts' rows; undefined for one part
  at::Tensor targets;  // [rows] int64
  at::Tensor response_of_row;  // [rows] int64 in 0 .. sequences-1, ascending
  at::Tensor tokens;           // [sequences] float64: response tokens that have rows
  int64_t sequences = 0;
  int64_t rows = 0;
  std::vector<int64_t> first_row;  // [sequences], on the host: where each one's rows begin
  int64_t greatest_id = 0;         // of prompts and responses; a negative id counts as too large
  int64_t real_tokens = 0;         // without padding; a prompt counts once for each response
  int64_t computed_tokens = 0;     // what the model computes
};

// InvalidArgument for an empty prompt, or a response without scored tokens: there is nothing to
// predict from, or nothing to predict. Packed on a CPU (FastPaths::packed): responses to equal
// prompts share it. Otherwise padded, in parts; `part_cost`: cost of one more part, in tokens of
// forward; launches are expensive on CUDA, so there the default makes one part. Given, the batch is
// padded anywhere.
absl::StatusOr<SequenceBatch> MakeSequenceBatch(const std::vector<Sequence>& sequences,
                                                at::Device device,
                                                std::optional<int64_t> part_cost = std::nullopt);

// Whether MakeSequenceBatch packs: on a CPU, unless FastPaths::packed is off.
bool PacksBatches(at::Device device);

// Cuts `lengths` into the parts that minimise padded tokens plus `part_cost` per part; positions,
// longest first.
std::vector<std::vector<int64_t>> CutIntoParts(const std::vector<int64_t>& lengths,
                                               int64_t part_cost);

// Groups positions in `sequences`, in their order, so that each group has at most `tokens` packed:
// responses to equal prompts share them within a group. A longer sequence is a group by itself.
std::vector<std::vector<int64_t>> GroupPacked(const std::vector<Sequence>& sequences,
                                              int64_t tokens);

// Groups positions in `lengths`, longest sequences first, so that group size times its longest
// length stays within `tokens`; a longer sequence is a group by itself.
std::vector<std::vector<int64_t>> GroupByLength(const std::vector<int64_t>& lengths,
                                                int64_t tokens);

}  // namespace fpo::train
