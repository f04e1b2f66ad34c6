#include "train/parallel/flat_run.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace fpo::train {
namespace {

at::Tensor Count(int64_t begin, int64_t end) { return at::arange(begin, end).to(at::kFloat); }

TEST(FlatRun, ReadsOverTheBordersOfTensors) {
  const FlatRun run({Count(0, 6).view({2, 3}), Count(6, 7), Count(7, 11)});
  const at::Tensor values = at::full({5}, -1.0f);
  run.Read(4, values);
  EXPECT_TRUE(at::equal(values, Count(4, 9)));
  run.Read(9, values);
  EXPECT_TRUE(at::equal(values, at::tensor({9.0f, 10.0f, 0.0f, 0.0f, 0.0f}))) << values;
  run.Read(20, values);
  EXPECT_TRUE(at::equal(values, at::zeros({5})));
}

TEST(FlatRun, NoTensorsAreZeros) {
  const at::Tensor values = at::ones({2});
  FlatRun({}).Read(0, values);
  EXPECT_TRUE(at::equal(values, at::zeros({2})));
}

TEST(FlatRun, WritesWhatThereIs) {
  const at::Tensor first = at::zeros({2, 2}), second = at::zeros({3});
  const at::Tensor turned = second.new_zeros({2, 3}).t();  // not contiguous
  const FlatRun run({first, second, turned});
  run.Write(3, Count(1, 8));
  EXPECT_TRUE(at::equal(first.view({-1}), at::tensor({0.0f, 0.0f, 0.0f, 1.0f})));
  EXPECT_TRUE(at::equal(second, Count(2, 5)));
  EXPECT_TRUE(at::equal(turned.reshape({-1}), at::tensor({5.0f, 6.0f, 7.0f, 0.0f, 0.0f, 0.0f})));
  run.Write(12, Count(1, 8));  // six are past the end
  EXPECT_EQ(turned[2][1].item<float>(), 1.0f);
}

}  // namespace
}  // namespace fpo::train
