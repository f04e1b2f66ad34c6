#include "train/decode/tensor_decoder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "train/model/embedding.h"
#include "train/model/mlp.h"
#include "train/ops/rms_norm.h"
#include "train/ops/wide_type.h"

namespace fpo::train {
namespace {

// Slots of the positions [first, last].
at::Tensor SlotsOf(int64_t first, int64_t last, int64_t slots, at::Device device) {
  return at::arange(first, last + 1, at::TensorOptions().dtype(at::kLong).device(device))
      .remainder_(slots);
}

}  // namespace

TensorDecoder::TensorDecoder(const Gemma& model)
    : Decoder(model.config(), at::TensorOptions(model.dtype()).device(model.device())),
      model_(model) {
  TORCH_CHECK(model.lora() == nullptr && !model.IsPacked(),
              "a decoder takes merged weights, not an adapter");
  for (const auto& [name, tensor] : model.Parameters()) weights_[name] = tensor;
}

const at::Tensor& TensorDecoder::Weight(int64_t index, const std::string& name) const {
  return weights_.at(absl::StrCat("model.layers.", index, ".", name, ".weight"));
}

at::Tensor TensorDecoder::Norm(const at::Tensor& x, const std::string& name) const {
  return RmsNorm(x, weights_.at(name), config().norm());
}

void TensorDecoder::PrepareAngles(const at::Tensor& positions) {
  const at::Tensor& like = model_.head();
  const int64_t count = positions.max().item<int64_t>() + 1;
  const auto table = [&](bool slides) {
    const RopeTable all = MakeRopeTable(count, config().head_dim, config().rope(slides), like);
    return RopeTable{all.cos.index_select(0, positions), all.sin.index_select(0, positions)};
  };
  global_ = table(false);
  local_ = table(true);
}

// q: [1, tokens, heads, head_dim], of all inputs. Returns [count, heads * head_dim].
at::Tensor TensorDecoder::Attend(int64_t index, const at::Tensor& q, const Place& place) const {
  const GemmaConfig& c = config();
  const bool sliding = c.sliding[static_cast<size_t>(index)];
  const LayerCache& cache = place.sequence->layer(index);
  const at::ScalarType wide = WideType(q);
  const int64_t last = place.position + place.count - 1, group = c.heads / c.kv_heads;
  const int64_t first = sliding ? std::max<int64_t>(place.position - c.sliding_window + 1, 0) : 0;
  const at::Tensor slots = SlotsOf(first, last, cache.slots, q.device());
  const at::Tensor keys = cache.keys.index_select(1, slots).to(wide);
  const at::Tensor values = cache.values.index_select(1, slots).to(wide);
  const at::Tensor queries = q.select(0, 0)
                                 .narrow(0, place.first, place.count)
                                 .to(wide)
                                 .reshape({place.count, c.kv_heads, group, c.head_dim})
                                 .permute({1, 2, 0, 3})
                                 .reshape({c.kv_heads, group * place.count, c.head_dim});
  at::Tensor scores = at::bmm(queries, keys.transpose(1, 2));
  scores.mul_(1 / std::sqrt(c.query_pre_attn_scalar));
  if (c.attention_softcap) {
    scores.div_(*c.attention_softcap).tanh_().mul_(*c.attention_softcap);
  }
  const auto integers = at::TensorOptions().dtype(at::kLong).device(q.device());
  const at::Tensor distance = at::arange(place.position, last + 1, integers).unsqueeze(1) -
                              at::arange(first, last + 1, integers).unsqueeze(0);
  at::Tensor hidden = distance.lt(0);
  if (sliding) hidden.logical_or_(distance.ge(c.sliding_window));
  scores.view({c.kv_heads, group, place.count, last - first + 1})
      .masked_fill_(hidden, -std::numeric_limits<double>::infinity());
  return at::bmm(at::softmax(scores, -1), values)
      .view({c.kv_heads, group, place.count, c.head_dim})
      .permute({2, 0, 1, 3})
      .reshape({place.count, c.heads * c.head_dim})
      .to(q.scalar_type());
}

// x: [tokens, hidden].
at::Tensor TensorDecoder::Attention(int64_t index, const at::Tensor& x,
                                    const std::vector<Place>& places) const {
  const GemmaConfig& c = config();
  const auto project = [&](const char* name, int64_t heads) {
    return at::linear(x, Weight(index, name)).view({1, x.size(0), heads, c.head_dim});
  };
  at::Tensor q = project("self_attn.q_proj", c.heads);
  at::Tensor k = project("self_attn.k_proj", c.kv_heads);
  const at::Tensor v = project("self_attn.v_proj", c.kv_heads);
  if (c.qk_norm()) {
    q = RmsNorm(q, Weight(index, "self_attn.q_norm"), c.norm());
    k = RmsNorm(k, Weight(index, "self_attn.k_norm"), c.norm());
  }
  const RopeTable& angles = c.sliding[static_cast<size_t>(index)] ? local_ : global_;
  q = ApplyRope(q, angles);
  k = ApplyRope(k, angles);
  std::vector<at::Tensor> parts;
  for (const Place& place : places) {
    LayerCache& cache = place.sequence->layer(index);
    const at::Tensor slots =
        SlotsOf(place.position, place.position + place.count - 1, cache.slots, x.device());
    const auto rows = [&](const at::Tensor& all) {
      return all.select(0, 0).narrow(0, place.first, place.count).transpose(0, 1);
    };
    cache.keys.index_copy_(1, slots, rows(k));
    cache.values.index_copy_(1, slots, rows(v));
    parts.push_back(Attend(index, q, place));
  }
  return at::linear(at::cat(parts), Weight(index, "self_attn.o_proj"));
}

at::Tensor TensorDecoder::Run(absl::Span<const StepInput> inputs) {
  std::vector<int64_t> ids, positions, wanted;
  std::vector<Place> places;
  for (const StepInput& input : inputs) {
    const int64_t position = input.sequence->length();
    places.push_back({input.sequence, static_cast<int64_t>(ids.size()),
                      static_cast<int64_t>(input.ids.size()), position});
    for (const int32_t id : input.ids) {
      positions.push_back(position + static_cast<int64_t>(ids.size()) - places.back().first);
      ids.push_back(id);
    }
    if (input.wants_logits) wanted.push_back(static_cast<int64_t>(ids.size()) - 1);
  }
  const auto on_device = [&](const std::vector<int64_t>& values) {
    return at::tensor(values, at::kLong).to(model_.device());
  };
  PrepareAngles(on_device(positions));
  const ModelFamily& family = config().family();
  const at::Tensor& embedding = model_.Parameters().front().second;
  at::Tensor x = family.scales_embedding ? ScaledEmbedding(embedding, on_device(ids))
                                         : PlainEmbedding(embedding, on_device(ids));
  for (int64_t i = 0; i < config().layers; ++i) {
    const std::string layer = absl::StrCat("model.layers.", i, ".");
    const auto normed = [&](const at::Tensor& value, const char* name) {
      return Norm(value, absl::StrCat(layer, name, "_layernorm.weight"));
    };
    const MlpWeights mlp = {Weight(i, "mlp.gate_proj"), Weight(i, "mlp.up_proj"),
                            Weight(i, "mlp.down_proj")};
    const at::Tensor attended = Attention(i, normed(x, "input"), places);
    if (family.norms_outputs) {
      x = x + normed(attended, "post_attention");
      x = x + normed(Mlp(normed(x, "pre_feedforward"), mlp, family.activation), "post_feedforward");
    } else {
      x = x + attended;
      x = x + Mlp(normed(x, "post_attention"), mlp, family.activation);
    }
  }
  const at::Tensor last = Norm(x.index_select(0, on_device(wanted)), "model.norm.weight");
  at::Tensor logits = at::linear(last, model_.head()).to(at::kFloat);
  if (config().final_softcap) {
    logits.div_(*config().final_softcap).tanh_().mul_(*config().final_softcap);
  }
  return logits;
}

}  // namespace fpo::train
