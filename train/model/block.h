#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "train/model/gemma_config.h"
#include "train/model/lora.h"
#include "train/model/site.h"
#include "train/ops/packed_layout.h"
#include "train/ops/rope.h"

namespace fpo::train {

// A block's inputs besides x and weights; the same in forward and in a recomputation.
struct BlockContext {
  std::shared_ptr<const GemmaConfig> config;  // shared with the model: a graph may outlive it
  int64_t layer = 0;
  RopeTable rope;  // of the layer's kind; a row for each position, or for each packed row
  std::shared_ptr<const PackedLayout> layout = nullptr;  // null: x's rows are sequences
  bool kept_rows = false;          // results are of the layout's kept rows alone: the last block's
  const SiteEdit* edit = nullptr;  // of this layer; not with gradients
  std::shared_ptr<const LoraConfig> lora = nullptr;  // null: no adapter
  Nf4Matrices packed = {};  // by place in the weights, whose tensors are its codes; null: is dense
};

// The block's output and its two inner SAE sites (site.h), [batch, seq, width].
struct BlockResult {
  at::Tensor output;
  at::Tensor mlp_out;
  at::Tensor attn_z;
};

// Names of a block's weights below "model.layers.N.", in the order that RunBlock expects.
std::vector<std::string> BlockWeightNames(const GemmaConfig& config);

// One transformer block. x: [batch, seq, hidden]. `weights`: those of BlockWeightNames, then those
// of the adapter (LoraNames), if there is one.
BlockResult RunBlock(const at::Tensor& x, at::TensorList weights, const BlockContext& context);

// Same values and gradients, but keeps only x for backward, which recomputes the block.
BlockResult RunBlockCheckpointed(const at::Tensor& x, at::TensorList weights,
                                 const BlockContext& context);

}  // namespace fpo::train
