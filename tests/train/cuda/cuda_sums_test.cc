#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "tests/train/cuda/serial_table.h"
#include "tests/train/ops/finite_difference.h"
#include "train/cuda/cuda_ops.h"

namespace fpo::train {
namespace {

const CudaTable& Table() { return SerialCudaTable(); }

TEST(CudaSums, AddTheRowsOfAResponseInAnyOrder) {
  for (const int64_t rows : {0, 1, 5, 300, 1000}) {
    at::manual_seed(rows);
    const at::Tensor owners = at::randint(4, {rows}, at::kLong);
    const at::Tensor values = at::randn({rows}).requires_grad_();
    const at::Tensor sums = ResponseSumsByCuda(Table(), values, owners, 5);
    const at::Tensor expected =
        at::zeros({5}, at::kDouble).index_add(0, owners, values.detach().to(at::kDouble));
    EXPECT_LT(RelativeError(sums, expected), 1e-13) << rows;
    const at::Tensor grad = at::randn({5}, at::kDouble);
    sums.backward(grad);
    EXPECT_TRUE(at::equal(values.grad(), grad.index_select(0, owners).to(at::kFloat)));
  }
}

TEST(CudaSums, AddRowsToWhatIsThere) {
  for (const int64_t width : {1, 100, 128, 300}) {
    at::manual_seed(width);
    const at::Tensor owners = at::tensor({2, 0, 0, 2, 0, 2}, at::kLong);  // nobody's: 1
    const at::Tensor rows = at::randn({6, width});
    const at::Tensor sums = at::randn({3, width + 7}).narrow(1, 5, width);  // of a wider matrix
    const at::Tensor expected = sums.clone().index_add_(0, owners, rows);
    AddRowSumsByCuda(Table(), sums, owners, rows);
    EXPECT_LT(RelativeError(sums, expected), 5e-7) << width;
    EXPECT_TRUE(at::equal(sums[1], expected[1]));
  }
}

TEST(CudaSums, SquaresAreSummedInFloat64) {
  for (const int64_t count : {1, 7, 65536, 65537, 200003}) {
    at::manual_seed(count);
    const at::Tensor x = at::randn({count});
    const double expected = x.to(at::kDouble).square().sum().item<double>();
    EXPECT_NEAR(SquaresByCuda(Table(), x).item<double>() / expected, 1, 1e-13) << count;
  }
}

TEST(CudaSums, ClipFactorsFollowTheNorm) {
  at::manual_seed(3);
  const std::vector<at::Tensor> all = {at::randn({70000}), at::randn({3})};
  const double norm = at::cat(all).to(at::kDouble).norm().item<double>();
  const auto factor = [&](double max_norm) {
    const auto [measured, made] = ClipByCuda(Table(), all, max_norm);
    EXPECT_NEAR(measured.item<double>() / norm, 1, 1e-13);
    return made.item<float>();
  };
  EXPECT_EQ(factor(0), 1);
  EXPECT_EQ(factor(norm * 2), 1);
  EXPECT_FLOAT_EQ(factor(norm / 2), 0.5F);
  all[1][0] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(std::isnan(ClipByCuda(Table(), all, 1).second.item<float>()));
}

}  // namespace
}  // namespace fpo::train
