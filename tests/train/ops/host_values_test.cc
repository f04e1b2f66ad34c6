#include "train/ops/host_values.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fpo::train {
namespace {

TEST(HostValues, ReadsEachTypeAsItIs) {
  HostValues values;
  const at::Tensor single = at::full({}, 0.1f, at::kFloat);
  double a = 0, b = 0, c = 0, d = 0;
  values.Add(single, &a);
  values.Add(at::full({}, 0.1, at::kDouble), &b);
  values.Add(at::full({}, (int64_t{1} << 53) - 1, at::kLong), &c);
  values.Add(at::full({}, std::numeric_limits<double>::quiet_NaN(), at::kDouble), &d);
  EXPECT_EQ(a, 0) << "before Read";
  values.Read();
  EXPECT_EQ(a, single.item<double>());
  EXPECT_EQ(b, 0.1);
  EXPECT_EQ(c, static_cast<double>((int64_t{1} << 53) - 1));
  EXPECT_TRUE(std::isnan(d));
}

TEST(HostValues, CanBeUsedAgain) {
  HostValues values;
  values.Read();
  double a = 0;
  values.Add(at::ones({}), &a);
  values.Read();
  a = 5;
  values.Read();
  EXPECT_EQ(a, 5) << "read once";
}

TEST(HostValues, TakesAValueOutOfTheGraph) {
  HostValues values;
  at::Tensor x = at::ones({2}, at::kDouble);
  x.set_requires_grad(true);
  double sum = 0;
  values.Add(x.sum(), &sum);
  values.Read();
  EXPECT_EQ(sum, 2);
}

}  // namespace
}  // namespace fpo::train
