#include "train/model/gemma.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/model/backward_watch.h"
#include "train/model/block.h"
#include "train/model/embedding.h"
#include "train/model/weights.h"
#include "train/ops/rms_norm.h"

namespace fpo::train {
namespace {

constexpr double kInitialStd = 0.02;

// Rotary tables of the two kinds of layers.
struct RopeTables {
  RopeTable global;
  RopeTable sliding;

  RopeTables(const GemmaConfig& config, int64_t seq, const at::Tensor& like)
      : global(MakeRopeTable(seq, config.head_dim, config.rope(false), like)),
        sliding(MakeRopeTable(seq, config.head_dim, config.rope(true), like)) {}

  // Of the positions of packed rows.
  void Select(const at::Tensor& positions) {
    for (RopeTable* table : {&global, &sliding}) {
      table->cos = table->cos.index_select(0, positions);
      table->sin = table->sin.index_select(0, positions);
    }
  }
};

void CheckTap(const GemmaConfig& config, const Tap& tap) {
  TORCH_CHECK(tap.layer >= 0 && tap.layer < config.layers, "tap at layer ", tap.layer,
              " of a model with ", config.layers, " layers");
}

void CheckTaps(const GemmaConfig& config, const ForwardOptions& options) {
  for (const Tap& tap : options.taps) CheckTap(config, tap);
  if (options.edit == nullptr) return;
  CheckTap(config, options.edit->tap);
  TORCH_CHECK(options.layout == nullptr && !at::GradMode::is_enabled(),
              "a site is edited in padded batches without gradients only");
}

int64_t LayersOf(const GemmaConfig& config, const ForwardOptions& options) {
  if (!options.sites_only) return config.layers;
  int64_t layers = 0;
  for (const Tap& tap : options.taps) layers = std::max(layers, tap.layer + 1);
  return layers;
}

// Backward passes the output of `layer`, -1: of the embedding, too, within its caller's work.
void FollowBackward(const at::Tensor& x, int64_t layer, int64_t layers) {
  if (!x.requires_grad()) return;
  BackwardWatch* const watch = CurrentBackwardWatch();
  x.register_hook([watch, layer, layers_behind = layers - layer - 1](const at::Tensor&) {
    if (layer >= 0) SetWorkDone(layers_behind);
    if (watch != nullptr) watch->OnBackward(layer);
  });
}

const SiteEdit* EditOf(const ForwardOptions& options, int64_t layer) {
  const bool here = options.edit != nullptr && options.edit->tap.layer == layer;
  return here ? options.edit : nullptr;
}

const at::Tensor& SiteOf(const BlockResult& block, Site site) {
  switch (site) {
    case Site::kMlpOut:
      return block.mlp_out;
    case Site::kAttnZ:
      return block.attn_z;
    case Site::kResidPost:
      break;
  }
  return block.output;
}

}  // namespace

Gemma::Gemma(const GemmaConfig& config, NamedTensors parameters)
    : config_(std::make_shared<const GemmaConfig>(config)), parameters_(std::move(parameters)) {
  for (const auto& [name, tensor] : parameters_) tensors_.push_back(tensor);
}

absl::StatusOr<Gemma> Gemma::Create(const GemmaConfig& config, TensorMap weights,
                                    Nf4Weights packed) {
  FPO_ASSIGN_OR_RETURN(NamedTensors ordered, OrderWeights(config, weights, packed));
  Gemma model(config, std::move(ordered));
  if (packed.empty()) return model;
  const auto buffer = std::make_shared<WeightBuffer>();
  for (const auto& [name, tensor] : model.parameters_) {
    const auto found = packed.find(name);
    model.packed_.push_back(found == packed.end() ? nullptr
                                                  : std::make_shared<const Nf4Matrix>(Nf4Matrix{
                                                        std::move(found->second), buffer}));
  }
  return model;
}

Gemma Gemma::Random(const GemmaConfig& config, uint64_t seed, at::ScalarType dtype) {
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  const auto shapes = TensorShapes(config);
  NamedTensors parameters;
  for (const std::string& name : WeightNames(config)) {
    // Norms that multiply by 1.
    at::Tensor weight = at::full(shapes.at(name), 1 - config.family().norm_offset, at::kFloat);
    if (weight.dim() > 1) weight.normal_(0, kInitialStd, generator);
    parameters.emplace_back(name, weight.to(dtype));
  }
  return Gemma(config, std::move(parameters));
}

at::ScalarType Gemma::dtype() const { return tensors_.front().scalar_type(); }
at::Device Gemma::device() const { return tensors_.front().device(); }

void Gemma::SetRequiresGrad(bool value) {
  for (const at::Tensor& tensor : tensors_) tensor.set_requires_grad(value);
}

void Gemma::Adapt(const LoraConfig& lora, NamedTensors adapter) {
  TORCH_CHECK(adapter.size() == LoraNames(*config_, lora).size(), "Gemma::Adapt: ", adapter.size(),
              " tensors");
  SetRequiresGrad(false);
  lora_ = std::make_shared<const LoraConfig>(lora);
  adapter_ = std::move(adapter);
  for (auto& [name, tensor] : adapter_) tensor = tensor.to(device()).set_requires_grad(true);
}

TensorMap Gemma::Merged() const {
  std::map<std::string, size_t> adapted;  // where A is
  for (size_t i = 0; lora_ != nullptr && i < adapter_.size(); i += 2) {
    adapted[LoraWeightOf(adapter_[i].first)] = i;
  }
  TensorMap merged(parameters_.begin(), parameters_.end());
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const auto& [name, stored] = parameters_[i];
    const auto place = adapted.find(name);
    const bool packed = !packed_.empty() && packed_[i] != nullptr;
    if (place == adapted.end() && !packed) continue;
    at::Tensor weight = packed ? DequantisedNf4(packed_[i]->tensor, at::kFloat) : stored;
    if (place != adapted.end()) {
      weight = MergedWeight({weight, adapter_[place->second].second,
                             adapter_[place->second + 1].second, lora_->scale()});
    }
    // A second copy of the model may not fit beside the first.
    merged[name] = weight.to(at::kCPU, dtype());
  }
  return merged;
}

const at::Tensor& Gemma::head() const {
  return config_->tied_head ? tensors_.front() : tensors_.back();
}

std::vector<at::Tensor> Gemma::WeightsOfBlock(int64_t layer, int64_t count) const {
  const at::TensorList own = at::TensorList(tensors_).slice(1 + layer * count, count);
  std::vector<at::Tensor> weights(own.begin(), own.end());
  if (lora_ == nullptr) return weights;
  const int64_t adapted = lora_->TensorsOfBlock();
  for (int64_t i = layer * adapted; i < (layer + 1) * adapted; ++i) {
    weights.push_back(adapter_[i].second);
  }
  return weights;
}

Nf4Matrices Gemma::PackedOfBlock(int64_t layer, int64_t count) const {
  if (packed_.empty()) return {};
  const auto first = packed_.begin() + 1 + layer * count;
  return {first, first + count};
}

ForwardResult Gemma::Forward(const at::Tensor& ids, const ForwardOptions& options) const {
  TORCH_CHECK(ids.dim() == 2 && ids.scalar_type() == at::kLong, "Gemma::Forward: ids are ",
              ids.scalar_type(), " ", ids.sizes(), ", expected Long [batch, seq]");
  CheckTaps(*config_, options);
  const at::Tensor& embedding = tensors_.front();
  const PackedLayout* const layout = options.layout.get();
  TORCH_CHECK(layout == nullptr || (ids.size(0) == 1 && ids.size(1) == layout->rows),
              "Gemma::Forward: ids ", ids.sizes(), " for a packed layout of ",
              layout == nullptr ? 0 : layout->rows, " rows");
  const bool keeps = layout != nullptr && options.kept_rows;
  RopeTables rope(*config_, layout == nullptr ? ids.size(1) : layout->longest, embedding);
  if (layout != nullptr) rope.Select(layout->positions.to(embedding.device()));
  const int64_t block_weights = static_cast<int64_t>(BlockWeightNames(*config_).size());

  const int64_t layers = LayersOf(*config_, options);
  Work work("forward", layers, "layers");
  ForwardResult result;
  result.sites.resize(options.taps.size());
  at::Tensor x = config_->family().scales_embedding ? ScaledEmbedding(embedding, ids)
                                                    : PlainEmbedding(embedding, ids);
  FollowBackward(x, -1, layers);
  for (int64_t layer = 0; layer < layers; ++layer) {
    const std::vector<at::Tensor> weights = WeightsOfBlock(layer, block_weights);
    const BlockContext context = {config_,
                                  layer,
                                  config_->sliding[layer] ? rope.sliding : rope.global,
                                  options.layout,
                                  keeps && layer == layers - 1,
                                  EditOf(options, layer),
                                  lora_,
                                  PackedOfBlock(layer, block_weights)};
    const bool recomputed = options.activation_checkpointing || layer < options.checkpointed_layers;
    const BlockResult block = recomputed && at::GradMode::is_enabled()
                                  ? RunBlockCheckpointed(x, weights, context)
                                  : RunBlock(x, weights, context);
    for (size_t i = 0; i < options.taps.size(); ++i) {
      if (options.taps[i].layer == layer) {
        const at::Tensor& site = SiteOf(block, options.taps[i].site);
        result.sites[i] = keeps && !context.kept_rows ? site.index_select(1, layout->kept) : site;
      }
    }
    x = block.output;
    work.Advance();
    FollowBackward(x, layer, layers);
  }
  if (x.requires_grad() && CurrentBackwardWatch() != nullptr) CurrentBackwardWatch()->OnForward();
  if (options.sites_only) return result;
  const at::Tensor& final_norm = tensors_[1 + config_->layers * block_weights];
  result.hidden = RmsNorm(x, final_norm, config_->norm());
  return result;
}

}  // namespace fpo::train
