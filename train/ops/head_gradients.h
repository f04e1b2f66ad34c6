#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "train/cuda/cuda_ops.h"
#include "train/ops/fast_paths.h"
#include "train/ops/product.h"
#include "train/ops/vocab_chunk.h"
#include "train/ops/vocab_head.h"

// The rows of a chunk and what the head's gradients become, for vocab_head.cc.
namespace fpo::train {

// The rows of a chunk in tensors of all rows.
struct ChunkRows {
  const RowChunk& ranges;

  at::Tensor Of(const at::Tensor& all) const {
    if (ranges.size() == 1) return all.narrow(0, ranges[0].first, ranges[0].count);
    std::vector<at::Tensor> parts;
    for (const RowRange& range : ranges) parts.push_back(all.narrow(0, range.first, range.count));
    return at::cat(parts);
  }
  void Store(const at::Tensor& values, const at::Tensor& into) const {
    int64_t first = 0;
    for (const RowRange& range : ranges) {
      into.narrow(0, range.first, range.count).copy_(values.narrow(0, first, range.count));
      first += range.count;
    }
  }
};

// The gradients of one loss to hidden states and head, added up chunk by chunk.
struct HeadGradients {
  at::Tensor hidden, weight;  // in the wide type; undefined where nobody wants them
  bool has_weight = false;    // else `weight` is not set yet

  void Want(const at::Tensor& hidden_states, const at::Tensor& head, bool wants_hidden,
            bool wants_weight) {
    const auto wide = [](const at::Tensor& x) {
      return at::TensorOptions().dtype(WideType(x)).device(x.device());
    };
    if (wants_hidden) hidden = at::zeros(hidden_states.sizes(), wide(hidden_states));
    if (wants_weight) weight = at::empty(head.sizes(), wide(head));
    if (wants_weight && hidden_states.size(0) == 0) weight.zero_();
  }

  void Add(const ChunkRows& rows, const at::Tensor& gradient, const VocabChunk& chunk,
           const at::Tensor& head) {
    if (weight.defined()) AddToWeight(gradient, chunk.hidden());
    if (!hidden.defined()) return;
    if (CudaKernelsOf(gradient) != nullptr) return rows.Store(WideProduct(gradient, head), hidden);
    at::Tensor own;
    ForEachWidened(head, [&](int64_t column, const at::Tensor& block) {
      const at::Tensor columns = gradient.narrow(1, column, block.size(0));
      own.defined() ? AddMatrixProduct(own, columns, block)
                    : void(own = MatrixProduct(columns, block));
    });
    rows.Store(own, hidden);
  }

 private:
  void AddToWeight(const at::Tensor& gradient, const at::Tensor& rows) {
    if (CudaKernelsOf(gradient) != nullptr) {
      if (!has_weight) weight.zero_();
      AddWideProduct(weight, gradient.t(), rows);
    } else if (has_weight) {
      AddMatrixProduct(weight, gradient.t(), rows);
    } else {
      StoreMatrixProduct(weight, gradient.t(), rows);
    }
    has_weight = true;
  }
};

}  // namespace fpo::train
