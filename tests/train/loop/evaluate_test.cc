#include "train/loop/evaluate.h"

#include <gtest/gtest.h>

#include "tests/train/support/float64_run.h"
#include "tests/train/support/memory_limit.h"
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
  MicroBatchSize size({4096, false}), one({1, false});
  const auto all = EvaluatePairs({objective, *pairs, 512}, &size, group);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->at("eval_pairs"), 5);
  EXPECT_EQ(all->count("eval_logps/accuracies"), 1u);
  EXPECT_EQ(all->count("eval_rewards/margins"), 1u);
  const auto some = EvaluatePairs({objective, *pairs, 2}, &size, group);
  EXPECT_EQ(some->at("eval_pairs"), 2);
  const auto cut = EvaluatePairs({objective, *pairs, 512}, &one, group);
  EXPECT_NEAR(cut->at("eval_loss"), all->at("eval_loss"), 1e-12);
  // On a device that is too small for all pairs at once it is cut until it fits.
  const auto peak = [&](MicroBatchSize* used) {
    const MemoryLimit none(MemoryLimit::kNone);
    EXPECT_TRUE(EvaluatePairs({objective, *pairs, 512}, used, group).ok());
    return none.peak_bytes();
  };
  const int64_t whole = peak(&size), single = peak(&one);
  ASSERT_LT(single, whole);
  MicroBatchSize halved({4096, true});
  const MemoryLimit limit((single + whole) / 2);
  const auto fitted = EvaluatePairs({objective, *pairs, 512}, &halved, group);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_GT(limit.refused(), 0);
  EXPECT_LT(halved.tokens(), 4096);
  EXPECT_NEAR(fitted->at("eval_loss"), all->at("eval_loss"), 1e-12);
}

}  // namespace
}  // namespace fpo::train
