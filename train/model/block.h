#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "train/model/gemma_config.h"
#include "train/ops/rope.h"

namespace fpo::train {

// What a block needs besides its input and weights; the same in forward and in a recomputation.
struct BlockContext {
  std::shared_ptr<const GemmaConfig> config;  // the model's own: a graph may outlive the model
  int64_t layer = 0;
  RopeTable rope;  // of the layer's kind
};

// The block's output and its two inner SAE sites (site.h), [batch, seq, width].
struct BlockResult {
  at::Tensor output;
  at::Tensor mlp_out;
  at::Tensor attn_z;
};

// Names of a block's weights below "model.layers.N.", in the order in which RunBlock takes them.
std::vector<std::string> BlockWeightNames(const GemmaConfig& config);

// One transformer block. x: [batch, seq, hidden].
BlockResult RunBlock(const at::Tensor& x, at::TensorList weights, const BlockContext& context);

// The same values and gradients, but only x is kept for backward, which computes the block again.
BlockResult RunBlockCheckpointed(const at::Tensor& x, at::TensorList weights,
                                 const BlockContext& context);

}  // namespace fpo::train
