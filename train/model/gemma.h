#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "train/model/gemma_config.h"
#include "train/model/lora.h"
#include "train/model/site.h"
#include "train/ops/named_tensors.h"
#include "train/ops/packed_layout.h"

namespace fpo::train {

struct ForwardOptions {
  std::vector<Tap> taps;
  // Of ids [1, layout->rows]: which rows see each other. Null: each row of ids is a sequence.
  std::shared_ptr<const PackedLayout> layout = nullptr;
  // With a layout: results for its kept rows alone, which saves the last block's work on prompts.
  bool kept_rows = false;
  const SiteEdit* edit = nullptr;  // without gradients and layout; taps see what it makes
  // Ends with the last tap's layer: there is no hidden.
  bool sites_only = false;
  // Keep only block inputs, recompute each block in backward: of all, or of the first ones, whose
  // activations would be kept longest.
  bool activation_checkpointing = false;
  int64_t checkpointed_layers = 0;
};

struct ForwardResult {
  at::Tensor hidden;              // [batch, seq, hidden_size] after the final norm
  std::vector<at::Tensor> sites;  // one per tap, [batch, seq, SiteWidth], raw
  // With ForwardOptions::kept_rows [1, kept_rows, ...] both.
};

// A Gemma, Llama or Qwen text model (model_family.h) on plain tensors. Weights are float32,
// bfloat16 or float64 (tests), all of one dtype and device. Copies share the weights. Forward is
// const; concurrent forwards without gradients are safe.
class Gemma {
 public:
  // Takes weights by Hugging Face name, with or without the prefixes "language_model." and
  // "model.language_model." of nested models. InvalidArgument names the tensor that is missing,
  // unexpected, of a wrong shape or dtype, or not finite. An "lm_head.weight" next to a tied
  // embedding must equal it. Projections in `packed`, by canonical name, are frozen: they are made
  // dense for each product.
  static absl::StatusOr<Gemma> Create(const GemmaConfig& config, TensorMap weights,
                                      Nf4Weights packed = {});

  // Fresh weights as Hugging Face initialises them: normal(0, 0.02), norms by 1. The same seed
  // gives the same weights.
  static Gemma Random(const GemmaConfig& config, uint64_t seed, at::ScalarType dtype);

  const GemmaConfig& config() const { return *config_; }
  at::ScalarType dtype() const;
  at::Device device() const;

  // Every weight once, in a fixed order, under its canonical name ("model.embed_tokens.weight"
  // first); without those of an adapter. Of packed ones it has the codes.
  const NamedTensors& Parameters() const { return parameters_; }
  bool IsPacked() const { return !packed_.empty(); }
  // Adds an adapter to this object, not to its copies: tensors in the order of LoraNames, on the
  // model's device. Turns gradients off for the weights and on for the adapter.
  void Adapt(const LoraConfig& lora, NamedTensors adapter);
  const LoraConfig* lora() const { return lora_.get(); }  // null: no adapter
  // What training changes: the adapter's tensors if there is one, else Parameters.
  const NamedTensors& Trained() const { return lora_ == nullptr ? parameters_ : adapter_; }
  // The weights with the adapter added to them (MergedWeight), which are in host memory then, by
  // canonical name. Packed ones are made dense in float32, and rounded once.
  TensorMap Merged() const;
  // Turns gradients on or off for all weights. Create and Random leave them off.
  void SetRequiresGrad(bool value);

  // ids: [batch, seq] int64, each row starting at position 0, padded on the right (any id; padding
  // cannot reach earlier positions), or packed (ForwardOptions::layout). Throws c10::Error on ids
  // outside the vocabulary or taps outside the model.
  ForwardResult Forward(const at::Tensor& ids, const ForwardOptions& options) const;

  // The output embedding, [vocab_size, hidden_size]: the tied input embedding or lm_head.
  const at::Tensor& head() const;

 private:
  Gemma(const GemmaConfig& config, NamedTensors parameters);
  // The `count` weights of a block, then those of the adapter.
  std::vector<at::Tensor> WeightsOfBlock(int64_t layer, int64_t count) const;
  Nf4Matrices PackedOfBlock(int64_t layer, int64_t count) const;

  std::shared_ptr<const GemmaConfig> config_;
  NamedTensors parameters_;
  std::vector<at::Tensor> tensors_;  // of parameters_, in order
  Nf4Matrices packed_;               // the same, null for dense ones; empty: all are
  std::shared_ptr<const LoraConfig> lora_;
  NamedTensors adapter_;
};

}  // namespace fpo::train
