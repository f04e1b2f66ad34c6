#include "train/reference/response_scores.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/train/ops/finite_difference.h"
#include "tests/train/support/tiny_run.h"
#include "train/ops/fast_paths.h"

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
  options.logit_bytes = 2 * model.config().vocab_size * 4;  // two rows
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

// What a loss of all scores gives: values, then the gradient of each weight.
std::vector<at::Tensor> ValuesAndGradients(const Gemma& model, const FastPaths& paths,
                                           bool activation_checkpointing) {
  const FastPathsInScope scope(paths);
  // Prompts longer and shorter than the model's window of 4, one of them twice.
  const std::vector<int32_t> long_prompt = {2, 5, 6, 7, 8, 9, 10}, prompt = {2, 7}, bos = {2};
  const std::vector<int32_t> one = {11}, some = {12, 13, 14},
                             many = {15, 16, 17, 18, 19, 20, 21, 1};
  const std::vector<Sequence> sequences = {{long_prompt, some}, {prompt, many}, {bos, one},
                                           {long_prompt, many}, {prompt, one},  {long_prompt, one}};
  const auto batch = MakeSequenceBatch(sequences, at::kCPU);
  EXPECT_TRUE(batch.ok()) << batch.status();
  ScoringOptions options;
  options.activation_checkpointing = activation_checkpointing;
  options.logit_bytes = 8 * model.config().vocab_size * 4;  // a few chunks
  for (const Site site : {Site::kResidPost, Site::kMlpOut, Site::kAttnZ}) {
    options.taps.push_back({1, site});
  }
  const auto half_square = [](const SideSums& sums) { return sums.logp.square().sum() / 2; };
  // Of one pair after the other: a wrong one would be noticed in backward, and cost time only.
  int64_t asked = 0;
  options.loss.gradient = [&](int64_t first, int64_t count, const SideSums& sums) {
    EXPECT_EQ(first, asked);
    asked += count;
    return SideGradients{sums.logp, {}};
  };
  const ResponseScores scores = ScoreSequences(model, *batch, options);
  EXPECT_EQ(asked, paths.one_head ? batch->sequences / options.loss.sides : 0);
  at::Tensor loss = half_square({scores.logp, {}, {}});
  std::vector<at::Tensor> result = {scores.logp.detach(), scores.entropy};
  for (const at::Tensor& rows : scores.site_rows) {
    loss = loss + rows.square().sum();
    result.push_back(rows.detach());
  }
  loss.backward();
  for (const auto& [name, weight] : model.Parameters()) {
    result.push_back(weight.grad().clone());
    weight.mutable_grad().reset();
  }
  return result;
}

class FastScores : public ::testing::TestWithParam<Architecture> {};
INSTANTIATE_TEST_SUITE_P(Architectures, FastScores,
                         ::testing::Values(Architecture::kGemma2, Architecture::kGemma3,
                                           Architecture::kLlama, Architecture::kQwen3));

// Positions, windows, shared prompts and the head's chunks, each by itself and together.
TEST_P(FastScores, EqualThePlainOnes) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    Gemma model = Gemma::Random(TinyForTest(GetParam()), 5, type);
    model.SetRequiresGrad(true);
    const auto plain = ValuesAndGradients(model, {false, false, false}, false);
    for (const FastPaths& paths : {FastPaths{false, true, false}, FastPaths{false, false, true},
                                   FastPaths{true, false, false}, FastPaths{true, true, true}}) {
      for (const bool checkpointing : {false, true}) {
        const auto fast = ValuesAndGradients(model, paths, checkpointing);
        ASSERT_EQ(fast.size(), plain.size());
        for (size_t i = 0; i < fast.size(); ++i) {
          // Of the whole tensor: single elements of a gradient cancel.
          const double apart = (fast[i] - plain[i]).norm().item<double>();
          EXPECT_LE(apart, (type == at::kDouble ? 1e-13 : 5e-6) * plain[i].norm().item<double>())
              << i << " " << paths.kernels << paths.packed << paths.one_head << checkpointing;
        }
      }
    }
  }
}

// A response with context between its turns is each turn after all that comes before it.
TEST(ResponseScores, TurnsBetweenContextAddUp) {
  const Gemma model = Gemma::Random(TinyForTest(), 5, at::kFloat);
  const Gemma reference = Gemma::Random(TinyForTest(), 6, at::kFloat);
  const std::vector<int32_t> prompt = {2, 7}, whole = {11, 12, ~13, ~14, 15, 16, 17, ~18, 19};
  const std::vector<std::vector<int32_t>> prompts = {
      {2, 7}, {2, 7, 11, 12, 13, 14}, {2, 7, 11, 12, 13, 14, 15, 16, 17, 18}};
  const std::vector<std::vector<int32_t>> turns = {{11, 12}, {15, 16, 17}, {19}};
  std::vector<Sequence> separate;
  for (size_t i = 0; i < turns.size(); ++i) separate.push_back({prompts[i], turns[i]});
  const auto score = [&](const std::vector<Sequence>& sequences) {
    const auto batch = MakeSequenceBatch(sequences, at::kCPU);
    EXPECT_TRUE(batch.ok()) << batch.status();
    ScoringOptions options;
    options.taps = {{1, Site::kResidPost}};
    options.reference = {ForwardRows(reference, *batch, {}).hidden, reference.head(), 0};
    return ScoreSequences(model, *batch, options);
  };
  for (const bool fast : {false, true}) {
    const FastPathsInScope scope({fast, fast, fast});
    const ResponseScores one = score({{prompt, whole}}), each = score(separate);
    for (const auto& [joined, sum] :
         {std::pair(one.logp, each.logp), std::pair(one.reference_logp, each.reference_logp),
          std::pair(one.kl, each.kl), std::pair(one.entropy, each.entropy)}) {
      EXPECT_NEAR(joined.item<double>(), sum.sum().item<double>(), 1e-4) << fast;
    }
    EXPECT_NE(one.kl.item<double>(), 0);
    EXPECT_TRUE(at::allclose(one.site_rows[0], each.site_rows[0], 1e-4, 1e-5));  // what FPO pools
  }
}

// Before anything is computed: a GPU would end the process.
TEST(ResponseScores, AnIdOutsideTheVocabularyIsAnError) {
  const Gemma model = Gemma::Random(TinyForTest(), 5, at::kFloat);
  const int32_t beyond = static_cast<int32_t>(model.config().vocab_size);
  const std::vector<int32_t> some = {2, 3}, outside = {beyond}, negative = {2, -1},
                             context = {3, ~beyond, 3};
  for (const Sequence& sequence :
       {Sequence{some, outside}, Sequence{negative, some}, Sequence{some, context}}) {
    const auto batch = MakeSequenceBatch({sequence}, at::kCPU);
    ASSERT_TRUE(batch.ok());
    EXPECT_THROW(ScoreSequences(model, *batch, {}), c10::Error);
  }
}

}  // namespace
}  // namespace fpo::train
