#include "worker/trainer/train/batch_metrics.h"

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

TEST(BatchMetrics, PackIsTheWholeOfIt) {
  BatchMetrics metrics;
  for (size_t i = 0; i < metrics.preference.sums.size(); ++i) metrics.preference.sums[i] = 1.0 + i;
  metrics.pairs = 20;
  metrics.tokens = 21;
  metrics.entropy = 22;
  metrics.response_tokens = 23;
  metrics.logp = -24;
  metrics.relative = 25;
  metrics.has_divergence = true;
  BatchMetrics copy;
  copy.Unpack(metrics.Pack());
  EXPECT_EQ(copy.Pack(), metrics.Pack());
  EXPECT_TRUE(copy.preference.has_divergence);
}

TEST(BatchMetrics, SftLossIsATokenMean) {
  BatchMetrics a, b;
  a.pairs = b.pairs = 1;
  a.logp = -2;
  a.response_tokens = 1;
  b.logp = -2;
  b.response_tokens = 3;
  a += b;
  EXPECT_DOUBLE_EQ(a.Report(Method::kSft).at("loss"), 1.0);
  EXPECT_DOUBLE_EQ(a.Report(Method::kSft).at("logps/chosen"), -2.0);
  EXPECT_TRUE(BatchMetrics().Report(Method::kSft).empty());
}

}  // namespace
}  // namespace fpo::train
