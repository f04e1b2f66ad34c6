#include "train/reference/response_scores.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/train/support/tiny_run.h"

namespace fpo::train {
namespace {

// The plain way: whole log-softmax, sum by hand.
TEST(ResponseScores, EqualsAPlainLogSoftmax) {
  const Gemma model = Gemma::Random(TinyForTest(), 5, at::kFloat);
  const std::vector<TokenPair> pairs = RandomPairs(3, 11);
  std::vector<Sequence> sequences;
  for (const TokenPair& pair : pairs) sequences.push_back({pair.prompt, pair.chosen});
  const auto batch = MakeSequenceBatch(sequences, at::kCPU);
  ASSERT_TRUE(batch.ok());
  ScoringOptions options;
  options.taps = {{1, Site::kResidPost}};
  options.chunk_rows = 2;
  const ResponseScores scores = ScoreSequences(model, *batch, options);
  EXPECT_EQ(scores.site_rows[0].size(0), batch->rows);
  const double cap = *model.config().final_softcap;
  for (size_t i = 0; i < pairs.size(); ++i) {
    std::vector<int64_t> ids(pairs[i].prompt.begin(), pairs[i].prompt.end());
    ids.insert(ids.end(), pairs[i].chosen.begin(), pairs[i].chosen.end());
    const at::Tensor row = at::tensor(ids, at::kLong).unsqueeze(0);
    const at::Tensor hidden = model.Forward(row, {}).hidden[0];
    const at::Tensor logits = cap * at::tanh(hidden.matmul(model.head().t()) / cap);
    const at::Tensor logp = at::log_softmax(logits, 1);
    double sum = 0, entropy = 0;
    for (size_t t = pairs[i].prompt.size(); t < ids.size(); ++t) {
      const at::Tensor before = logp[static_cast<int64_t>(t) - 1];
      sum += before[ids[t]].item<double>();
      entropy -= (before.exp() * before).sum().item<double>();
    }
    EXPECT_NEAR(scores.logp[static_cast<int64_t>(i)].item<double>(), sum, 1e-4);
    EXPECT_NEAR(scores.entropy[static_cast<int64_t>(i)].item<double>(), entropy, 1e-3);
  }
}

// Before anything is computed: a GPU would end the process.
TEST(ResponseScores, AnIdOutsideTheVocabularyIsAnError) {
  const Gemma model = Gemma::Random(TinyForTest(), 5, at::kFloat);
  const int32_t beyond = static_cast<int32_t>(model.config().vocab_size);
  const std::vector<int32_t> prompt = {2, 3};
  for (const int32_t id : {beyond, -1}) {
    const std::vector<int32_t> response = {id};
    const auto batch = MakeSequenceBatch({{prompt, response}}, at::kCPU);
    ASSERT_TRUE(batch.ok());
    EXPECT_THROW(ScoreSequences(model, *batch, {}), c10::Error) << id;
  }
}

}  // namespace
}  // namespace fpo::train
