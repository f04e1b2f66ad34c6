#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/plan/plan_sizes.h"

namespace fpo {

// What tensors of a step are for.
enum class MemoryUse { kActivations, kGradients, kHead, kSae, kTemporary };
inline constexpr int kMemoryUses = 5;

// Bytes alive, by use.
struct MemoryUses {
  std::array<int64_t, kMemoryUses> bytes{};

  int64_t& operator[](MemoryUse use) { return bytes[static_cast<size_t>(use)]; }
  int64_t operator[](MemoryUse use) const { return bytes[static_cast<size_t>(use)]; }
  int64_t Sum() const;
};

// Adds up what a sequence of operations takes and gives back, and keeps the fullest moment.
class MemoryWalk {
 public:
  void Take(MemoryUse use, int64_t bytes);
  void Give(MemoryUse use, int64_t bytes);
  const MemoryUses& now() const { return now_; }
  const MemoryUses& peak() const { return peak_; }

 private:
  MemoryUses now_, peak_;
};

struct StepSizes {
  ModelSizes model;
  ComputeSizes compute;
  std::vector<SaeSizes> saes;
  int64_t top_k = 0;  // features that a response's loss compares
};

// Rows whose logits are in memory together, of the vocabulary head (ops/vocab_head.h).
int64_t ChunkRows(const StepSizes& step);
// The most rows of a chunk: whole units for a loss, else as many as fit.
int64_t LargestChunk(const std::vector<int64_t>& unit_rows, int64_t chunk_rows);

// The fullest moment of forward and backward over a micro-batch, beside weights and optimiser:
// block by block what each operation keeps for backward and what it makes on the way.
// `has_gradients`: an earlier micro-batch of the step has left those of all weights.
MemoryUses TrainingPeak(const StepSizes& step, const BatchSizes& batch, bool has_gradients);
// The same of a forward pass without gradients: scoring and evaluation.
MemoryUses ScoringPeak(const StepSizes& step, const BatchSizes& batch);

}  // namespace fpo
