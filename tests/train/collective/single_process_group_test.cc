#include "train/collective/single_process_group.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace fpo::train {
namespace {

TEST(SingleProcessGroup, IsAlone) {
  SingleProcessGroup group;
  EXPECT_EQ(group.rank(), 0);
  EXPECT_EQ(group.world(), 1);
  std::vector<double> values = {1, 2};
  ASSERT_TRUE(group.Sum(&values).ok());
  EXPECT_EQ(values, (std::vector<double>{1, 2}));
  const at::Tensor tensor = at::ones({3});
  ASSERT_TRUE(group.Sum(std::vector<at::Tensor>{tensor}).ok());
  EXPECT_EQ(tensor.sum().item<double>(), 3);
  EXPECT_EQ(*group.AllGather("own"), std::vector<std::string>{"own"});
  EXPECT_TRUE(group.Barrier("x").ok());
}

}  // namespace
}  // namespace fpo::train
