#include "train/model/lora.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "train/ops/product.h"
#include "train/ops/wide_type.h"

namespace fpo::train {
namespace {

constexpr absl::string_view kModules[kLoraTargets] = {
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
    "mlp.gate_proj",    "mlp.up_proj",      "mlp.down_proj"};
constexpr absl::string_view kBefore = "base_model.model.";
constexpr absl::string_view kA = ".lora_A.weight", kB = ".lora_B.weight";

}  // namespace

int64_t LoraConfig::Place(LoraTarget target) const {
  if (!Has(target)) return -1;
  const auto end = adapted.begin() + static_cast<int64_t>(target);
  return 2 * std::count(adapted.begin(), end, true);
}

int64_t LoraConfig::TensorsOfBlock() const {
  return 2 * std::count(adapted.begin(), adapted.end(), true);
}

std::string LoraTargetName(LoraTarget target) {
  const absl::string_view module = kModules[static_cast<size_t>(target)];
  return std::string(module.substr(module.find('.') + 1));
}

absl::StatusOr<LoraConfig> MakeLoraConfig(int64_t rank, double alpha,
                                          const std::vector<std::string>& targets) {
  LoraConfig lora;
  lora.rank = rank;
  lora.alpha = alpha;
  for (const std::string& word : targets) {
    bool known = word == "all-linear";
    if (known) lora.adapted.fill(true);
    for (int64_t i = 0; i < kLoraTargets; ++i) {
      if (word != LoraTargetName(static_cast<LoraTarget>(i))) continue;
      lora.adapted[static_cast<size_t>(i)] = known = true;
    }
    if (!known) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", word,
                       "\" is no projection of these models; targets are all-linear, or of "
                       "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"));
    }
  }
  if (lora.TensorsOfBlock() == 0) return absl::InvalidArgumentError("no target is named");
  return lora;
}

std::string DescribeLora(const LoraConfig& lora) {
  std::string text = absl::StrCat("lora rank ", lora.rank, ", alpha ", lora.alpha, ",");
  for (int64_t i = 0; i < kLoraTargets; ++i) {
    const auto target = static_cast<LoraTarget>(i);
    if (lora.Has(target)) absl::StrAppend(&text, " ", LoraTargetName(target));
  }
  return text;
}

std::vector<std::string> LoraNames(const GemmaConfig& config, const LoraConfig& lora) {
  std::vector<std::string> names;
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    for (int64_t i = 0; i < kLoraTargets; ++i) {
      if (!lora.Has(static_cast<LoraTarget>(i))) continue;
      const std::string module = absl::StrCat(kBefore, "model.layers.", layer, ".", kModules[i]);
      names.push_back(absl::StrCat(module, kA));
      names.push_back(absl::StrCat(module, kB));
    }
  }
  return names;
}

std::string LoraWeightOf(const std::string& name) {
  absl::string_view module = name;
  absl::ConsumePrefix(&module, kBefore);
  if (!absl::ConsumeSuffix(&module, kA)) absl::ConsumeSuffix(&module, kB);
  return absl::StrCat(module, ".weight");
}

bool IsProjection(const std::string& weight) {
  absl::string_view module = weight;
  if (!absl::ConsumeSuffix(&module, ".weight")) return false;
  return std::any_of(std::begin(kModules), std::end(kModules),
                     [&](absl::string_view end) { return absl::EndsWith(module, end); });
}

bool IsLora(const std::string& name) { return absl::EndsWith(name, kA) || IsLoraB(name); }
bool IsLoraB(const std::string& name) { return absl::EndsWith(name, kB); }

NamedTensors NewLora(const GemmaConfig& config, const LoraConfig& lora, uint64_t seed) {
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  const auto shapes = TensorShapes(config);
  NamedTensors tensors;
  for (const std::string& name : LoraNames(config, lora)) {
    const std::vector<int64_t>& shape = shapes.at(LoraWeightOf(name));  // [out, in]
    at::Tensor tensor;
    if (IsLoraB(name)) {
      tensor = at::zeros({shape[0], lora.rank}, at::kFloat);
    } else {
      const double bound = 1 / std::sqrt(static_cast<double>(shape[1]));
      tensor = at::empty({lora.rank, shape[1]}, at::kFloat).uniform_(-bound, bound, generator);
    }
    tensors.emplace_back(name, tensor);
  }
  return tensors;
}

at::Tensor Project(const at::Tensor& x, const Projection& projection) {
  const at::Tensor dense =
      projection.packed == nullptr ? Linear(x, projection.weight) : Nf4Linear(x, projection.packed);
  if (!projection.a.defined()) return dense;
  const at::Tensor narrow = Linear(x.to(projection.a.scalar_type()), projection.a);
  const at::Tensor low = Linear(narrow, projection.b) * projection.scale;
  return (dense + low).to(dense.scalar_type());
}

at::Tensor MergedWeight(const Projection& projection) {
  const at::NoGradGuard no_grad;
  const at::Tensor& weight = projection.weight;
  if (!projection.a.defined()) return weight;
  const at::ScalarType wide = WideType(weight);
  // The product is rounded before it is added, as PEFT does it.
  const at::Tensor low = at::mm(projection.b.to(wide), projection.a.to(wide)) * projection.scale;
  return weight.to(wide).add(low).to(weight.scalar_type());
}

}  // namespace fpo::train
