#include "train/parallel/bucket_sender.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/lone_rank.h"
#include "train/collective/single_process_group.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Notes the order in which buckets leave, by their size, which is their own.
class NotingGroup final : public LoneRank {
 public:
  NotingGroup() : LoneRank(0, 1) {}
  absl::StatusOr<std::unique_ptr<Transfer>> StartAllToAll(const at::Tensor& out,
                                                          const at::Tensor& in) override {
    left.push_back(in.numel());
    return alone_.StartAllToAll(out, in);
  }
  std::vector<int64_t> left;

 private:
  SingleProcessGroup alone_;
};

class BucketSenderTest : public ::testing::Test {
 protected:
  BucketSenderTest() {
    for (auto& [name, tensor] : tensors_) tensor.set_requires_grad(true);
  }
  NamedTensors tensors_ = {{"embed", at::zeros({9})},
                           {"layers.0.a", at::zeros({5})},
                           {"layers.1.a", at::zeros({6})},
                           {"norm", at::zeros({7})}};
  NotingGroup group_;
  ShardPlan plan_{tensors_, 1};
  GradientBuffer gradients_{tensors_};
  GradientExchange exchange_{plan_, group_, at::kFloat};
  BucketSender sender_{plan_, gradients_, exchange_};
};

TEST_F(BucketSenderTest, ABucketLeavesWhenAllPassesAreBehindIt) {
  sender_.Begin();
  sender_.OnForward();
  sender_.OnForward();  // a micro-batch in two parts
  sender_.OnBackward(1);
  sender_.OnBackward(0);
  sender_.OnBackward(-1);
  EXPECT_THAT(group_.left, IsEmpty());
  sender_.OnBackward(1);
  EXPECT_THAT(group_.left, ElementsAre(7));
  sender_.OnBackward(0);
  EXPECT_THAT(group_.left, ElementsAre(7, 6));
  sender_.OnBackward(-1);
  EXPECT_THAT(group_.left, ElementsAre(7, 6, 5)) << "the embedding has its gradient at the end";
  ASSERT_TRUE(sender_.End(true).ok());
  EXPECT_THAT(group_.left, ElementsAre(7, 6, 5, 9));
}

// Whatever became of its passes, a rank sends in the order of the others.
TEST_F(BucketSenderTest, TheOrderIsTheSameWithoutBackward) {
  sender_.Begin();
  tensors_[1].second.mutable_grad() = at::ones({5});
  ASSERT_TRUE(sender_.End(false).ok());
  EXPECT_THAT(group_.left, ElementsAre(7, 6, 5, 9));
  EXPECT_FALSE(tensors_[1].second.grad().defined());
  ASSERT_TRUE(exchange_.Finish().ok());
  EXPECT_TRUE(at::equal(exchange_.Range(1), at::zeros({5}))) << "of a pass that failed";
}

TEST_F(BucketSenderTest, WhatLeavesIsDroppedHere) {
  sender_.Begin();
  sender_.OnForward();
  tensors_[3].second.mutable_grad() = at::full({7}, 2.0f);
  sender_.OnBackward(1);
  EXPECT_TRUE(gradients_.IsEmpty(3, 1));
  ASSERT_TRUE(sender_.End(true).ok());
  ASSERT_TRUE(exchange_.Finish().ok());
  EXPECT_TRUE(at::equal(exchange_.Range(3), at::full({7}, 2.0f)));
}

TEST_F(BucketSenderTest, ALateGradientIsAnError) {
  sender_.Begin();
  sender_.OnForward();
  sender_.OnBackward(0);
  tensors_[2].second.mutable_grad() = at::ones({6});
  EXPECT_THAT(std::string(sender_.End(true).message()),
              HasSubstr("came after the bucket had been sent"));
}

}  // namespace
}  // namespace fpo::train
