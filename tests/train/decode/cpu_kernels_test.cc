#include "train/decode/cpu_kernels.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace fpo::train {
namespace {

at::Tensor Random(std::vector<int64_t> shape, uint64_t seed) {
  at::manual_seed(seed);
  return at::randn(shape);
}

at::Tensor Product(const at::Tensor& x, const at::Tensor& weight) {
  at::Tensor y = at::empty({x.size(0), weight.size(0)});
  const bool wide = weight.scalar_type() == at::kFloat;
  const LinearTask task{x.const_data_ptr<float>(),
                        x.size(0),
                        x.size(1),
                        weight.const_data_ptr(),
                        wide ? WeightType::kFloat32 : WeightType::kBFloat16,
                        y.mutable_data_ptr<float>(),
                        weight.size(0)};
  LinearColumns(task, 0, weight.size(0));
  return y;
}

TEST(CpuKernels, ProductsAgreeWithFloat64) {
  for (const int64_t depth : {1, 7, 16, 40, 257}) {
    for (const int64_t rows : {1, 2, 3, 5, 8, 13, 37}) {
      const at::Tensor x = Random({rows, depth}, 1), weight = Random({11, depth}, 2);
      const at::Tensor exact = at::linear(x.to(at::kDouble), weight.to(at::kDouble));
      EXPECT_LT((Product(x, weight).to(at::kDouble) - exact).abs().max().item<double>(),
                1e-6 * std::sqrt(static_cast<double>(depth)) * 20)
          << rows << " " << depth;
    }
  }
}

TEST(CpuKernels, AProductDoesNotDependOnItsBatch) {
  const at::Tensor x = Random({37, 71}, 1), weight = Random({19, 71}, 2);
  const at::Tensor all = Product(x, weight);
  for (int64_t first = 0; first < 37; ++first) {
    for (const int64_t rows : {1, 2, 4, 7, 8}) {
      if (first + rows > 37) continue;
      const at::Tensor some = Product(x.narrow(0, first, rows).contiguous(), weight);
      ASSERT_TRUE(at::equal(some, all.narrow(0, first, rows))) << first << " " << rows;
    }
  }
}

TEST(CpuKernels, BFloat16WeightsAreThoseWidened) {
  const at::Tensor x = Random({9, 45}, 1), weight = Random({14, 45}, 2).to(at::kBFloat16);
  EXPECT_TRUE(at::equal(Product(x, weight), Product(x, weight.to(at::kFloat))));
}

TEST(CpuKernels, ColumnsMayBeComputedInParts) {
  const at::Tensor x = Random({5, 33}, 1), weight = Random({17, 33}, 2);
  at::Tensor y = at::empty({5, 17});
  const LinearTask task{
      x.const_data_ptr<float>(),   5, 33, weight.const_data_ptr(), WeightType::kFloat32,
      y.mutable_data_ptr<float>(), 17};
  LinearColumns(task, 10, 17);
  LinearColumns(task, 0, 10);
  EXPECT_TRUE(at::equal(y, Product(x, weight)));
}

TEST(CpuKernels, SoftcapAgreesWithFloat64) {
  const at::Tensor x = at::linspace(-240, 240, 1003);
  at::Tensor capped = x.clone();
  SoftcapInPlace(capped.mutable_data_ptr<float>(), 1003, 30);
  const at::Tensor cap = at::tanh(x.to(at::kDouble) / 30) * 30;
  EXPECT_TRUE(at::allclose(capped.to(at::kDouble), cap, 1e-6, 1e-6));
}

// Every value is computed the same, wherever it stands.
TEST(CpuKernels, TailsAreComputedAsTheRest) {
  std::vector<float> x(19, 0.37f);
  SoftcapInPlace(x.data(), 19, 2);
  for (const float value : x) EXPECT_EQ(value, x[0]);
}

struct Rings {
  int64_t dim, group, slots, first, last;
};

TEST(CpuKernels, AttentionOverARing) {
  for (const Rings& r : {Rings{10, 2, 7, 3, 8}, Rings{64, 4, 40, 0, 39}, Rings{256, 1, 9, 20, 28},
                         Rings{17, 7, 5, 4, 4}}) {
    const at::Tensor q = Random({r.group, r.dim}, 1);
    const at::Tensor keys = Random({r.slots, r.dim}, 2), values = Random({r.slots, r.dim}, 3);
    at::Tensor z = at::empty({r.group, r.dim});
    const int64_t count = r.last - r.first + 1;
    std::vector<float> scores(static_cast<size_t>(r.group * count));
    const AttendTask task{q.const_data_ptr<float>(),
                          z.mutable_data_ptr<float>(),
                          keys.const_data_ptr<float>(),
                          values.const_data_ptr<float>(),
                          scores.data(),
                          r.group,
                          r.dim,
                          r.slots,
                          r.first,
                          r.last,
                          0.25f,
                          5.0f};
    Attend(task);
    const at::Tensor slots = at::arange(r.first, r.last + 1, at::kLong).remainder(r.slots);
    const at::Tensor k = keys.index_select(0, slots).to(at::kDouble);
    const at::Tensor v = values.index_select(0, slots).to(at::kDouble);
    const at::Tensor score = at::tanh(at::linear(q.to(at::kDouble), k) * 0.25 / 5) * 5;
    const at::Tensor exact = at::matmul(at::softmax(score, -1), v);
    EXPECT_LT((z.to(at::kDouble) - exact).abs().max().item<double>(), 2e-6) << r.dim;
  }
}

TEST(CpuKernels, ArgMaxIsTheFirstOfTheLargest) {
  std::vector<float> x(100, -3.0f);
  x[71] = x[40] = 2.0f;
  EXPECT_EQ(ArgMax(x.data(), 100), 40);
  x[99] = 5.0f;
  EXPECT_EQ(ArgMax(x.data(), 100), 99);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const size_t at : {size_t{3}, size_t{98}}) {
      std::vector<float> broken = x;
      broken[at] = bad;
      EXPECT_EQ(ArgMax(broken.data(), 100), -1);
    }
  }
}

}  // namespace
}  // namespace fpo::train
