#include "train/reference/online_reference.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/train/support/tiny_run.h"
#include "train/reference/scorer.h"

namespace fpo::train {
namespace {

TEST(OnlineReference, SaysWhatTheScorerStores) {
  const TinyRun tiny;
  const auto model = LoadModel({tiny.Path("model"), "float32"});
  ASSERT_TRUE(model.ok());
  const auto sae = LoadSae({tiny.Path("sae"), {}, ""}, model->model.config(), at::kCPU);
  ASSERT_TRUE(sae.ok());
  const std::vector<TokenPair> pairs = RandomPairs(4, 9);
  const std::vector<Sequence> sequences = BothSides(Views(pairs));
  OnlineReference online(model->model, {*sae});
  const auto values = online.Values(sequences, ReferenceDetail::kSums);
  ASSERT_TRUE(values.ok()) << values.status();
  const auto records = Scorer(model->model, {{*sae}, 0, 4096}).Score(sequences, {});
  ASSERT_TRUE(records.ok());
  for (size_t i = 0; i < sequences.size(); ++i) {
    const int64_t row = static_cast<int64_t>(i);
    EXPECT_NEAR(values->logp[row].item<double>(), (*records)[i].sum_logp, 1e-4);
    for (const auto& [index, value] : (*records)[i].features[0]) {
      EXPECT_NEAR(values->pooled[0][row][index].item<float>(), value, 1e-5);
    }
  }
  EXPECT_FALSE(values->logp.requires_grad());
}

}  // namespace
}  // namespace fpo::train
