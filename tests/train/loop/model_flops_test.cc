#include "train/loop/model_flops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "train/ops/fast_paths.h"

namespace fpo::train {
namespace {

double OfLength(const GemmaConfig& config, size_t prompt, size_t response) {
  static const std::vector<int32_t> ids(4096, 3);
  const absl::Span<const int32_t> all(ids);
  return TrainingFlops(config, {{all.subspan(0, prompt), all.subspan(0, response)}});
}

// The counts of a 2B model at length 1024: 4.049 + 0.109 + 1.180 GFLOP a token forward.
TEST(ModelFlops, MatchesTheCountsOfThePublishedModel) {
  const double all = OfLength(Gemma2_2B(), 1, 1023) / 3 / 1024;
  EXPECT_NEAR(all, (4.049 + 0.109 + 1.180 * 1023 / 1024) * 1e9, 0.003e9);
}

TEST(ModelFlops, CountsOnlyWhatATokenSees) {
  GemmaConfig config = TinyForTest();
  config.sliding_window = 4;
  const double growth = OfLength(config, 200, 1) - OfLength(config, 100, 1);
  std::fill(config.sliding.begin(), config.sliding.end(), false);
  EXPECT_GT(OfLength(config, 200, 1) - OfLength(config, 100, 1), growth);
  EXPECT_GT(OfLength(config, 1, 100), OfLength(config, 100, 1));  // the head reads response rows
}

TEST(ModelFlops, AForwardIsAThird) {
  const std::vector<int32_t> ids = {1, 2, 3, 4};
  const absl::Span<const int32_t> all(ids);
  const std::vector<Sequence> sequences = {{all.subspan(0, 3), all.subspan(0, 4)}};
  const GemmaConfig config = TinyForTest();
  EXPECT_DOUBLE_EQ(3 * ForwardFlops(config, sequences), TrainingFlops(config, sequences));
}

// Prompts of 6 and responses of 2 and 3, by hand: what both sides share counts once, and of the
// last block the prompt's last row alone.
TEST(ModelFlops, ASharedPromptCountsOnce) {
  const FastPathsInScope fast({true, true, true});
  const std::vector<int32_t> ids = {1, 2, 3, 4, 5, 6};
  const absl::Span<const int32_t> all(ids);
  const std::vector<Sequence> sequences = {{all, all.subspan(0, 2)}, {all, all.subspan(0, 3)}};
  const auto batch = MakeSequenceBatch(sequences, at::kCPU);
  ASSERT_TRUE(batch.ok());
  GemmaConfig config = TinyForTest();
  std::fill(config.sliding.begin(), config.sliding.end(), false);
  const double d = static_cast<double>(config.hidden_size);
  const double queries = static_cast<double>(config.heads * config.head_dim);
  const double keys = static_cast<double>(config.kv_heads * config.head_dim);
  const double row = 2 * d * (2 * queries + 3 * static_cast<double>(config.intermediate_size));
  const double responses = 7 + 8 + 7 + 8 + 9;  // keys that their rows see
  const double layers = static_cast<double>(config.layers);
  const double forward = layers * 11 * 4 * d * keys + ((layers - 1) * 11 + 6) * row +
                         4 * queries * (layers * responses + (layers - 1) * 21 + 6) +
                         2 * d * static_cast<double>(config.vocab_size) * 5;
  EXPECT_DOUBLE_EQ(TrainingFlops(config, *batch, sequences), 3 * forward);
  const FastPathsInScope plain({false, false, false});
  const auto padded = MakeSequenceBatch(sequences, at::kCPU);
  EXPECT_EQ(TrainingFlops(config, *padded, sequences), TrainingFlops(config, sequences));
}

// bfloat16 without instructions for it: the largest product would take 3 s, and as often as it is
// repeated.
TEST(ModelFlops, ASlowDtypeIsMeasuredWithASmallProduct) {
  double spent = 0;
  const auto slow = [&](int64_t side) {
    const double seconds = 2 * std::pow(static_cast<double>(side), 3) / 0.68e9;
    spent += seconds;
    return seconds;
  };
  EXPECT_NEAR(MeasureRate({256, 512, 1024}, slow), 0.68e9, 1);
  EXPECT_LT(spent, 0.1);
}

// The first product makes kernels, for longer than it takes; small ones do not fill the processor.
TEST(ModelFlops, AFastDtypeIsMeasuredWithTheLargest) {
  std::vector<int64_t> sides;
  const auto fast = [&](int64_t side) {
    const double warming = sides.empty() || sides.back() != side ? 0.05 : 0;
    sides.push_back(side);
    return warming + 2 * std::pow(static_cast<double>(side), 3) / (side == 1024 ? 800e9 : 300e9);
  };
  EXPECT_NEAR(MeasureRate({256, 512, 1024}, fast), 800e9, 1);
  EXPECT_EQ(sides.back(), 1024);
}

TEST(ModelFlops, ThePeakIsMeasuredOnce) {
  const double peak = MeasuredPeakFlops(at::kCPU, at::kFloat);
  EXPECT_GT(peak, 1e8);
  EXPECT_EQ(MeasuredPeakFlops(at::kCPU, at::kFloat), peak);
}

}  // namespace
}  // namespace fpo::train
