#include "train/ops/attention.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

struct Inputs {
  at::Tensor q, k, v;
};

Inputs MakeInputs(int64_t seq, at::ScalarType type) {
  at::manual_seed(3);
  return {(at::randn({2, seq, 4, 6}, at::kDouble) * 2).to(type),
          (at::randn({2, seq, 2, 6}, at::kDouble) * 2).to(type),
          at::randn({2, seq, 2, 6}, at::kDouble).to(type)};
}

// The formula, one head and one query at a time.
at::Tensor Reference(const Inputs& in, const AttentionOptions& options) {
  const int64_t batch = in.q.size(0), seq = in.q.size(1), heads = in.q.size(2), dim = in.q.size(3);
  at::Tensor z = at::zeros({batch, seq, heads, dim}, in.q.options());
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t kv = h * in.k.size(2) / heads;
      for (int64_t i = 0; i < seq; ++i) {
        const int64_t first = options.window > 0 ? std::max<int64_t>(0, i - options.window + 1) : 0;
        const at::Tensor keys = in.k[b].narrow(0, first, i - first + 1).select(1, kv);
        at::Tensor score = at::mv(keys, in.q[b][i][h]) * options.scale;
        if (options.softcap > 0) score = (score / options.softcap).tanh() * options.softcap;
        const at::Tensor values = in.v[b].narrow(0, first, i - first + 1).select(1, kv);
        z[b][i][h].copy_(at::mv(values.t(), score.softmax(0)));
      }
    }
  }
  return z.flatten(2);
}

class CausalAttentionTest : public ::testing::TestWithParam<AttentionOptions> {};

TEST_P(CausalAttentionTest, FollowsTheFormula) {
  const Inputs in = MakeInputs(11, at::kDouble);
  EXPECT_LT(RelativeError(CausalAttention(in.q, in.k, in.v, GetParam()), Reference(in, GetParam())),
            1e-13);
}

TEST_P(CausalAttentionTest, HasExactGradients) {
  const Inputs in = MakeInputs(5, at::kDouble);
  ExpectGradientsMatchDifferences(
      [](const auto& x) { return CausalAttention(x[0], x[1], x[2], GetParam()); },
      {in.q, in.k, in.v});
}

INSTANTIATE_TEST_SUITE_P(Kinds, CausalAttentionTest,
                         ::testing::Values(AttentionOptions{0.4, 0, 0, 256},
                                           AttentionOptions{0.4, 1.5, 0, 256},
                                           AttentionOptions{0.4, 1.5, 3, 256},
                                           AttentionOptions{0.4, 1.5, 3, 2},
                                           AttentionOptions{0.4, 0, 0, 3}));

TEST(CausalAttention, SoftcapAndWindowMatter) {
  const Inputs in = MakeInputs(11, at::kDouble);
  const at::Tensor plain = CausalAttention(in.q, in.k, in.v, {0.4, 0, 0, 256});
  EXPECT_GT(RelativeError(CausalAttention(in.q, in.k, in.v, {0.4, 1.5, 0, 256}), plain), 1e-2);
  EXPECT_GT(RelativeError(CausalAttention(in.q, in.k, in.v, {0.4, 0, 3, 256}), plain), 1e-2);
}

TEST(CausalAttention, LaterPositionsDoNotReachEarlierOnes) {
  Inputs in = MakeInputs(8, at::kFloat);
  const AttentionOptions options = {0.4, 1.5, 0, 256};
  const at::Tensor before = CausalAttention(in.q, in.k, in.v, options).narrow(1, 0, 5);
  for (at::Tensor* x : {&in.q, &in.k, &in.v}) x->narrow(1, 5, 3).fill_(1000);
  EXPECT_TRUE(at::equal(CausalAttention(in.q, in.k, in.v, options).narrow(1, 0, 5), before));
}

TEST(CausalAttention, ScoresStayInFloat32UnderBfloat16) {
  const Inputs in = MakeInputs(9, at::kBFloat16);
  const AttentionOptions options = {0.4, 1.5, 4, 256};
  const at::Tensor wide =
      CausalAttention(in.q.to(at::kFloat), in.k.to(at::kFloat), in.v.to(at::kFloat), options);
  EXPECT_TRUE(at::equal(CausalAttention(in.q, in.k, in.v, options), wide.to(at::kBFloat16)));
}

TEST(CausalAttention, RefusesHeadsThatDoNotDivide) {
  EXPECT_THROW(CausalAttention(at::zeros({1, 2, 3, 4}), at::zeros({1, 2, 2, 4}),
                               at::zeros({1, 2, 2, 4}), {}),
               c10::Error);
}

}  // namespace
}  // namespace fpo::train
