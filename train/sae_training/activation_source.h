#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "train/model/gemma.h"
#include "train/reference/sequence_batch.h"

namespace fpo::train {

// An endless shuffled stream of a model's activations at one site: forward passes fill a buffer,
// rows are returned in random order, and the buffer is refilled when half of it is used. When the
// caller wants every row at least once and all of them fit into memory, each sequence is run only
// once and its rows are kept. Skips the first token of a sequence (BOS): SAEs are not trained on
// it. Not thread-safe.
//
// The same seed gives the same rows in the same order, whether batches are packed or padded
// (PacksBatches): the values then differ by rounding only. A packed batch computes a prompt once
// and returns its rows once for each response to it, as the padded one does.
class ActivationSource {
 public:
  struct Options {
    Tap tap;
    int64_t buffer_rows = 65536;
    int64_t rows_wanted = 0;                        // how many rows will be asked for in all
    int64_t memory_bytes_max = int64_t{512} << 20;  // of kept rows
    int64_t tokens_per_batch = 4096;                // packed or padded
    uint64_t seed = 42;
  };
  // `sequences` are whole token sequences (prompt and response are read together), the two of a
  // pair one after the other. At least one must be longer than one token.
  ActivationSource(const Gemma& model, const std::vector<Sequence>& sequences, Options options);

  // The next `count` rows, [count, width] float32. `count` may be at most half the buffer; when
  // fewer rows are kept, they repeat.
  absl::StatusOr<at::Tensor> Next(int64_t count);
  int64_t width() const { return SiteWidth(model_.config(), options_.tap.site); }
  int64_t rows_read() const { return rows_read_; }              // by forwards, over all passes
  int64_t tokens_computed() const { return tokens_computed_; }  // the same, with all padding

 private:
  absl::Status Refill();
  void BeginPass();
  void ReadGroups(int64_t rows, std::vector<at::Tensor>* parts);
  std::vector<at::Tensor> ReadGroup(const std::vector<Sequence>& group);
  std::vector<at::Tensor> Forward(const std::vector<Sequence>& batch, bool packed);
  void Shuffle(const at::Tensor& rows);
  const Gemma& model_;
  Options options_;
  std::vector<std::vector<Sequence>> units_;  // pairs with one prompt, and sequences alone
  int64_t rows_in_all_ = 0;
  bool keeps_all_ = false;
  std::vector<std::vector<Sequence>> groups_;  // of this pass
  size_t next_group_ = 0;
  uint64_t passes_ = 0;
  int64_t rows_read_ = 0;
  int64_t tokens_computed_ = 0;
  at::Tensor all_;     // [rows_in_all, width] once kept
  at::Tensor buffer_;  // [rows, width], shuffled
  int64_t next_row_ = 0;
  at::Generator generator_;
};

}  // namespace fpo::train
