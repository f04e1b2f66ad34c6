// What surrounds the attention of cuDNN: sequences, copies of prompts, offsets and what comes back
// to a prompt. The call itself is serial_attention.h's here.

#include "train/cuda/fused_attention.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"
#include "tests/train/cuda/serial_table.h"
#include "tests/train/ops/finite_difference.h"
#include "train/cuda/cuda_library.h"
#include "train/ops/fast_paths.h"
#include "train/ops/packed_attention.h"

namespace fpo::train {
namespace {

struct Packed {
  PackedAttentionOptions options;
  at::Tensor q, k, v, grad;

  Packed(std::vector<PackedGroup> groups, bool kept, const AttentionOptions& attention) {
    options.layout = PackedLayout::Of(std::move(groups));
    options.attention = attention;
    options.kept_queries = kept;
    at::manual_seed(7);
    const int64_t rows = options.layout->rows;
    const int64_t queries = kept ? options.layout->kept_rows : rows;
    q = (at::randn({queries, 4, 16}) * 2).to(at::kBFloat16);
    k = (at::randn({rows, 2, 16}) * 2).to(at::kBFloat16);
    v = at::randn({rows, 2, 16}).to(at::kBFloat16);
    grad = at::randn({queries, 64}).to(at::kBFloat16);
  }

  struct Result {
    at::Tensor z, q, k, v;
  };
  Result Run(at::ScalarType type) const {
    const auto leaf = [&](const at::Tensor& x) { return x.to(type).detach().requires_grad_(); };
    const at::Tensor a = leaf(q), b = leaf(k), c = leaf(v);
    const at::Tensor z = PackedAttention(a, b, c, options);
    z.backward(grad.to(type));
    return {z.detach(), a.grad(), b.grad(), c.grad()};
  }
};

void ExpectSame(const Packed& packed) {
  const Packed::Result expected = packed.Run(at::kDouble);
  const CudaTableInScope scope(SerialCudaTable());
  FastPaths paths = ActiveFastPaths();
  paths.fused_attention = true;
  const FastPathsInScope fused(paths);
  const Packed::Result made = packed.Run(at::kBFloat16);
  // One rounding to bfloat16 is 2^-8; what q and k get is p (dz.v - dz.z) with z rounded already,
  // times a key or query of up to 6 and summed.
  EXPECT_LT(RelativeError(made.z.to(at::kDouble), expected.z), 4e-3);
  EXPECT_LT(RelativeError(made.v.to(at::kDouble), expected.v),
            8e-3);  // rounded, then added to a copy's
  EXPECT_LT(RelativeError(made.q.to(at::kDouble), expected.q), 3e-2);
  EXPECT_LT(RelativeError(made.k.to(at::kDouble), expected.k), 3e-2);
}

TEST(FusedAttention, IsPackedAttention) {
  for (const bool kept : {false, true}) {
    for (const double softcap : {0.0, 2.0}) {
      for (const int64_t window : {0, 3}) {
        const AttentionOptions options = {0.25, softcap, window};
        ExpectSame(Packed({{5, {3, 4}}, {1, {2}}, {7, {1, 2, 6}}, {2, {9, 1}}}, kept, options));
      }
    }
  }
}

TEST(FusedAttention, IsCausalAttentionOfWholeSequences) {
  ExpectSame(Packed({{6, {}}, {6, {}}}, false, {0.25, 2.0, 4}));
}

TEST(FusedAttention, RefusesWhatItWouldHaveToComputeOtherwise) {
  const auto plan = AttentionPlan::Of({{2, 2, {1}}}, at::kCPU);
  const at::Tensor q = at::zeros({3, 2, 16}, at::kBFloat16);
  const CudaTable& table = SerialCudaTable();
  EXPECT_NO_THROW(FusedAttention(table, {q, q, q}, {plan, 1, 0, 0}));
  EXPECT_THROW(FusedAttention(table, {q.to(at::kFloat), q, q}, {plan, 1, 0, 0}), c10::Error);
  const at::Tensor odd = at::zeros({3, 2, 12}, at::kBFloat16);
  EXPECT_THROW(FusedAttention(table, {odd, odd, odd}, {plan, 1, 0, 0}), c10::Error);
  EXPECT_THROW(FusedAttention(table, {q.narrow(0, 0, 2), q, q}, {plan, 1, 0, 0}), c10::Error);
  CudaTable without = table;
  without.attention = nullptr;
  EXPECT_THROW(FusedAttention(without, {q, q, q}, {plan, 1, 50, 0}), c10::Error);
}

}  // namespace
}  // namespace fpo::train
