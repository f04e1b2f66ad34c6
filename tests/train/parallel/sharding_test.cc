#include "train/parallel/sharding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fpo::train {
namespace {

TEST(Sharding, OneRankKeepsEverything) {
  for (const char* word : {"auto", "none", "optimizer", "gradients"}) {
    EXPECT_EQ(*ChooseSharding(word, 1), Sharding::kNone) << word;
    const Sharding chosen = *ChooseSharding(word, 4);
    EXPECT_EQ(ShardingName(chosen), word == std::string("auto") ? "optimizer" : word);
  }
  EXPECT_THAT(std::string(ChooseSharding("parameters", 2).status().message()),
              ::testing::HasSubstr("parallel.shard is \"parameters\""));
}

TEST(Sharding, IsDescribed) {
  EXPECT_EQ(DescribeSharding(Sharding::kNone, 1), "");
  EXPECT_EQ(DescribeSharding(Sharding::kNone, 2), "nothing sharded over 2 ranks");
  EXPECT_EQ(DescribeSharding(Sharding::kOptimizer, 4), "optimiser state sharded over 4 ranks");
  EXPECT_THAT(DescribeSharding(Sharding::kGradients, 4), ::testing::HasSubstr("gradients and"));
}

}  // namespace
}  // namespace fpo::train
