#include "train/model/self_attention.h"

#include <ATen/ATen.h>

#include <vector>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

struct Fixture {
  GemmaConfig config;
  RopeTable rope;
  std::vector<at::Tensor> tensors;  // x, q, k, v, and with QK-norm q_norm, k_norm

  explicit Fixture(Architecture architecture) : config(TinyForTest(architecture)) {
    at::manual_seed(9);
    const at::Tensor like = at::zeros({1}, at::kDouble);
    rope = MakeRopeTable(6, config.head_dim, {100, 1}, like);
    tensors = {at::randn({1, 6, 24}, at::kDouble), at::randn({40, 24}, at::kDouble) * 0.3,
               at::randn({20, 24}, at::kDouble) * 0.3, at::randn({20, 24}, at::kDouble) * 0.3};
    if (config.qk_norm()) {
      tensors.push_back(at::randn({10}, at::kDouble));
      tensors.push_back(at::randn({10}, at::kDouble));
    }
  }

  at::Tensor Run(const std::vector<at::Tensor>& t, bool sliding) const {
    AttentionWeights weights = {t[1], t[2], t[3], {}, {}};
    if (config.qk_norm()) {
      weights.q_norm = t[4];
      weights.k_norm = t[5];
    }
    return AttentionZ(t[0], weights, rope, {config, sliding});
  }
};

TEST(AttentionZ, ScalesByTheQueryScalarAndNotByHeadDim) {
  Fixture fixture(Architecture::kGemma2);
  fixture.config.attention_softcap.reset();
  const at::Tensor z = fixture.Run(fixture.tensors, false);
  // Scaling q by a and the scalar by a^2 cancels out.
  auto scaled = fixture.tensors;
  scaled[1] = scaled[1] * 3;
  fixture.config.query_pre_attn_scalar *= 9;
  EXPECT_LT(RelativeError(fixture.Run(scaled, false), z), 1e-12);
  fixture.config.query_pre_attn_scalar = static_cast<double>(fixture.config.head_dim);
  EXPECT_GT(RelativeError(fixture.Run(fixture.tensors, false), z), 1e-3);
}

TEST(AttentionZ, OnlySlidingLayersForgetOldKeys) {
  for (const auto architecture :
       {Architecture::kGemma2, Architecture::kGemma3, Architecture::kQwen3}) {
    const Fixture fixture(architecture);
    auto changed = fixture.tensors;
    changed[0] = changed[0].clone();
    changed[0].select(1, 0).add_(1);
    const auto last = [](const at::Tensor& z) { return z.select(1, 5); };
    // Window 4: position 5 sees 2 to 5.
    EXPECT_EQ(
        RelativeError(last(fixture.Run(changed, true)), last(fixture.Run(fixture.tensors, true))),
        0);
    EXPECT_GT(
        RelativeError(last(fixture.Run(changed, false)), last(fixture.Run(fixture.tensors, false))),
        1e-6);
  }
}

TEST(AttentionZ, HasExactGradients) {
  for (const auto architecture :
       {Architecture::kGemma2, Architecture::kGemma3, Architecture::kQwen3}) {
    const Fixture fixture(architecture);
    ExpectGradientsMatchDifferences([&](const auto& t) { return fixture.Run(t, true); },
                                    fixture.tensors);
  }
}

}  // namespace
}  // namespace fpo::train
