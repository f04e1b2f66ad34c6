#include "train/model/weights.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/model/block.h"

namespace fpo::train {
namespace {

constexpr char kEmbedding[] = "model.embed_tokens.weight";
constexpr char kHead[] = "lm_head.weight";

std::string ShapeText(at::IntArrayRef shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

absl::Status Invalid(absl::string_view name, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat("model weights: tensor \"", name, "\" ", problem));
}

// Nested files put the text model under a prefix; older and newer files use different ones.
std::string CanonicalName(absl::string_view name) {
  if (absl::ConsumePrefix(&name, "model.language_model.")) return absl::StrCat("model.", name);
  absl::ConsumePrefix(&name, "language_model.");
  return std::string(name);
}

bool IsOfVisionTower(absl::string_view name) {
  absl::ConsumePrefix(&name, "model.");
  return absl::StartsWith(name, "vision_tower.") ||
         absl::StartsWith(name, "multi_modal_projector.");
}

absl::StatusOr<TensorMap> Canonical(const GemmaConfig& config, const TensorMap& weights) {
  TensorMap result;
  for (const auto& [name, tensor] : weights) {
    if (config.nested && IsOfVisionTower(name)) continue;
    if (!tensor.defined()) return Invalid(name, "is undefined");
    if (!result.emplace(CanonicalName(name), tensor).second) {
      return Invalid(name, absl::StrCat("is a second \"", CanonicalName(name), "\""));
    }
  }
  return result;
}

// Infinite or NaN when an element is. LibTorch makes a float64 copy of what it sums in float64.
double SumInPieces(const at::Tensor& tensor) {
  constexpr int64_t kPiece = int64_t{1} << 20;
  const at::Tensor flat = tensor.flatten();
  const at::Tensor sum = at::zeros({}, tensor.options().dtype(at::kDouble));
  for (int64_t first = 0; first < flat.size(0); first += kPiece) {
    sum.add_(flat.narrow(0, first, std::min(kPiece, flat.size(0) - first)).sum(at::kDouble));
  }
  return sum.item<double>();
}

absl::Status CheckTensor(const std::string& name, const at::Tensor& tensor,
                         const std::vector<int64_t>& shape, at::ScalarType dtype) {
  if (tensor.sizes() != at::IntArrayRef(shape)) {
    return Invalid(name, absl::StrCat("has shape ", ShapeText(tensor.sizes()),
                                      ", but config.json asks for ", ShapeText(shape)));
  }
  if (tensor.scalar_type() != dtype || !at::isFloatingType(dtype)) {
    return Invalid(name, absl::StrCat("is ", at::toString(tensor.scalar_type()),
                                      "; all tensors must have one floating dtype, here ",
                                      at::toString(dtype)));
  }
  if (!std::isfinite(SumInPieces(tensor))) {
    const int64_t bad = at::isfinite(tensor).logical_not().sum().item<int64_t>();
    if (bad > 0) return Invalid(name, absl::StrCat("has ", bad, " values that are not finite"));
  }
  return absl::OkStatus();
}

// Some exporters write the tied head a second time.
absl::Status DropTiedHead(const GemmaConfig& config, TensorMap* weights) {
  const auto head = weights->find(kHead);
  if (!config.tied_head || head == weights->end()) return absl::OkStatus();
  const auto embedding = weights->find(kEmbedding);
  if (embedding != weights->end() && !at::equal(head->second, embedding->second)) {
    return Invalid(kHead, absl::StrCat("differs from \"", kEmbedding,
                                       "\" although config.json ties them (tie_word_embeddings)"));
  }
  weights->erase(head);
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> WeightNames(const GemmaConfig& config) {
  std::vector<std::string> names = {kEmbedding};
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    for (const std::string& name : BlockWeightNames(config)) {
      names.push_back(absl::StrCat("model.layers.", layer, ".", name));
    }
  }
  names.emplace_back("model.norm.weight");
  if (!config.tied_head) names.emplace_back(kHead);
  return names;
}

absl::StatusOr<NamedTensors> OrderWeights(const GemmaConfig& config, const TensorMap& weights,
                                          const Nf4Weights& packed) {
  FPO_ASSIGN_OR_RETURN(TensorMap canonical, Canonical(config, weights));
  FPO_RETURN_IF_ERROR(DropTiedHead(config, &canonical));
  const auto shapes = TensorShapes(config);
  for (const auto& [name, tensor] : canonical) {
    if (shapes.count(name) == 0) {
      return Invalid(name, "is not part of the model that config.json describes");
    }
  }
  NamedTensors ordered;
  Work work("checking the weights", static_cast<int64_t>(shapes.size()), "tensors");
  for (const std::string& name : WeightNames(config)) {
    if (const auto codes = packed.find(name); codes != packed.end()) {
      if (codes->second.sizes != shapes.at(name))
        return Invalid(name, "is packed in another shape");
      ordered.emplace_back(name, codes->second.codes);
      continue;
    }
    const auto found = canonical.find(name);
    if (found == canonical.end()) return Invalid(name, "is missing");
    const auto dtype =
        ordered.empty() ? found->second.scalar_type() : ordered.front().second.scalar_type();
    FPO_RETURN_IF_ERROR(CheckTensor(name, found->second, shapes.at(name), dtype));
    ordered.emplace_back(name, found->second.detach().contiguous());
    work.Advance();
  }
  return ordered;
}

}  // namespace fpo::train
