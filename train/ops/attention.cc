#include "train/ops/attention.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <limits>

#include "train/ops/fast_paths.h"
#include "train/ops/packed_attention.h"
#include "train/ops/wide_type.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Heads that share a kv head are stacked along the query axis, so that one batched product computes
// them all: queries [batch * kv_heads, group, rows, head_dim], keys [batch * kv_heads, columns,
// head_dim].
struct HeadLayout {
  int64_t batch, seq, key_seq, heads, kv_heads, head_dim;

  HeadLayout(const at::Tensor& q, const at::Tensor& k)
      : batch(q.size(0)),
        seq(q.size(1)),
        key_seq(k.size(1)),
        heads(q.size(2)),
        kv_heads(k.size(2)),
        head_dim(q.size(3)) {}
  int64_t group() const { return heads / kv_heads; }
  int64_t before() const { return key_seq - seq; }  // keys before the first query

  // [batch, seq, heads, head_dim] -> [batch * kv_heads, group, seq, head_dim], widened.
  at::Tensor SplitQueries(const at::Tensor& x, at::ScalarType wide) const {
    return x.to(wide)
        .reshape({batch, seq, kv_heads, group(), head_dim})
        .permute({0, 2, 3, 1, 4})
        .reshape({batch * kv_heads, group(), seq, head_dim});
  }
  at::Tensor SplitKeys(const at::Tensor& x, at::ScalarType wide) const {
    return x.to(wide).permute({0, 2, 1, 3}).reshape({batch * kv_heads, key_seq, head_dim});
  }
  at::Tensor JoinQueries(const at::Tensor& x, at::ScalarType type) const {
    return x.reshape({batch, kv_heads, group(), seq, head_dim})
        .permute({0, 3, 1, 2, 4})
        .to(type)
        .reshape({batch, seq, heads, head_dim});
  }
  at::Tensor JoinKeys(const at::Tensor& x, at::ScalarType type) const {
    return x.reshape({batch, kv_heads, key_seq, head_dim})
        .permute({0, 2, 1, 3})
        .to(type)
        .contiguous();
  }
};

// Queries [first, first + rows) and the keys they can see, [key, key + columns).
struct Block {
  int64_t first, rows, position, key, columns;  // position: of the first query, among the keys

  Block(int64_t start, const HeadLayout& layout, const AttentionOptions& options)
      : first(start),
        rows(std::min(options.query_block, layout.seq - start)),
        position(layout.before() + start) {
    key = options.window > 0 ? std::max<int64_t>(0, position - options.window + 1) : 0;
    columns = position + rows - key;
  }

  at::Tensor Queries(const at::Tensor& x) const {  // [pairs, group * rows, head_dim]
    return x.narrow(2, first, rows).reshape({x.size(0), x.size(1) * rows, x.size(3)});
  }
  at::Tensor Keys(const at::Tensor& x) const { return x.narrow(1, key, columns); }
  void Store(const at::Tensor& value, const at::Tensor& into) const {
    at::Tensor part = into.narrow(2, first, rows);
    part.copy_(value.view(part.sizes()));
  }

  // True where query i must not see key j: [rows, columns].
  at::Tensor Hidden(int64_t window, at::Device device) const {
    const auto integers = at::TensorOptions().dtype(at::kLong).device(device);
    const at::Tensor distance = at::arange(position, position + rows, integers).unsqueeze(1) -
                                at::arange(key, key + columns, integers).unsqueeze(0);
    at::Tensor hidden = distance.lt(0);
    if (window > 0) hidden.logical_or_(distance.ge(window));
    return hidden;
  }
};

struct BlockScores {
  at::Tensor probabilities;  // [pairs, group * rows, columns]
  at::Tensor tanh;           // of the capped score; undefined without softcap
};

BlockScores Score(const Block& block, const at::Tensor& queries, const at::Tensor& keys,
                  const AttentionOptions& options) {
  BlockScores result;
  at::Tensor scores = at::bmm(queries, keys.transpose(1, 2));
  if (options.softcap > 0) {
    result.tanh = scores.mul_(options.scale / options.softcap).tanh_();
    scores = result.tanh * options.softcap;
  } else {
    scores.mul_(options.scale);
  }
  const int64_t group = queries.size(1) / block.rows;
  scores.view({scores.size(0), group, block.rows, block.columns})
      .masked_fill_(block.Hidden(options.window, scores.device()),
                    -std::numeric_limits<double>::infinity());
  result.probabilities = at::softmax(scores, -1);
  return result;
}

struct AttentionFunction : torch::autograd::Function<AttentionFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, const AttentionOptions& options) {
    const HeadLayout layout(q, k);
    const auto wide = WideType(q);
    const at::Tensor queries = layout.SplitQueries(q, wide);
    const at::Tensor keys = layout.SplitKeys(k, wide), values = layout.SplitKeys(v, wide);
    const at::Tensor z = at::empty_like(queries);
    for (int64_t start = 0; start < layout.seq; start += options.query_block) {
      const Block block(start, layout, options);
      const BlockScores scores = Score(block, block.Queries(queries), block.Keys(keys), options);
      block.Store(at::bmm(scores.probabilities, block.Keys(values)), z);
    }
    const at::Tensor joined = layout.JoinQueries(z, q.scalar_type());
    context->save_for_backward({q, k, v, joined});
    context->saved_data["scale"] = options.scale;
    context->saved_data["softcap"] = options.softcap;
    context->saved_data["window"] = options.window;
    context->saved_data["query_block"] = options.query_block;
    return joined;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    AttentionOptions options;
    options.scale = context->saved_data["scale"].toDouble();
    options.softcap = context->saved_data["softcap"].toDouble();
    options.window = context->saved_data["window"].toInt();
    options.query_block = context->saved_data["query_block"].toInt();
    const HeadLayout layout(saved[0], saved[1]);
    const auto type = saved[0].scalar_type();
    const auto wide = WideType(saved[0]);
    const at::Tensor queries = layout.SplitQueries(saved[0], wide);
    const at::Tensor keys = layout.SplitKeys(saved[1], wide);
    const at::Tensor values = layout.SplitKeys(saved[2], wide);
    const at::Tensor grad_z = layout.SplitQueries(grads[0], wide);
    // sum_j p_ij (dz_i . v_j) = dz_i . z_i
    const at::Tensor inner = (grad_z * layout.SplitQueries(saved[3], wide)).sum(-1, true);
    const at::Tensor grad_queries = at::empty_like(queries);
    const at::Tensor grad_keys = at::zeros_like(keys), grad_values = at::zeros_like(values);
    for (int64_t start = 0; start < layout.seq; start += options.query_block) {
      const Block block(start, layout, options);
      const at::Tensor block_queries = block.Queries(queries), block_keys = block.Keys(keys);
      const at::Tensor block_grad = block.Queries(grad_z);
      const BlockScores scores = Score(block, block_queries, block_keys, options);
      const at::Tensor& p = scores.probabilities;
      block.Keys(grad_values).baddbmm_(p.transpose(1, 2), block_grad);
      at::Tensor grad_score = at::bmm(block_grad, block.Keys(values).transpose(1, 2));
      grad_score.sub_(block.Queries(inner)).mul_(p).mul_(options.scale);
      if (scores.tanh.defined()) grad_score.mul_(1 - scores.tanh.square());
      block.Store(at::bmm(grad_score, block_keys), grad_queries);
      block.Keys(grad_keys).baddbmm_(grad_score.transpose(1, 2), block_queries);
    }
    return {layout.JoinQueries(grad_queries, type), layout.JoinKeys(grad_keys, type),
            layout.JoinKeys(grad_values, type), at::Tensor()};
  }
};

}  // namespace

at::Tensor CausalAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const AttentionOptions& options) {
  TORCH_CHECK(q.dim() == 4 && k.dim() == 4 && k.sizes() == v.sizes() && q.size(0) == k.size(0) &&
                  q.size(1) <= k.size(1) && q.size(3) == k.size(3) && q.size(2) % k.size(2) == 0,
              "CausalAttention: q ", q.sizes(), ", k ", k.sizes(), ", v ", v.sizes());
  TORCH_CHECK(options.query_block > 0, "CausalAttention: query_block ", options.query_block);
  const bool kernels =
      KernelsOf(q) != nullptr && KernelsOf(k) != nullptr && KernelsOf(v) != nullptr;
  if ((kernels || FusedAttentionOf(q) != nullptr) && q.size(1) == k.size(1)) {
    const std::vector<PackedGroup> sequences(static_cast<size_t>(q.size(0)), {q.size(1), {}});
    return PackedAttention(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1),
                           {PackedLayout::Of(sequences), options})
        .view({q.size(0), q.size(1), -1});
  }
  return AttentionFunction::apply(q, k, v, options).flatten(2);
}

}  // namespace fpo::train
