#include "train/decode/cpu_decoder.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "train/kernels/kernel_set.h"

namespace fpo::train {
namespace {

constexpr int64_t kPositionsAtOnce = 4096;  // of the rotary tables
constexpr int64_t kGrain = 32768;           // multiplications that are worth a thread

float* Floats(const at::Tensor& tensor) { return tensor.mutable_data_ptr<float>(); }
const float* ConstFloats(const at::Tensor& tensor) { return tensor.const_data_ptr<float>(); }

at::Tensor NewRows(int64_t rows, int64_t width) { return at::empty({rows, width}, at::kFloat); }

// y = x W^T; x: [rows, depth], weight: [columns, depth].
void Multiply(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& y) {
  LinearTask task;
  task.x = ConstFloats(x);
  task.rows = x.size(0);
  task.depth = x.size(1);
  task.weight = weight.const_data_ptr();
  task.type = weight.scalar_type() == at::kFloat ? WeightType::kFloat32 : WeightType::kBFloat16;
  task.y = Floats(y);
  task.columns = weight.size(0);
  const int64_t work = std::max<int64_t>(task.rows * task.depth, 1);
  at::parallel_for(0, task.columns, std::max<int64_t>(kGrain / work, 1),
                   [&task](int64_t begin, int64_t end) { LinearColumns(task, begin, end); });
}

// fn(begin, end) over rows, of `width` values each.
template <typename Fn>
void ForRows(int64_t rows, int64_t width, const Fn& fn) {
  at::parallel_for(0, rows, std::max<int64_t>(kGrain / std::max<int64_t>(width, 1), 1), fn);
}

// The kernels that training computes with.
const KernelSet& Kernels() {
  static const KernelSet& chosen = KernelsFor(at::get_cpu_capability().c_str());
  return chosen;
}

// `rows` of them, one after the other; y may be row.x.
void NormRows(NormRow row, float* y, int64_t rows) {
  for (; rows > 0; --rows, row.x += row.width, y += row.width) Kernels().norm(row, y);
}

NormRow NormOf(const float* x, const at::Tensor& weight, const NormOptions& options) {
  return {x, ConstFloats(weight), weight.size(0), static_cast<float>(options.eps),
          static_cast<float>(options.offset)};
}

void Normalise(const at::Tensor& x, const at::Tensor& weight, const NormOptions& options,
               const at::Tensor& y) {
  const int64_t width = weight.size(0);
  ForRows(x.size(0), width, [&](int64_t begin, int64_t end) {
    NormRows(NormOf(ConstFloats(x) + begin * width, weight, options), Floats(y) + begin * width,
             end - begin);
  });
}

// x += y.
void AddTo(const at::Tensor& x, const at::Tensor& y) {
  float* sum = Floats(x);
  const float* more = ConstFloats(y);
  ForRows(x.size(0), x.size(1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * x.size(1); i < end * x.size(1); ++i) sum[i] += more[i];
  });
}

at::Tensor Widened(const at::Tensor& weight) { return weight.to(at::kFloat).contiguous(); }

}  // namespace

struct CpuDecoder::Rows {
  at::Tensor x, normed, q, k, v, z, gate, up;

  Rows(const GemmaConfig& config, int64_t count)
      : x(NewRows(count, config.hidden_size)),
        normed(NewRows(count, config.hidden_size)),
        q(NewRows(count, config.heads * config.head_dim)),
        k(NewRows(count, config.kv_heads * config.head_dim)),
        v(NewRows(count, config.kv_heads * config.head_dim)),
        z(NewRows(count, config.heads * config.head_dim)),
        gate(NewRows(count, config.intermediate_size)),
        up(NewRows(count, config.intermediate_size)) {}
};

CpuDecoder::CpuDecoder(const Gemma& model, const Options& options)
    : Decoder(model.config(), at::TensorOptions(at::kFloat)),
      model_(model),
      scale_(at::scalar_tensor(std::sqrt(static_cast<double>(model.config().hidden_size)),
                               options.dtype)
                 .to(at::kFloat)
                 .item<float>()) {
  TORCH_CHECK(model.lora() == nullptr && !model.IsPacked(),
              "a decoder takes merged weights, not an adapter");
  std::map<std::string, at::Tensor> weights;
  for (const auto& [name, tensor] : model.Parameters()) weights[name] = tensor;
  for (int64_t i = 0; i < config().layers; ++i) {
    const auto weight = [&](const char* name) {
      return weights.at(absl::StrCat("model.layers.", i, ".", name, ".weight"));
    };
    Layer layer;
    layer.norm_in = Widened(weight("input_layernorm"));
    if (config().family().norms_outputs) {
      layer.norm_post_attention = Widened(weight("post_attention_layernorm"));
      layer.norm_pre_mlp = Widened(weight("pre_feedforward_layernorm"));
      layer.norm_post_mlp = Widened(weight("post_feedforward_layernorm"));
    } else {
      layer.norm_pre_mlp = Widened(weight("post_attention_layernorm"));
    }
    layer.q = weight("self_attn.q_proj");
    layer.k = weight("self_attn.k_proj");
    layer.v = weight("self_attn.v_proj");
    layer.o = weight("self_attn.o_proj");
    layer.gate = weight("mlp.gate_proj");
    layer.up = weight("mlp.up_proj");
    layer.down = weight("mlp.down_proj");
    if (config().qk_norm()) {
      layer.q_norm = Widened(weight("self_attn.q_norm"));
      layer.k_norm = Widened(weight("self_attn.k_norm"));
    }
    layer.sliding = config().sliding[static_cast<size_t>(i)];
    layers_.push_back(std::move(layer));
  }
  final_norm_ = Widened(weights.at("model.norm.weight"));
}

void CpuDecoder::PrepareAngles(int64_t positions) {
  if (global_.cos.defined() && global_.cos.size(0) >= positions) return;
  const int64_t count = (positions / kPositionsAtOnce + 1) * kPositionsAtOnce;
  const at::Tensor like = at::empty({0}, at::kFloat);
  global_ = MakeRopeTable(count, config().head_dim, config().rope(false), like);
  local_ = MakeRopeTable(count, config().head_dim, config().rope(true), like);
}

void CpuDecoder::Embed(const std::vector<Token>& tokens, at::Tensor* x) const {
  const at::Tensor& embedding = model_.Parameters().front().second;
  for (size_t i = 0; i < tokens.size(); ++i) {
    x->select(0, static_cast<int64_t>(i)).copy_(embedding.select(0, tokens[i].id));
  }
  if (config().family().scales_embedding) x->mul_(scale_);
}

void CpuDecoder::StoreKeys(int64_t index, const Token& token, const float* k,
                           const float* v) const {
  LayerCache& cache = token.sequence->layer(index);
  const int64_t dim = config().head_dim, slot = token.position % cache.slots;
  for (int64_t head = 0; head < config().kv_heads; ++head) {
    const int64_t at = (head * cache.slots + slot) * dim;
    std::copy_n(k + head * dim, dim, Floats(cache.keys) + at);
    std::copy_n(v + head * dim, dim, Floats(cache.values) + at);
  }
}

// Queries, keys and values of all tokens; the keys and values also in their slots.
void CpuDecoder::Project(int64_t index, const std::vector<Token>& tokens, Rows* rows) const {
  const Layer& layer = layers_[static_cast<size_t>(index)];
  const GemmaConfig& c = config();
  const int64_t count = static_cast<int64_t>(tokens.size()), dim = c.head_dim;
  Multiply(rows->normed, layer.q, rows->q);
  Multiply(rows->normed, layer.k, rows->k);
  Multiply(rows->normed, layer.v, rows->v);
  const RopeTable& angles = AnglesOf(layer);
  const auto place = [&](float* x, int64_t heads, const at::Tensor& norm, int64_t position) {
    if (norm.defined()) NormRows(NormOf(x, norm, c.norm()), x, heads);
    const int64_t at = position * dim / 2;
    Kernels().rope(
        {x, ConstFloats(angles.cos) + at, ConstFloats(angles.sin) + at, heads, dim / 2, 1}, x);
  };
  ForRows(count, (c.heads + c.kv_heads) * dim * 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* k = Floats(rows->k) + i * c.kv_heads * dim;
      place(Floats(rows->q) + i * c.heads * dim, c.heads, layer.q_norm, tokens[i].position);
      place(k, c.kv_heads, layer.k_norm, tokens[i].position);
      StoreKeys(index, tokens[i], k, ConstFloats(rows->v) + i * c.kv_heads * dim);
    }
  });
}

AttendTask CpuDecoder::TaskOf(int64_t index, const Token& token, int64_t head) const {
  const GemmaConfig& c = config();
  const LayerCache& cache = token.sequence->layer(index);
  const bool sliding = layers_[static_cast<size_t>(index)].sliding;
  AttendTask task = {};
  task.keys = ConstFloats(cache.keys) + head * cache.slots * c.head_dim;
  task.values = ConstFloats(cache.values) + head * cache.slots * c.head_dim;
  task.group = c.heads / c.kv_heads;
  task.dim = c.head_dim;
  task.slots = cache.slots;
  task.first = sliding ? std::max<int64_t>(token.position - c.sliding_window + 1, 0) : 0;
  task.last = token.position;
  task.scale = static_cast<float>(1 / std::sqrt(c.query_pre_attn_scalar));
  task.softcap = static_cast<float>(c.attention_softcap.value_or(0));
  return task;
}

void CpuDecoder::Attention(int64_t index, const std::vector<Token>& tokens, Rows* rows) const {
  Project(index, tokens, rows);
  const int64_t count = static_cast<int64_t>(tokens.size()), kv_heads = config().kv_heads;
  at::parallel_for(0, count * kv_heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> scores;
    for (int64_t i = begin; i < end; ++i) {
      AttendTask task = TaskOf(index, tokens[static_cast<size_t>(i / kv_heads)], i % kv_heads);
      scores.resize(static_cast<size_t>(task.group * (task.last - task.first + 1)));
      task.scores = scores.data();
      task.q = ConstFloats(rows->q) + i * task.group * task.dim;
      task.z = Floats(rows->z) + i * task.group * task.dim;
      Attend(task);
    }
  });
  Multiply(rows->z, layers_[static_cast<size_t>(index)].o, rows->normed);
}

void CpuDecoder::Mlp(const Layer& layer, Rows* rows) const {
  Multiply(rows->normed, layer.gate, rows->gate);
  Multiply(rows->normed, layer.up, rows->up);
  const int64_t width = rows->gate.size(1);
  const auto activate =
      config().family().activation == Activation::kSilu ? Kernels().swiglu : Kernels().geglu;
  ForRows(rows->gate.size(0), width * 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* const gate = Floats(rows->gate) + i * width;
      activate({gate, ConstFloats(rows->up) + i * width, width}, gate);
    }
  });
  Multiply(rows->gate, layer.down, rows->normed);
}

at::Tensor CpuDecoder::Run(absl::Span<const StepInput> inputs) {
  std::vector<Token> tokens;
  std::vector<int64_t> wanted;  // rows of the last ids
  for (const StepInput& input : inputs) {
    int64_t position = input.sequence->length();
    for (const int32_t id : input.ids) tokens.push_back({input.sequence, id, position++});
    if (input.wants_logits) wanted.push_back(static_cast<int64_t>(tokens.size()) - 1);
    PrepareAngles(position);
  }
  const NormOptions norm = config().norm();
  const bool norms_outputs = config().family().norms_outputs;
  Rows rows(config(), static_cast<int64_t>(tokens.size()));
  Embed(tokens, &rows.x);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    Normalise(rows.x, layer.norm_in, norm, rows.normed);
    Attention(static_cast<int64_t>(i), tokens, &rows);
    if (norms_outputs) Normalise(rows.normed, layer.norm_post_attention, norm, rows.normed);
    AddTo(rows.x, rows.normed);
    Normalise(rows.x, layer.norm_pre_mlp, norm, rows.normed);
    Mlp(layer, &rows);
    if (norms_outputs) Normalise(rows.normed, layer.norm_post_mlp, norm, rows.normed);
    AddTo(rows.x, rows.normed);
  }
  return Logits(rows.x, wanted);
}

// Of these rows of the last layer's output.
at::Tensor CpuDecoder::Logits(const at::Tensor& x, const std::vector<int64_t>& wanted) const {
  const at::Tensor last = NewRows(static_cast<int64_t>(wanted.size()), config().hidden_size);
  for (size_t i = 0; i < wanted.size(); ++i) {
    last.select(0, static_cast<int64_t>(i)).copy_(x.select(0, wanted[i]));
  }
  Normalise(last, final_norm_, config().norm(), last);
  const at::Tensor logits = NewRows(last.size(0), config().vocab_size);
  Multiply(last, model_.head(), logits);
  if (config().final_softcap.has_value()) {
    const auto cap = static_cast<float>(*config().final_softcap);
    ForRows(logits.size(0), logits.size(1), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        SoftcapInPlace(Floats(logits) + i * logits.size(1), logits.size(1), cap);
      }
    });
  }
  return logits;
}

}  // namespace fpo::train
