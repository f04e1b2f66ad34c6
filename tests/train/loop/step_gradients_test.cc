#include "train/loop/step_gradients.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/train/support/memory_limit.h"
#include "tests/train/support/tiny_run.h"
#include "train/loop/model_loader.h"
#include "train/runs/data_plan.h"

namespace fpo::train {
namespace {

class StepGradientsTest : public ::testing::Test {
 protected:
  StepGradientsTest()
      : policy_(*LoadModel({tiny_.Path("model"), "float32", at::kCPU, true})),
        pairs_(*TokenFile::Open(tiny_.Path("prepared/train.safetensors"))) {
    job_.batch.pairs = 12;
    options_.preference.method = Method::kSimpo;
    options_.preference.beta = 2;
  }
  struct Result {
    std::vector<at::Tensor> gradients;
    double loss = 0;
    int64_t peak_bytes = 0;
    int64_t refused = 0;
    int64_t tokens = 0;
  };
  // Of the first step, on a device of `bytes`.
  Result Compute(int64_t tokens, int64_t bytes) {
    const Objective objective(policy_.model, options_, nullptr);
    const Batcher batcher = MakeBatcher(job_, pairs_, 0, 1);
    GradientBuffer buffer(policy_.model.Parameters());
    MicroBatchSize size({tokens, true});
    const MemoryLimit limit(bytes);
    const auto share = ComputeGradients({objective, pairs_, batcher, 3, 0, {12}}, &size, &buffer);
    EXPECT_TRUE(share.ok()) << share.status();
    Result result = {buffer.gradients(), 0, limit.peak_bytes(), limit.refused(), size.tokens()};
    if (share.ok()) result.loss = share->metrics.Report({Method::kSimpo}).at("loss");
    return result;
  }
  static void ExpectSameBits(const Result& a, const Result& b) {
    EXPECT_EQ(a.loss, b.loss);
    ASSERT_EQ(a.gradients.size(), b.gradients.size());
    for (size_t i = 0; i < a.gradients.size(); ++i) {
      EXPECT_TRUE(at::equal(a.gradients[i], b.gradients[i])) << i;
    }
  }
  const TinyRun tiny_;
  JobConfig job_ = tiny_.Job("simpo");
  const LoadedModel policy_;
  const TokenFile pairs_;
  ObjectiveOptions options_;
};

// Wherever in the micro-batch memory ends, nothing of the attempt is left.
TEST_F(StepGradientsTest, AfterRunningOutOfMemoryTheStepIsThatOfTheSmallerSize) {
  const Result whole = Compute(1 << 14, MemoryLimit::kNone);
  const Result plain = Compute(1, MemoryLimit::kNone);
  ASSERT_LT(plain.peak_bytes, whole.peak_bytes);
  const int64_t room = whole.peak_bytes - plain.peak_bytes;
  int repeated = 0;
  for (int part = 0; part < 8; ++part) {
    const Result result = Compute(1 << 14, plain.peak_bytes + room * part / 8);
    repeated += result.refused > 0 ? 1 : 0;
    const Result same = Compute(result.tokens, MemoryLimit::kNone);
    ExpectSameBits(result, same);
    for (const auto& [name, parameter] : policy_.model.Parameters()) {
      EXPECT_FALSE(parameter.grad().defined()) << name;
    }
  }
  EXPECT_EQ(repeated, 8);
}

// The mean over pairs does not depend on how they are cut.
TEST_F(StepGradientsTest, TheCutChangesRoundingOnly) {
  const Result whole = Compute(1 << 14, MemoryLimit::kNone);
  const Result single = Compute(1, MemoryLimit::kNone);
  EXPECT_NEAR(whole.loss, single.loss, 1e-5);
  for (size_t i = 0; i < whole.gradients.size(); ++i) {
    EXPECT_TRUE(at::allclose(whole.gradients[i], single.gradients[i], 1e-4, 1e-6)) << i;
  }
}

TEST_F(StepGradientsTest, NamesTheRowsOfPairs) { EXPECT_EQ(RowsOf(pairs_, {3, 0}), "3, 0"); }

}  // namespace
}  // namespace fpo::train
