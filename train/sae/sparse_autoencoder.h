#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"

namespace fpo::train {

// An SAE's arrays as the published files name them. Any floating dtype; kept in float32.
struct SaeTensors {
  at::Tensor w_enc;      // [width, features]
  at::Tensor b_enc;      // [features]
  at::Tensor threshold;  // [features]; zeros for a plain ReLU SAE
  at::Tensor w_dec;      // [features, width]; may be undefined: only Decode and Health need it
  at::Tensor b_dec;      // [width]; may be undefined without w_dec, unless apply_b_dec_to_input
  bool apply_b_dec_to_input = false;
  int64_t top_k = 0;  // TopK: only the k largest codes of a row are kept; 0: all
};

// Responses and their rows of activations.
struct ResponseRows {
  at::Tensor rows;  // [n, width], any floating dtype: the hidden state at each response token's own
                    // position
  at::Tensor response_of_row;  // [n] int64 in 0 .. responses-1, any order
  int64_t responses = 0;
  // Rows of each response, if the caller knows them and the rows are in the order of the responses;
  // else empty. Without them a gradient to the rows waits for the device.
  std::vector<int64_t> sizes = {};
};

// A frozen JumpReLU SAE: c = max(pre, 0) * 1[pre > threshold], pre = x . W_enc + b_enc, in float32
// (float64 when made from float64). With top_k, c is 0 outside of the k largest pre of the row; the
// choice is a constant for the gradient. Immutable; copies share the arrays; thread-safe.
class SparseAutoencoder {
 public:
  // InvalidArgument names the array that is missing, of a wrong shape, or not finite.
  static absl::StatusOr<SparseAutoencoder> Create(const SaeTensors& tensors);

  // The ablation without an SAE: the code is the activation itself, so features() is `width` and
  // pooled features are mean activations, of any sign. Its rows must be float32 or narrower.
  static SparseAutoencoder Identity(int64_t width);

  bool is_identity() const { return !encoder_.defined(); }
  int64_t width() const { return is_identity() ? identity_width_ : encoder_.size(1); }
  int64_t features() const { return is_identity() ? identity_width_ : encoder_.size(0); }
  bool has_decoder() const { return decoder_.defined(); }
  int64_t top_k() const { return top_k_; }  // 0: no TopK
  SparseAutoencoder To(at::Device device) const;
  SparseAutoencoder WithoutDecoder() const;  // training reads none

  // Codes of a block of rows and features, [rows, columns], from `row` and `column` on.
  struct Block {
    int64_t row, column;
    at::Tensor codes;
  };
  // Elements of a block at most: however many features there are, nothing of size [n, features] is
  // in memory at a time.
  static constexpr int64_t kBlockElements = int64_t{1} << 20;
  // Codes of rows [n, width], block by block; all columns of some rows, then the next rows. No
  // gradient.
  void ForEachBlock(const at::Tensor& rows, const std::function<void(const Block&)>& fn) const;
  // The same, rows . W_enc instead of codes; not of the identity.
  void ForEachProduct(const at::Tensor& rows, const std::function<void(const Block&)>& fn) const;
  // [n, width] -> [n, features]. No gradient.
  at::Tensor Encode(const at::Tensor& rows) const;
  // The same for a few features, columns [k] int64 -> [n, k]. No gradient.
  at::Tensor EncodeColumns(const at::Tensor& rows, const at::Tensor& columns) const;
  // Decode(Encode(rows)), [n, width], without anything of size [n, features]. No gradient; throws
  // without a decoder.
  at::Tensor Reconstruct(const at::Tensor& rows) const;
  // The columns that a TopK chose in each row, [n, k] int64; undefined without TopK.
  at::Tensor TopColumns(const at::Tensor& rows) const;
  // Codes [n, columns] of the features from `column` on -> their part of the reconstruction,
  // [n, width]; that of column 0 has the decoder's bias. No gradient; throws without a decoder.
  at::Tensor Decode(const at::Tensor& codes, int64_t column = 0) const;

  // Mean code over each response's rows, [responses, features]. Works on blocks; differentiable in
  // `rows`: backward touches only the columns whose gradient is not zero. A response without rows
  // is 0.
  at::Tensor PooledFeatures(const ResponseRows& input) const;

  // The same for given columns only, columns [responses, k] int64 -> [responses, k], which need not
  // differ. Differentiable in `rows`. `known`: their values, if PooledFeatures has computed them.
  at::Tensor PooledColumns(const ResponseRows& input, const at::Tensor& columns,
                           const at::Tensor& known = {}) const;

  // Rows of `encoder` are columns of W_enc.
  struct Arrays {
    at::Tensor encoder, bias, threshold;

    at::Tensor Codes(const at::Tensor& rows) const;  // without TopK
    Arrays Narrow(int64_t first, int64_t count) const;
    Arrays Select(const at::Tensor& columns) const;
  };

 private:
  SparseAutoencoder() = default;

  struct TopCodes {
    at::Tensor values, columns;  // [n, k]
  };
  TopCodes TopOf(const at::Tensor& rows) const;  // of a block's rows
  int64_t RowsOfBlock() const;
  int64_t ColumnsOfBlock() const;
  Arrays arrays() const { return {encoder_, bias_, threshold_}; }

  int64_t identity_width_ = 0;
  int64_t top_k_ = 0;
  at::Tensor encoder_;  // [features, width]: a column of W_enc is contiguous; undefined: identity
  at::Tensor bias_;  // [features], with -b_dec . W_enc folded in when b_dec is applied to the input
  at::Tensor threshold_;  // [features]
  at::Tensor decoder_;    // [features, width] or undefined
  at::Tensor decoder_bias_;
};

}  // namespace fpo::train
