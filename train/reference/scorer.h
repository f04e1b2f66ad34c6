#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/reference/record.h"
#include "train/loop/micro_batch_size.h"
#include "train/loop/model_loader.h"
#include "train/model/gemma.h"
#include "train/reference/sequence_batch.h"

namespace fpo::train {

// Called after each batch; returning false stops scoring (Cancelled).
using KeepScoring = std::function<bool()>;

// Computes reference records: one forward pass without gradients per batch of responses, packed or
// of similar length. Batching changes a record by float32 rounding only. Not thread-safe.
class Scorer {
 public:
  struct Options {
    std::vector<LoadedSae> saes;      // empty: margin-only records
    int64_t top_features = 0;         // keep the M largest of each list; 0: all non-zeros
    int64_t tokens_per_batch = 4096;  // packed or padded
    bool halve = false;  // a batch that does not fit into memory is cut, see MicroBatchSize
    std::function<void(const std::string&)> warn = {};
  };
  Scorer(Gemma model, Options options);

  // Records in the order of `sequences`.
  absl::StatusOr<std::vector<Record>> Score(const std::vector<Sequence>& sequences,
                                            const KeepScoring& keep) const;

 private:
  absl::Status ScoreBatch(const std::vector<Sequence>& sequences, std::vector<Record>* out) const;
  std::vector<std::vector<int64_t>> Batches(const std::vector<Sequence>& sequences,
                                            int64_t tokens) const;
  absl::StatusOr<std::vector<Record>> ScoreGroup(const std::vector<Sequence>& sequences) const;
  Gemma model_;
  Options options_;
  mutable MicroBatchSize size_;
};

// Sorted (index, value) of one pooled vector [features], zeros left out; with `top` above 0 only
// the largest `top` values.
std::vector<std::pair<uint32_t, float>> SparseFeatures(const at::Tensor& pooled, int64_t top);

}  // namespace fpo::train
