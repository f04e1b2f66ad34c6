#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "train/decode/cpu_kernels.h"
#include "train/decode/decoder.h"
#include "train/ops/rope.h"

namespace fpo::train {

// The decoder on a CPU: float32, by cpu_kernels.h and the kernels of training.
class CpuDecoder final : public Decoder {
 public:
  CpuDecoder(const Gemma& model, const Options& options);

 private:
  struct Layer {
    // float32; those behind attention and MLP are undefined without norms_outputs
    at::Tensor norm_in, norm_post_attention, norm_pre_mlp, norm_post_mlp;
    at::Tensor q, k, v, o, gate, up, down;  // as stored
    at::Tensor q_norm, k_norm;              // float32; undefined without QK-norm
    bool sliding = false;
  };
  // One token of a step.
  struct Token {
    CachedSequence* sequence;
    int32_t id;
    int64_t position;
  };
  // The activations of a step, one row a token.
  struct Rows;

  at::Tensor Run(absl::Span<const StepInput> inputs) override;
  void Embed(const std::vector<Token>& tokens, at::Tensor* x) const;
  void Project(int64_t index, const std::vector<Token>& tokens, Rows* rows) const;
  void StoreKeys(int64_t index, const Token& token, const float* k, const float* v) const;
  AttendTask TaskOf(int64_t index, const Token& token, int64_t head) const;
  void Attention(int64_t index, const std::vector<Token>& tokens, Rows* rows) const;
  void Mlp(const Layer& layer, Rows* rows) const;
  at::Tensor Logits(const at::Tensor& x, const std::vector<int64_t>& wanted) const;
  void PrepareAngles(int64_t positions);
  const RopeTable& AnglesOf(const Layer& layer) const { return layer.sliding ? local_ : global_; }

  const Gemma model_;
  float scale_;  // of the embedding
  std::vector<Layer> layers_;
  at::Tensor final_norm_;
  RopeTable global_, local_;  // of the positions reached so far
};

}  // namespace fpo::train
