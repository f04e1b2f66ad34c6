#include "train/ops/packed_attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"
#include "train/ops/fast_paths.h"

namespace fpo::train {
namespace {

struct PackedInputs {
  at::Tensor q, k, v;
};

PackedInputs MakePacked(int64_t rows, int64_t width, at::ScalarType type) {
  at::manual_seed(3);
  return {(at::randn({rows, 4, width}, at::kDouble) * 2).to(type),
          (at::randn({rows, 2, width}, at::kDouble) * 2).to(type),
          at::randn({rows, 2, width}, at::kDouble).to(type)};
}

// Each prompt and each prompt with one of its responses as a sequence of its own.
at::Tensor OneByOne(const PackedInputs& in, const PackedLayout& layout,
                    const AttentionOptions& options) {
  const auto attend = [&](const std::vector<int64_t>& rows) {
    const at::Tensor index = at::tensor(rows, at::kLong);
    const auto of = [&](const at::Tensor& x) { return x.index_select(0, index).unsqueeze(0); };
    return CausalAttention(of(in.q), of(in.k), of(in.v), options)[0];
  };
  std::vector<at::Tensor> parts;
  for (size_t g = 0; g < layout.groups.size(); ++g) {
    std::vector<int64_t> prompt;
    for (int64_t i = 0; i < layout.groups[g].prompt; ++i) prompt.push_back(layout.first[g] + i);
    parts.push_back(attend(prompt));
    int64_t next = prompt.back() + 1;
    for (const int64_t response : layout.groups[g].responses) {
      std::vector<int64_t> rows = prompt;
      for (int64_t i = 0; i < response; ++i) rows.push_back(next++);
      parts.push_back(attend(rows).narrow(0, static_cast<int64_t>(prompt.size()), response));
    }
  }
  return at::cat(parts);
}

std::shared_ptr<const PackedLayout> SmallLayout() {
  return PackedLayout::Of({{3, {2, 4}}, {5, {1}}, {2, {}}});
}

class PackedAttentionTest : public ::testing::TestWithParam<AttentionOptions> {};
INSTANTIATE_TEST_SUITE_P(Kinds, PackedAttentionTest,
                         ::testing::Values(AttentionOptions{0.4, 0, 0, 256},
                                           AttentionOptions{0.4, 1.5, 0, 2},
                                           AttentionOptions{0.4, 1.5, 3, 256},
                                           AttentionOptions{0.4, 0, 2, 2}));

TEST_P(PackedAttentionTest, EqualsEachSequenceByItself) {
  const auto layout = SmallLayout();
  const PackedInputs in = MakePacked(layout->rows, 6, at::kDouble);
  EXPECT_LT(RelativeError(PackedAttention(in.q, in.k, in.v, {layout, GetParam()}),
                          OneByOne(in, *layout, GetParam())),
            1e-13);
}

// The same queries without those of the prompts but the last.
TEST_P(PackedAttentionTest, KeptQueriesGiveTheSameRows) {
  const auto layout = SmallLayout();
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const PackedInputs in = MakePacked(layout->rows, 6, type);
    const at::Tensor all = PackedAttention(in.q, in.k, in.v, {layout, GetParam()});
    const at::Tensor kept = PackedAttention(in.q.index_select(0, layout->kept), in.k, in.v,
                                            {layout, GetParam(), /*kept_queries=*/true});
    EXPECT_LT(RelativeError(kept, all.index_select(0, layout->kept)),
              type == at::kDouble ? 1e-13 : 1e-6);
  }
}

// The prompt's keys get what all its responses give.
TEST_P(PackedAttentionTest, HasExactGradients) {
  const auto layout = SmallLayout();
  const PackedInputs in = MakePacked(layout->rows, 4, at::kDouble);
  ExpectGradientsMatchDifferences(
      [&](const auto& x) {
        return PackedAttention(x[0], x[1], x[2], {layout, GetParam()});
      },
      {in.q, in.k, in.v});
}

// Lengths around the kernels' blocks of 60 queries and 64 keys, windows shorter and longer.
TEST(PackedAttention, KernelsGiveTheValuesAndGradientsOfFloat64) {
  const auto layout = PackedLayout::Of({{63, {1, 70}}, {64, {65, 128, 2}}, {1, {200}}, {7, {}}});
  for (const int64_t width : {6, 16, 64}) {
    for (const int64_t window : {0, 1, 5, 64, 100}) {
      for (const double cap : {0.0, 2.0}) {
        const AttentionOptions options = {0.125, cap, window, 256};
        const auto gradients = [&](at::ScalarType type) {
          PackedInputs in = MakePacked(layout->rows, width, at::kFloat);
          for (at::Tensor* x : {&in.q, &in.k, &in.v}) *x = x->to(type).set_requires_grad(true);
          const bool kept = window == 5;
          const at::Tensor queries = kept ? in.q.index_select(0, layout->kept) : in.q;
          const at::Tensor z = PackedAttention(queries, in.k, in.v, {layout, options, kept});
          at::manual_seed(8);
          const at::Tensor weights = at::randn(z.sizes()).to(type);
          auto all = torch::autograd::grad({(z * weights).sum()}, {in.q, in.k, in.v});
          all.push_back(z.detach());
          return all;
        };
        const FastPathsInScope fast({true, true, true});
        const auto ours = gradients(at::kFloat), exact = gradients(at::kDouble);
        for (size_t i = 0; i < exact.size(); ++i) {
          EXPECT_LT(RelativeError(ours[i].to(at::kDouble), exact[i]), 2e-5)
              << i << " window " << window << " cap " << cap << " width " << width;
        }
      }
    }
  }
}

TEST(PackedAttention, KernelsGiveTheSameBitsWithAnyNumberOfThreads) {
  const auto layout = PackedLayout::Of({{63, {1, 70}}, {64, {65, 128}}, {1, {200}}});
  const FastPathsInScope fast({true, true, true});
  const auto gradients = [&](int threads) {
    at::set_num_threads(threads);
    PackedInputs in = MakePacked(layout->rows, 16, at::kFloat);
    for (at::Tensor* x : {&in.q, &in.k, &in.v}) x->set_requires_grad(true);
    const at::Tensor z = PackedAttention(in.q, in.k, in.v, {layout, {0.3, 2, 100, 256}});
    return torch::autograd::grad({z.square().sum()}, {in.q, in.k, in.v});
  };
  const int before = at::get_num_threads();
  const auto one = gradients(1), many = gradients(3);
  at::set_num_threads(before);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], many[i])) << i;
}

TEST(PackedAttention, RefusesWhatDoesNotFit) {
  const PackedInputs in = MakePacked(5, 4, at::kFloat);
  EXPECT_THROW(PackedAttention(in.q, in.k, in.v, {PackedLayout::Of({{4, {}}}), {}}), c10::Error);
  EXPECT_THROW(PackedAttention(in.q, in.k, in.v.narrow(0, 0, 4), {PackedLayout::Of({{5, {}}}), {}}),
               c10::Error);
}

}  // namespace
}  // namespace fpo::train
