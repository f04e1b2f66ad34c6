#include "train/model/backward_watch.h"

#include <ATen/ATen.h>

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "train/model/gemma.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class NotingWatch final : public BackwardWatch {
 public:
  void OnForward() override { ++forwards; }
  void OnBackward(int64_t layer) override { layers.push_back(layer); }
  int forwards = 0;
  std::vector<int64_t> layers;
};

at::Tensor Loss(const Gemma& model) {
  const at::Tensor ids = at::arange(6).view({1, 6});
  return model.Forward(ids, {}).hidden.sum();
}

TEST(BackwardWatch, FollowsPassesDownTheBlocks) {
  Gemma model = Gemma::Random(TinyForTest(), 1, at::kFloat);
  model.SetRequiresGrad(true);
  const int64_t last = model.config().layers - 1;
  NotingWatch watch;
  {
    const BackwardWatchInScope scope(&watch);
    const at::Tensor loss = Loss(model) + Loss(model);
    EXPECT_EQ(watch.forwards, 2);
    EXPECT_THAT(watch.layers, IsEmpty());
    loss.backward();
  }
  ASSERT_EQ(watch.layers.size(), 2u * static_cast<size_t>(last + 2));
  EXPECT_EQ(watch.layers.front(), last);
  EXPECT_EQ(watch.layers.back(), -1);
}

// When backward has come to the output of a block, the weights of all later ones have gradients.
TEST(BackwardWatch, WhatIsBehindHasItsGradients) {
  Gemma model = Gemma::Random(TinyForTest(), 1, at::kFloat);
  model.SetRequiresGrad(true);
  class Checking final : public BackwardWatch {
   public:
    explicit Checking(const Gemma& model) : model_(model) {}
    void OnForward() override {}
    void OnBackward(int64_t layer) override {
      for (const auto& [name, weight] : model_.Parameters()) {
        const size_t at = name.find("layers.");
        if (at == std::string::npos || std::stoll(name.substr(at + 7)) <= layer) continue;
        EXPECT_TRUE(weight.grad().defined()) << name << " behind " << layer;
        ++checked;
      }
    }
    int checked = 0;

   private:
    const Gemma& model_;
  } checking(model);
  const BackwardWatchInScope scope(&checking);
  Loss(model).backward();
  EXPECT_GT(checking.checked, 20);
}

TEST(BackwardWatch, ForwardsWithoutGradientsAreNotFollowed) {
  const Gemma model = Gemma::Random(TinyForTest(), 1, at::kFloat);
  NotingWatch watch;
  const BackwardWatchInScope scope(&watch);
  Loss(model);
  EXPECT_EQ(watch.forwards, 0);
}

TEST(BackwardWatch, ScopesNest) {
  NotingWatch outer, inner;
  EXPECT_EQ(CurrentBackwardWatch(), nullptr);
  {
    const BackwardWatchInScope first(&outer);
    {
      const BackwardWatchInScope second(&inner);
      EXPECT_EQ(CurrentBackwardWatch(), &inner);
    }
    EXPECT_EQ(CurrentBackwardWatch(), &outer);
  }
  EXPECT_EQ(CurrentBackwardWatch(), nullptr);
}

}  // namespace
}  // namespace fpo::train
