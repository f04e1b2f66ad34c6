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

struct UpdateTensors {
  at::Tensor w, m, v, g, rounded;

  explicit UpdateTensors(int64_t count) {
    at::manual_seed(count);
    w = at::randn({count});
    m = at::randn({count});
    v = at::rand({count});
    g = at::randn({count});
    rounded = at::empty({count}, at::kBFloat16);
  }
  CudaUpdate Call(const at::Tensor& factor) const {
    CudaUpdate update = {};
    update.span = {w.mutable_data_ptr<float>(), m.mutable_data_ptr<float>(),
                   v.mutable_data_ptr<float>(), g.const_data_ptr<float>(), w.numel()};
    update.rounded = static_cast<uint16_t*>(rounded.mutable_data_ptr());
    if (factor.defined()) update.factor = factor.const_data_ptr<float>();
    return update;
  }
};

constexpr AdamStep kAdam = {0.5F, 0.1F, 1e-3F, 0.1F, 0.99F, 0.01F, 0.02F, 2, 1e-3F};

TEST(CudaSums, AdamMultipliesByAFactorInMemory) {
  for (const int64_t count : {1, 3, 4096, 4101}) {
    const UpdateTensors scaled(count), whole(count);
    whole.g.mul_(0.25F);
    Table().adam(scaled.Call(at::full({1}, 0.25F)), kAdam, nullptr);
    Table().adam(whole.Call({}), kAdam, nullptr);
    EXPECT_TRUE(at::equal(scaled.w, whole.w)) << count;
    EXPECT_TRUE(at::equal(scaled.m, whole.m)) << count;
    EXPECT_TRUE(at::equal(scaled.v, whole.v)) << count;
    EXPECT_TRUE(at::equal(scaled.rounded, scaled.w.to(at::kBFloat16))) << count;
  }
}

// A norm that is not finite must not reach the weights.
TEST(CudaSums, NothingMovesWhereTheFactorIsNaN) {
  const UpdateTensors moved(100), kept(100);
  const at::Tensor nan = at::full({1}, std::numeric_limits<float>::quiet_NaN());
  Table().adam(moved.Call(nan), kAdam, nullptr);
  Table().rms_prop(moved.Call(nan), {1, 0, 0.9F, 0.1F, 0.1F, 1e-3F}, nullptr);
  EXPECT_TRUE(at::equal(moved.w, kept.w));
  EXPECT_TRUE(at::equal(moved.m, kept.m));
  EXPECT_TRUE(at::equal(moved.v, kept.v));
}

TEST(CudaSums, AdamFollowsTheFormula) {
  const UpdateTensors x(4100);
  const at::Tensor w = x.w.to(at::kDouble), g = x.g.to(at::kDouble) * 0.5 + w * 0.1;
  const at::Tensor m = x.m.to(at::kDouble) + (g - x.m.to(at::kDouble)) * 0.1;
  const at::Tensor v = x.v.to(at::kDouble) * 0.99 + g.square() * 0.01;
  Table().adam(x.Call({}), kAdam, nullptr);
  const at::Tensor expected = w * 0.999 - m / (v.sqrt() * 2 + 1e-3) * 0.02;
  EXPECT_LT(RelativeError(x.w.to(at::kDouble), expected), 1e-6);
  EXPECT_LT(RelativeError(x.m.to(at::kDouble), m), 1e-6);
  EXPECT_LT(RelativeError(x.v.to(at::kDouble), v), 1e-6);
}

TEST(CudaSums, RmsPropFollowsTheFormula) {
  const UpdateTensors x(4100);
  const at::Tensor w = x.w.to(at::kDouble), g = x.g.to(at::kDouble) * 0.5 + w * 0.1;
  const at::Tensor v = x.v.to(at::kDouble) * 0.9 + g.square() * 0.1;
  Table().rms_prop(x.Call({}), {0.5F, 0.1F, 0.9F, 0.1F, 0.02F, 1e-3F}, nullptr);
  EXPECT_LT(RelativeError(x.w.to(at::kDouble), w - g / (v.sqrt() + 1e-3) * 0.02), 1e-6);
  EXPECT_LT(RelativeError(x.v.to(at::kDouble), v), 1e-6);
}

}  // namespace
}  // namespace fpo::train
