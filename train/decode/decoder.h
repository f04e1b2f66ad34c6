#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "train/decode/cached_sequence.h"
#include "train/model/gemma.h"

namespace fpo::train {

// Ids to append to a sequence.
struct StepInput {
  CachedSequence* sequence = nullptr;
  absl::Span<const int32_t> ids;  // at least one; at most step_tokens of the sequence
  bool wants_logits = false;      // of the token behind the last id
};

// A model that reads sequences token by token, without gradients. Not thread-safe.
class Decoder {
 public:
  struct Options {
    at::ScalarType dtype = at::kFloat;  // the job's: the embedding's scale is rounded to it
    bool use_tensors = false;           // LibTorch's operators on a CPU too: for tests
  };
  // On a CPU with kernels of its own (cpu_kernels.h), in float32 whatever the weights are stored
  // in: what a sequence gets does not depend on the other inputs of a step, to the last bit.
  // Elsewhere with LibTorch's operators, whose rounding may depend on the number of rows. Shares
  // the model's weights.
  static std::unique_ptr<Decoder> Create(const Gemma& model, const Options& options);
  virtual ~Decoder() = default;

  // Appends to every sequence, each of which occurs once. Returns the logits, softcapped, of those
  // inputs that want them, in order: [wanted, vocab_size], float32. Throws c10::Error on ids
  // outside the vocabulary and when a sequence has no room.
  at::Tensor Step(absl::Span<const StepInput> inputs);

  CachedSequence NewSequence(CachedSequence::Size size) const;
  // What NewSequence would reserve.
  int64_t SequenceBytes(CachedSequence::Size size) const;
  const GemmaConfig& config() const { return config_; }

 protected:
  Decoder(const GemmaConfig& config, at::TensorOptions cache) : config_(config), cache_(cache) {}
  virtual at::Tensor Run(absl::Span<const StepInput> inputs) = 0;

 private:
  const GemmaConfig config_;
  const at::TensorOptions cache_;
};

}  // namespace fpo::train
