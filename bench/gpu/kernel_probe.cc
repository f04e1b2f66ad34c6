#include "bench/gpu/kernel_probe.h"

#include <ATen/ATen.h>

#include <cmath>
#include <functional>
#include <memory>

#include "absl/strings/numbers.h"
#include "bench/gpu/probe_tools.h"
#include "common/status_macros.h"
#include "train/cuda/cuda_check.h"
#include "train/cuda/fused_attention.h"
#include "train/ops/fast_paths.h"
#include "train/ops/gated_product.h"
#include "train/ops/packed_attention.h"
#include "train/ops/rms_norm.h"
#include "train/ops/rope.h"
#include "train/ops/vocab_head.h"
#include "train/optim/optimizer.h"

namespace fpo::train {
namespace {

using Tensors = std::vector<at::Tensor>;

// Forward and backward of one operation; returns its results and gradients.
struct KernelCase {
  std::string name;
  double bound;  // |made - plain| / |plain|, as vectors
  std::function<Tensors()> run;
  bool fused_attention = false;
};

struct Shapes {
  at::Device device;
  int64_t rows, vocab;
  int64_t hidden = 2304, feed_forward = 9216, heads = 8, kv_heads = 4, head_dim = 256;
  at::ScalarType type = at::kBFloat16;

  at::Tensor Leaf(at::IntArrayRef sizes) const {
    return Random(sizes, device, type).requires_grad_();
  }
  at::Tensor Constant(at::IntArrayRef sizes) const { return Random(sizes, device, type); }
};

Tensors Differentiated(const at::Tensor& result, const at::Tensor& grad, const Tensors& leaves) {
  for (const at::Tensor& leaf : leaves) leaf.mutable_grad().reset();
  result.backward(grad);
  Tensors all = {result.detach()};
  for (const at::Tensor& leaf : leaves) all.push_back(leaf.grad());
  return all;
}

KernelCase Norm(const Shapes& s) {
  const at::Tensor x = s.Leaf({s.rows, s.hidden}), w = s.Leaf({s.hidden});
  const at::Tensor grad = s.Constant({s.rows, s.hidden});
  return {"norm", 3e-3, [=] { return Differentiated(RmsNorm(x, w, 1e-6), grad, {x, w}); }};
}
KernelCase GatedGelu(const Shapes& s) {
  const at::Tensor gate = s.Leaf({s.rows, s.feed_forward}), up = s.Leaf({s.rows, s.feed_forward});
  const at::Tensor grad = s.Constant({s.rows, s.feed_forward});
  return {"geglu", 3e-3, [=] { return Differentiated(Geglu(gate, up), grad, {gate, up}); }};
}
KernelCase GatedSilu(const Shapes& s) {
  const at::Tensor gate = s.Leaf({s.rows, s.feed_forward}), up = s.Leaf({s.rows, s.feed_forward});
  const at::Tensor grad = s.Constant({s.rows, s.feed_forward});
  return {"swiglu", 3e-3, [=] { return Differentiated(Swiglu(gate, up), grad, {gate, up}); }};
}
KernelCase Rotation(const Shapes& s) {
  const at::Tensor x = s.Leaf({1, s.rows, s.heads, s.head_dim});
  const at::Tensor grad = s.Constant({1, s.rows, s.heads, s.head_dim});
  const RopeTable table = MakeRopeTable(s.rows, s.head_dim, {}, x);
  return {"rope", 3e-3, [=] { return Differentiated(ApplyRope(x, table), grad, {x}); }};
}

// A quarter of the rows: the plain way computes them in float32.
KernelCase Head(const Shapes& s) {
  const int64_t rows = s.rows / 4;
  const at::Tensor hidden = s.Leaf({rows, s.hidden});
  const at::Tensor weight = (s.Constant({s.vocab, s.hidden}) * 0.05).requires_grad_();
  const at::Tensor targets = at::randint(s.vocab, {rows}, at::device(s.device).dtype(at::kLong));
  const at::Tensor scale = at::full({rows}, 0.01, at::device(s.device));
  VocabHeadOptions options;
  options.softcap = 30;
  options.chunk_rows = rows;
  options.loss = [scale](size_t, const ChunkScores&) { return ChunkGradients{scale, {}}; };
  options.chunks = {{{0, rows}}};
  return {"vocabulary head", 6e-3, [=] {
            const TokenScores scores = TokenLogProbs(hidden, weight, targets, options);
            return Differentiated(scores.log_probs, scale, {hidden, weight});
          }};
}

KernelCase Update(const Shapes& s, const std::string& name) {
  const at::Tensor parameter = s.Constant({s.rows, s.hidden * 4});
  const at::Tensor gradient = Random(parameter.sizes(), s.device, at::kFloat);
  OptimizerOptions options;
  return {name, 1e-6, [=] {
            const NamedTensors own = {{"w", parameter.clone()}};
            auto made = MakeOptimizer(name, own, options);
            (*made)->Step({gradient.clone()}, 1e-3, 0.5);
            return Tensors{(*made)->Masters()[0].second, own[0].second.to(at::kFloat)};
          }};
}

// Pairs of a prompt and two responses, about 1,000 tokens each.
KernelCase Attention(const Shapes& s, double softcap, int64_t window) {
  std::vector<PackedGroup> groups;
  for (int64_t left = s.rows; left >= 64;) {
    const int64_t rows = std::min<int64_t>(left, 1000 + 17 * static_cast<int64_t>(groups.size()));
    groups.push_back({rows / 4, {rows / 4, rows - 2 * (rows / 4)}});
    left -= rows;
  }
  PackedAttentionOptions options;
  options.layout = PackedLayout::Of(groups, s.device);
  options.attention = {1.0 / 16, softcap, window};
  const int64_t rows = options.layout->rows;
  const at::Tensor q = s.Leaf({rows, s.heads, s.head_dim});
  const at::Tensor k = s.Leaf({rows, s.kv_heads, s.head_dim});
  const at::Tensor v = s.Leaf({rows, s.kv_heads, s.head_dim});
  const at::Tensor grad = s.Constant({rows, s.heads * s.head_dim});
  const std::string name = softcap > 0 ? "attention, softcap" : "attention";
  return {window > 0 ? name + ", window" : name, 1e-2,
          [=] {
            return Differentiated(PackedAttention(q, k, v, options), grad, {q, k, v});
          },
          true};
}

double Difference(const Tensors& made, const Tensors& plain) {
  double largest = 0;
  for (size_t i = 0; i < made.size(); ++i) {
    const at::Tensor expected = plain[i].to(at::kFloat);
    const double size = at::linalg_vector_norm(expected).item<double>();
    const double off =
        at::linalg_vector_norm(made[i].to(at::kFloat) - expected).item<double>() / size;
    if (!(off <= largest)) largest = off;
  }
  return largest;
}

void Compare(const Shapes& shapes, const KernelCase& one) {
  FastPaths fast;
  fast.fused_attention = one.fused_attention;
  nlohmann::ordered_json line;
  line["kernel"] = one.name;
  Tensors made, plain;
  {
    const FastPathsInScope scope(fast);
    made = one.run();
  }
  {
    const FastPathsInScope scope(FastPaths::None());
    plain = one.run();
  }
  line["difference"] = Difference(made, plain);
  line["bound"] = one.bound;
  made.clear();
  plain.clear();
  for (const bool library : {true, false}) {
    const FastPathsInScope scope(library ? fast : FastPaths::None());
    line[library ? "seconds" : "plain_seconds"] = SecondsOf(shapes.device, [&] { one.run(); });
  }
  Print(line);
}

}  // namespace

absl::Status ProbeKernels(c10::Device device, const std::vector<std::string>& words) {
  Shapes shapes = {device, 0, 0};
  if (words.size() != 2 || !absl::SimpleAtoi(words[0], &shapes.rows) ||
      !absl::SimpleAtoi(words[1], &shapes.vocab)) {
    return absl::InvalidArgumentError("kernels needs ROWS and VOCAB");
  }
  if (device.is_cpu()) {
    shapes.type = at::kFloat;
  } else if (const std::string problem = CudaKernelProblem(device); !problem.empty()) {
    return absl::NotFoundError(problem);
  }
  const at::AutoGradMode with_grad(true);
  at::manual_seed(1);
  using Maker = std::function<KernelCase()>;
  std::vector<Maker> makers = {[&] { return Norm(shapes); },
                               [&] { return GatedGelu(shapes); },
                               [&] { return GatedSilu(shapes); },
                               [&] { return Rotation(shapes); },
                               [&] { return Head(shapes); },
                               [&] { return Update(shapes, "adamw"); },
                               [&] { return Update(shapes, "rmsprop"); }};
  const bool fused = !device.is_cpu() && FusedAttentionProblem().empty();
  if (fused) {
    makers.push_back([&] { return Attention(shapes, 50, 0); });
    makers.push_back([&] { return Attention(shapes, 50, 512); });
    makers.push_back([&] { return Attention(shapes, 0, 512); });
  }
  for (const Maker& make : makers) Compare(shapes, make());  // one's tensors at a time
  return absl::OkStatus();
}

}  // namespace fpo::train
