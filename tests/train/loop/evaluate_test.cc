#include "train/loop/evaluate.h"

#include <gtest/gtest.h>

#include "tests/train/support/float64_run.h"
#include "tests/train/support/tiny_run.h"
#include "train/collective/single_process_group.h"

namespace fpo::train {
namespace {

TEST(Evaluate, LimitsThePairsAndNamesTheMetrics) {
  const TinyRun tiny;
  const auto model = LoadModel({tiny.Path("model"), "float32"});
  const auto pairs = TokenFile::Open(tiny.Path("prepared/eval.safetensors"));
  ASSERT_TRUE(model.ok() && pairs.ok());
  ObjectiveOptions options;
  options.preference.method = Method::kSimpo;
  const Gemma wide = InFloat64(model->model);
  const Objective objective(wide, options, nullptr);
  SingleProcessGroup group;
  const auto all = EvaluatePairs(objective, *pairs, {512, 4096}, group);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->at("eval_pairs"), 5);
  EXPECT_EQ(all->count("eval_logps/accuracies"), 1u);
  EXPECT_EQ(all->count("eval_rewards/margins"), 1u);
  const auto some = EvaluatePairs(objective, *pairs, {2, 4096}, group);
  EXPECT_EQ(some->at("eval_pairs"), 2);
  const auto cut = EvaluatePairs(objective, *pairs, {512, 1}, group);
  EXPECT_NEAR(cut->at("eval_loss"), all->at("eval_loss"), 1e-12);
}

}  // namespace
}  // namespace fpo::train
