#include "train/ops/product.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"
#include "tests/train/ops/memory_watch.h"
#include "train/ops/fast_paths.h"

namespace fpo::train {
namespace {

// A sum of n products in float32, in any order, is off by at most n 2^-24 times the sum of their
// sizes.
void ExpectProduct(const at::Tensor& product, const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
  const at::Tensor bound = at::mm(x.abs(), y.abs()) * (static_cast<double>(a.size(1)) * 0x1p-24);
  const at::Tensor apart = (product.to(at::kDouble) - at::mm(x, y)).abs();
  EXPECT_TRUE(apart.le(bound).all().item<bool>()) << (apart / bound).max().item<double>();
}

// By MKL, and where there is AVX-512 by oneDNN, whatever this processor's choice.
class MatrixProducts : public testing::TestWithParam<bool> {
 protected:
  MatrixProducts()
      : scope_([] {
          FastPaths paths = ActiveFastPaths();
          paths.onednn = GetParam();
          return paths;
        }()) {}

 private:
  FastPathsInScope scope_;
};

INSTANTIATE_TEST_SUITE_P(OneDnn, MatrixProducts, testing::Bool());

// Small ones by at::mm, large ones by whatever is fastest; each operand as it is and transposed.
TEST_P(MatrixProducts, IsThatOfFloat64) {
  for (const int64_t size : {3, 130}) {
    at::manual_seed(1);
    const int64_t m = size, inner = size + 57, n = size + 111;
    for (const bool first : {false, true}) {
      for (const bool second : {false, true}) {
        const at::Tensor a = first ? at::randn({inner, m}).t() : at::randn({m, inner});
        const at::Tensor b = second ? at::randn({n, inner}).t() : at::randn({inner, n});
        ExpectProduct(MatrixProduct(a, b), a, b);
      }
    }
  }
}

// Columns of a larger matrix, as a chunk of a vocabulary.
TEST_P(MatrixProducts, TakesViews) {
  at::manual_seed(1);
  const at::Tensor all = at::randn({200, 400}), b = at::randn({200, 150});
  const at::Tensor a = all.narrow(1, 100, 190).t();
  ExpectProduct(MatrixProduct(a, b), a, b);
}

// Small and large, into rows of a larger matrix whose other rows stay.
TEST_P(MatrixProducts, IsStoredAndAddedInPlace) {
  for (const int64_t size : {3, 130, 2300}) {
    at::manual_seed(3);
    const int64_t m = size, inner = 70, n = 1100;
    const at::Tensor a = at::randn({inner, m}).t(), b = at::randn({inner, n});
    const at::Tensor all = at::full({m + 2, n}, 7.0F), into = all.narrow(0, 1, m);
    StoreMatrixProduct(into, a, b);
    ExpectProduct(into, a, b);
    AddMatrixProduct(into, a, b);
    ExpectProduct(into / 2, a, b);
    EXPECT_TRUE(all[0].eq(7).all().item<bool>() && all[m + 1].eq(7).all().item<bool>());
  }
}

// As the gradient of a head: the logits of a chunk are larger than all else.
TEST_P(MatrixProducts, IsStoredAndAddedWithoutACopyOfATransposedOperand) {
  const at::Tensor logits = at::ones({1000, 8192}), hidden = at::ones({1000, 32});
  const at::Tensor into = at::zeros({8192, 32});
  const MemoryWatch watch;
  StoreMatrixProduct(into, logits.t(), hidden);
  AddMatrixProduct(into, logits.t(), hidden);
  EXPECT_LT(watch.peak_bytes(), int64_t{12} << 20);
  EXPECT_TRUE(into.eq(2000).all().item<bool>());
}

TEST(MatrixProduct, RefusesWhatDoesNotFit) {
  EXPECT_THROW(StoreMatrixProduct(at::ones({2, 3}), at::ones({2, 3}), at::ones({2, 3})),
               c10::Error);
  EXPECT_THROW(MatrixProduct(at::ones({2, 3}), at::ones({2, 3})), c10::Error);
}

TEST(Linear, HasTheValuesAndGradientsOfFloat64) {
  for (const int64_t rows : {3, 90}) {
    at::manual_seed(2);
    const at::Tensor x = at::randn({2, rows, 160}), w = at::randn({200, 160});
    const auto gradients = [&](at::ScalarType type) {
      const at::Tensor input = x.to(type).set_requires_grad(true);
      const at::Tensor weight = w.to(type).set_requires_grad(true);
      const at::Tensor y = Linear(input, weight);
      EXPECT_EQ(y.sizes(), at::IntArrayRef({2, rows, 200}));
      auto all = torch::autograd::grad({y.square().sum() / 1000}, {input, weight});
      all.push_back(y.detach());
      return all;
    };
    const auto ours = gradients(at::kFloat), exact = gradients(at::kDouble);
    for (size_t i = 0; i < exact.size(); ++i)
      EXPECT_LT(RelativeError(ours[i], exact[i]), 2e-5) << i;
  }
}

TEST(Linear, GivesTheSameBitsTwice) {
  at::manual_seed(2);
  const at::Tensor x = at::randn({180, 160}), w = at::randn({200, 160});
  EXPECT_TRUE(at::equal(Linear(x, w), Linear(x, w)));
}

}  // namespace
}  // namespace fpo::train
