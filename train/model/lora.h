#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "train/model/gemma_config.h"
#include "train/nf4/nf4_matrix.h"
#include "train/ops/named_tensors.h"

namespace fpo::train {

// Low-rank adapters (Hu et al., arXiv 2106.09685): an adapted projection computes
// W x + scale B A x with A [rank, in], B [out, rank]; W is frozen. Names and arithmetic are PEFT's.
enum class LoraTarget { kQ, kK, kV, kO, kGate, kUp, kDown };
constexpr int64_t kLoraTargets = 7;

struct LoraConfig {
  int64_t rank = 16;
  double alpha = 32;
  std::array<bool, kLoraTargets> adapted{};  // by LoraTarget, in every block

  double scale() const { return alpha / static_cast<double>(rank); }
  bool Has(LoraTarget target) const { return adapted[static_cast<size_t>(target)]; }
  // Where A of a target is in the adapter tensors of a block; B follows. -1: not adapted.
  int64_t Place(LoraTarget target) const;
  int64_t TensorsOfBlock() const;
};

// "q_proj": the last part of PEFT's target_modules and of a module's name.
std::string LoraTargetName(LoraTarget target);
// From words as in `adapter.targets`: names, or all-linear. InvalidArgument for others and for
// none.
absl::StatusOr<LoraConfig> MakeLoraConfig(int64_t rank, double alpha,
                                          const std::vector<std::string>& targets);
// For people, and to compare a checkpoint with its run: "lora rank 16, alpha 32, q_proj v_proj".
std::string DescribeLora(const LoraConfig& lora);

// Names of an adapter's tensors, block by block, each A before its B:
// "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", ...
std::vector<std::string> LoraNames(const GemmaConfig& config, const LoraConfig& lora);
// The weight that LoraNames()[i] adapts, by its canonical name.
std::string LoraWeightOf(const std::string& name);
bool IsLora(const std::string& name);  // A or B
// Whether the weight of this canonical name can be adapted.
bool IsProjection(const std::string& weight);
bool IsLoraB(const std::string& name);

// As PEFT starts: A uniform in +-1/sqrt(in), B zero, so that nothing has changed yet. float32, as
// PEFT keeps adapters of bfloat16 models. The same seed gives the same values on every device.
NamedTensors NewLora(const GemmaConfig& config, const LoraConfig& lora, uint64_t seed);

// A weight and, if it is adapted, its A and B.
struct Projection {
  Projection(at::Tensor dense) : weight(std::move(dense)) {}  // NOLINT: most are not adapted
  Projection(at::Tensor dense, at::Tensor low_a, at::Tensor low_b, double factor)
      : weight(std::move(dense)), a(std::move(low_a)), b(std::move(low_b)), scale(factor) {}

  at::Tensor weight;                        // [out, in]
  std::shared_ptr<const Nf4Matrix> packed;  // not null: the weight is this
  at::Tensor a;                             // [rank, in]; undefined: not adapted
  at::Tensor b;                             // [out, rank]
  double scale = 0;
};

// [..., in] -> [..., out] in the dtype of x; the low-rank part is computed in that of A and B.
at::Tensor Project(const at::Tensor& x, const Projection& projection);

// W + scale B A in float32 (float64 of float64), rounded once to the dtype of W, which is dense.
at::Tensor MergedWeight(const Projection& projection);

}  // namespace fpo::train
