#include "train/decode/decoder.h"

#include <ATen/ATen.h>

#include "train/decode/cpu_decoder.h"
#include "train/decode/tensor_decoder.h"

namespace fpo::train {

std::unique_ptr<Decoder> Decoder::Create(const Gemma& model, const Options& options) {
  const bool kernels = model.device().is_cpu() && !options.use_tensors &&
                       (model.dtype() == at::kFloat || model.dtype() == at::kBFloat16);
  if (kernels) return std::make_unique<CpuDecoder>(model, options);
  return std::make_unique<TensorDecoder>(model);
}

at::Tensor Decoder::Step(absl::Span<const StepInput> inputs) {
  for (const StepInput& input : inputs) {
    const CachedSequence& sequence = *input.sequence;
    const auto count = static_cast<int64_t>(input.ids.size());
    TORCH_CHECK(count > 0 && count <= sequence.size().step_tokens, "Decoder::Step: ", count,
                " ids for a sequence that takes ", sequence.size().step_tokens, " a step");
    TORCH_CHECK(sequence.length() + count <= sequence.size().positions, "Decoder::Step: ", count,
                " ids behind ", sequence.length(), ", and there is room for ",
                sequence.size().positions);
    for (const int32_t id : input.ids) {
      TORCH_CHECK(id >= 0 && id < config_.vocab_size, "Decoder::Step: id ", id,
                  " is outside the vocabulary of ", config_.vocab_size);
    }
  }
  const at::NoGradGuard no_grad;
  const at::Tensor logits = Run(inputs);
  for (const StepInput& input : inputs) {
    input.sequence->Append(input.ids.data(), static_cast<int64_t>(input.ids.size()));
  }
  return logits;
}

CachedSequence Decoder::NewSequence(CachedSequence::Size size) const {
  return {config_, size, cache_};
}

int64_t Decoder::SequenceBytes(CachedSequence::Size size) const {
  return CachedSequence::Bytes(config_, size, static_cast<int64_t>(cache_.dtype().itemsize()));
}

}  // namespace fpo::train
