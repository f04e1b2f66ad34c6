#include "train/model/gemma.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

at::Tensor SomeIds(int64_t batch, int64_t seq) {
  at::manual_seed(13);
  return at::randint(0, 61, {batch, seq}, at::kLong);
}

// Random weights are too small to make neighbours matter; these are not.
Gemma Lively(Architecture architecture, at::ScalarType dtype = at::kFloat) {
  TensorMap weights;
  at::manual_seed(14);
  const auto shapes = TensorShapes(TinyForTest(architecture));
  for (const auto& [name, shape] : shapes) {
    weights[name] = (at::randn(shape) * 0.4).to(dtype);
  }
  return *Gemma::Create(TinyForTest(architecture), weights);
}

class GemmaTest : public ::testing::TestWithParam<Architecture> {};

TEST_P(GemmaTest, RandomIsAFunctionOfTheSeed) {
  const GemmaConfig config = TinyForTest(GetParam());
  const Gemma a = Gemma::Random(config, 5, at::kFloat), b = Gemma::Random(config, 5, at::kFloat);
  const Gemma other = Gemma::Random(config, 6, at::kFloat);
  for (size_t i = 0; i < a.Parameters().size(); ++i) {
    const auto& [name, tensor] = a.Parameters()[i];
    EXPECT_TRUE(at::equal(tensor, b.Parameters()[i].second)) << name;
    EXPECT_EQ(at::equal(tensor, other.Parameters()[i].second), tensor.dim() == 1) << name;
  }
  EXPECT_NEAR(a.head().std().item<double>(), 0.02, 0.002);
}

TEST_P(GemmaTest, PaddingAndCompanyDoNotChangeARow) {
  const Gemma model = Lively(GetParam());
  const at::Tensor ids = SomeIds(3, 9);
  const at::Tensor alone = model.Forward(ids.narrow(0, 1, 1).narrow(1, 0, 6), {}).hidden;
  const at::Tensor together = model.Forward(ids, {}).hidden.narrow(0, 1, 1).narrow(1, 0, 6);
  EXPECT_LT(RelativeError(together, alone), 1e-5);
}

// The golden test has the values of whole models (tests/golden/feature_golden_test.cc).
TEST_P(GemmaTest, AnEditedSiteIsWhatTheRestOfTheModelSees) {
  const at::NoGradGuard no_grad;
  const Gemma model = Lively(GetParam());
  const at::Tensor ids = SomeIds(2, 5);
  for (const Site site : {Site::kResidPost, Site::kMlpOut, Site::kAttnZ}) {
    const SiteEdit same = {{1, site}, [](const at::Tensor& values) { return values; }};
    const SiteEdit zero = {{1, site},
                           [](const at::Tensor& values) { return at::zeros_like(values); }};
    ForwardOptions options;
    options.taps = {{1, site}, {0, Site::kResidPost}};
    const ForwardResult plain = model.Forward(ids, options);
    options.edit = &same;
    EXPECT_TRUE(at::equal(model.Forward(ids, options).hidden, plain.hidden));
    options.edit = &zero;
    const ForwardResult edited = model.Forward(ids, options);
    EXPECT_EQ(edited.sites[0].count_nonzero().item<int64_t>(), 0) << SiteName(site);
    EXPECT_TRUE(at::equal(edited.sites[1], plain.sites[1])) << "what lies before is as it was";
    EXPECT_GT(RelativeError(edited.hidden, plain.hidden), 1e-3) << SiteName(site);
  }
  ForwardOptions outside;
  const SiteEdit edit = {{3, Site::kMlpOut}, [](const at::Tensor& values) { return values; }};
  outside.edit = &edit;
  EXPECT_THROW(model.Forward(ids, outside), c10::Error);
}

TEST_P(GemmaTest, TheWindowIsOverPositions) {
  const Gemma model = Lively(GetParam());
  if (!model.config().sliding[0]) GTEST_SKIP() << "no layer slides";
  at::Tensor ids = SomeIds(1, 12);
  ForwardOptions options;
  options.taps = {{0, Site::kResidPost}};
  const at::Tensor before = model.Forward(ids, options).sites[0];
  ids[0][0] = (ids[0][0] + 1) % 61;
  const at::Tensor after = model.Forward(ids, options).sites[0];
  // Layer 0 slides with a window of 4: position 3 is the last that sees position 0.
  EXPECT_GT(RelativeError(after.select(1, 3), before.select(1, 3)), 1e-5);
  EXPECT_EQ(RelativeError(after.narrow(1, 4, 8), before.narrow(1, 4, 8)), 0);
}

TEST_P(GemmaTest, TapsAreRawAndInOrder) {
  const Gemma model = Lively(GetParam());
  ForwardOptions options;
  options.taps = {{2, Site::kResidPost}, {0, Site::kAttnZ}, {2, Site::kMlpOut}};
  const ForwardResult result = model.Forward(SomeIds(2, 5), options);
  ASSERT_EQ(result.sites.size(), 3u);
  EXPECT_EQ(result.sites[1].size(-1), 40);
  // The final norm of the last block's output is the hidden state.
  const at::Tensor& x = result.sites[0];
  const at::Tensor& weight = model.Parameters().back().second;
  const at::Tensor normed =
      x * (x.square().mean(-1, true) + 1e-6).rsqrt() * (weight + model.config().norm().offset);
  EXPECT_LT(RelativeError(result.hidden, normed), 1e-5);
  options.taps = {{3, Site::kResidPost}};
  EXPECT_THROW(model.Forward(SomeIds(2, 5), options), c10::Error);
}

// Layers behind the last tap are not computed; what is before them is the same to the bit.
TEST_P(GemmaTest, SitesAloneEndWithTheLastTap) {
  const Gemma model = Lively(GetParam());
  const at::Tensor ids = SomeIds(1, 9);
  for (const auto& layout :
       {std::shared_ptr<const PackedLayout>(), PackedLayout::Of({{4, {2, 3}}})}) {
    ForwardOptions options;
    options.taps = {{0, Site::kMlpOut}, {1, Site::kResidPost}, {1, Site::kAttnZ}};
    options.layout = layout;
    for (const bool kept_rows : {false, true}) {
      options.kept_rows = kept_rows;
      options.sites_only = false;
      const ForwardResult whole = model.Forward(ids, options);
      options.sites_only = true;
      const ForwardResult sites = model.Forward(ids, options);
      EXPECT_FALSE(sites.hidden.defined());
      ASSERT_EQ(sites.sites.size(), 3u);
      for (size_t i = 0; i < sites.sites.size(); ++i) {
        EXPECT_LT(RelativeError(sites.sites[i], whole.sites[i]), kept_rows ? 1e-6 : 1e-30) << i;
      }
    }
  }
}

TEST_P(GemmaTest, CheckpointingWithTapsGivesTheSameGradients) {
  Gemma model = Lively(GetParam());
  model.SetRequiresGrad(true);
  std::vector<std::vector<at::Tensor>> grads;
  for (const int64_t checkpointed : {0, 1, 2, 1000}) {  // of the first layers, and of all
    ForwardOptions options;
    options.taps = {{1, Site::kMlpOut}, {2, Site::kResidPost}};
    options.checkpointed_layers = checkpointed;
    options.activation_checkpointing = checkpointed == 1000;
    const ForwardResult r = model.Forward(SomeIds(2, 7), options);
    (r.hidden.square().sum() + r.sites[0].sum() + r.sites[1].square().sum()).backward();
    grads.emplace_back();
    for (const auto& [name, parameter] : model.Parameters()) {
      grads.back().push_back(parameter.grad().clone());
      parameter.mutable_grad().reset();
    }
  }
  for (size_t way = 1; way < grads.size(); ++way) {
    for (size_t i = 0; i < grads[0].size(); ++i) {
      EXPECT_TRUE(at::equal(grads[0][i], grads[way][i])) << model.Parameters()[i].first << way;
    }
  }
}

TEST_P(GemmaTest, Bfloat16FollowsFloat32) {
  const Gemma wide = Lively(GetParam());
  const Gemma narrow = Lively(GetParam(), at::kBFloat16);
  const at::Tensor a = wide.Forward(SomeIds(2, 8), {}).hidden;
  const at::Tensor b = narrow.Forward(SomeIds(2, 8), {}).hidden;
  EXPECT_EQ(b.scalar_type(), at::kBFloat16);
  const double error = (a - b).norm().item<double>() / a.norm().item<double>();
  EXPECT_LT(error, 0.05);
  EXPECT_GT(error, 0);
}

TEST_P(GemmaTest, UntiedHeadIsItsOwnParameter) {
  GemmaConfig config = TinyForTest(GetParam());
  const Gemma tied = Gemma::Random(config, 1, at::kFloat);
  EXPECT_TRUE(tied.head().is_same(tied.Parameters().front().second));
  config.tied_head = false;
  const Gemma model = Gemma::Random(config, 1, at::kFloat);
  EXPECT_EQ(model.Parameters().back().first, "lm_head.weight");
  EXPECT_TRUE(model.head().is_same(model.Parameters().back().second));
}

TEST_P(GemmaTest, RefusesIdsOfAnotherKind) {
  const Gemma model = Lively(GetParam());
  EXPECT_THROW(model.Forward(at::zeros({4}, at::kLong), {}), c10::Error);
  EXPECT_THROW(model.Forward(at::zeros({1, 4}, at::kInt), {}), c10::Error);
  EXPECT_THROW(model.Forward(at::full({1, 4}, 61, at::kLong), {}), c10::Error);
}

INSTANTIATE_TEST_SUITE_P(Architectures, GemmaTest,
                         ::testing::Values(Architecture::kGemma2, Architecture::kGemma3,
                                           Architecture::kLlama, Architecture::kQwen3));

}  // namespace
}  // namespace fpo::train
