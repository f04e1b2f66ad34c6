#include "train/parallel/gradient_exchange.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/failpoint.h"
#include "tests/train/support/thread_ranks.h"
#include "train/parallel/flat_run.h"
#include "train/parallel/range_gather.h"

namespace fpo::train {
namespace {

class GradientExchangeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasRanks()) GTEST_SKIP() << "built without Gloo: install libgloo-dev";
  }
  void TearDown() override { DisarmFailpoints(); }

  // Gradients whose sum depends on the order: of sizes far apart. The same on every rank that asks.
  std::vector<at::Tensor> Of(const ShardBucket& bucket, int64_t rank, int64_t round) const {
    at::Generator random = at::detail::createCPUGenerator(100 * rank + 10 * round + 1);
    std::vector<at::Tensor> gradients;
    for (size_t i = 0; i < bucket.count; ++i) {
      const at::Tensor& like = tensors_[bucket.first + i].second;
      gradients.push_back(at::randn(like.sizes(), random, at::kFloat) *
                          at::exp(8 * at::randn(like.sizes(), random, at::kFloat)));
    }
    return gradients;
  }
  // ((r0 + r1) + r2) + ... of the rounds one after the other.
  at::Tensor Expected(const ShardBucket& bucket, int64_t world, int64_t rounds,
                      int64_t rank) const {
    at::Tensor sum;
    for (int64_t round = 0; round < rounds; ++round) {
      for (int64_t from = 0; from < world; ++from) {
        const at::Tensor part = at::empty({bucket.range});
        FlatRun(Of(bucket, from, round)).Read(rank * bucket.range, part);
        sum = sum.defined() ? sum + part : part;
      }
    }
    return sum;
  }
  const NamedTensors tensors_ = {{"embed", at::zeros({3, 5})},
                                 {"layers.0.a", at::zeros({7, 3})},
                                 {"layers.0.b", at::zeros({2})},
                                 {"layers.1.a", at::zeros({1})},
                                 {"norm", at::zeros({40})}};
};

TEST_F(GradientExchangeTest, AnOwnerGetsTheSumInRankOrder) {
  for (const int64_t world : {1, 2, 4}) {
    AsRanks(world, [&](ProcessGroup& group) {
      const ShardPlan plan(tensors_, world);
      GradientExchange exchange(plan, group, at::kFloat);
      for (int64_t rounds = 1; rounds <= 2; ++rounds) {
        for (int64_t round = 0; round < rounds; ++round) {
          for (size_t b = plan.buckets().size(); b-- > 0;) {
            exchange.Send(b, Of(plan.buckets()[b], group.rank(), round));
          }
        }
        ASSERT_TRUE(exchange.Finish().ok());
        for (size_t b = 0; b < plan.buckets().size(); ++b) {
          EXPECT_TRUE(at::equal(exchange.Range(b),
                                Expected(plan.buckets()[b], world, rounds, group.rank())))
              << "bucket " << b << ", rank " << group.rank() << " of " << world;
        }
        exchange.Clear();
      }
      EXPECT_EQ(exchange.sent_bytes(), 3 * (world - 1) * plan.RangeElements() * 4);
    });
  }
}

// A rank that has nothing to give takes part all the same.
TEST_F(GradientExchangeTest, NoGradientsAreZeros) {
  AsRanks(2, [&](ProcessGroup& group) {
    const ShardPlan plan(tensors_, 2);
    GradientExchange exchange(plan, group, at::kFloat);
    const ShardBucket& bucket = plan.buckets()[1];
    exchange.Send(1, group.rank() == 0 ? Of(bucket, 0, 0) : std::vector<at::Tensor>{});
    ASSERT_TRUE(exchange.Finish().ok());
    const at::Tensor expected = at::empty({bucket.range});
    FlatRun(Of(bucket, 0, 0)).Read(group.rank() * bucket.range, expected);
    EXPECT_TRUE(at::equal(exchange.Range(1), expected));
  });
}

// More than a unit: 9 Mi elements for each of two ranks, of which a unit has 8 Mi.
TEST_F(GradientExchangeTest, ALargeBucketLeavesInUnits) {
  const int64_t columns = GradientExchange::UnitColumns(2), range = columns + (1 << 20);
  const NamedTensors large = {{"embed", at::empty({2 * range - 3})}};
  AsRanks(2, [&](ProcessGroup& group) {
    const ShardPlan plan(large, 2);
    ASSERT_EQ(plan.buckets()[0].range, range - 1);
    GradientExchange exchange(plan, group, at::kFloat);
    exchange.Send(0, {at::arange(2 * range - 3).remainder_(1000).to(at::kFloat)});
    ASSERT_TRUE(exchange.Finish().ok());
    const at::Tensor sum = exchange.Range(0);
    for (const int64_t at : {int64_t{0}, columns - 1, columns, range - 3}) {
      const int64_t element = group.rank() * (range - 1) + at;
      EXPECT_EQ(sum[at].item<float>(), static_cast<float>(2 * (element % 1000))) << at;
    }
  });
}

TEST_F(GradientExchangeTest, AnErrorIsKeptForTheEnd) {
  AsRanks(1, [&](ProcessGroup& group) {
    const ShardPlan plan(tensors_, 1);
    GradientExchange exchange(plan, group, at::kFloat);
    ASSERT_TRUE(ArmFailpoint("train.exchange.wait=error").ok());
    exchange.Send(1, {});
    exchange.Send(0, {});
    EXPECT_TRUE(absl::IsUnavailable(exchange.Finish()));
    exchange.Send(2, {});
    EXPECT_TRUE(absl::IsUnavailable(exchange.Finish()));
  });
}

}  // namespace
}  // namespace fpo::train
