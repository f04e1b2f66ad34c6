#include "train/objective/batch_metrics.h"

#include <c10/util/Exception.h>
#include <gtest/gtest.h>

namespace fpo::train {
namespace {

TEST(BatchMetrics, PackIsTheWholeOfIt) {
  BatchMetrics metrics;
  for (size_t i = 0; i < metrics.preference.sums.size(); ++i) metrics.preference.sums[i] = 1.0 + i;
  for (size_t i = 0; i < metrics.sums.size(); ++i) metrics.sums[i] = 20.0 + i;
  BatchMetrics copy;
  copy.Unpack(metrics.Pack());
  std::vector<double> longer = metrics.Pack();
  longer.push_back(1);
  EXPECT_THROW(copy.Unpack(longer), c10::Error);
  EXPECT_EQ(copy.Pack(), metrics.Pack());
  EXPECT_TRUE(copy.preference.has_divergence);
}

TEST(BatchMetrics, SftLossIsATokenMean) {
  BatchMetrics a, b;
  a[BatchMetrics::kPairs] = b[BatchMetrics::kPairs] = 1;
  a[BatchMetrics::kLogp] = -2;
  a[BatchMetrics::kResponseTokens] = 1;
  b[BatchMetrics::kLogp] = -2;
  b[BatchMetrics::kResponseTokens] = 3;
  a += b;
  EXPECT_DOUBLE_EQ(a.Report({Method::kSft}).at("loss"), 1.0);
  EXPECT_DOUBLE_EQ(a.Report({Method::kSft}).at("logps/chosen"), -2.0);
  EXPECT_TRUE(BatchMetrics().Report({Method::kSft}).empty());
}

TEST(BatchMetrics, WhatNoPartMeasuredIsNotReported) {
  BatchMetrics metrics;
  metrics[BatchMetrics::kPairs] = 2;
  metrics[BatchMetrics::kResponseTokens] = 4;
  EXPECT_EQ(metrics.Report({Method::kSimpo}).count("kl/chosen"), 0u);
  EXPECT_EQ(metrics.Report({Method::kSimpo}).count("entropy_top100"), 0u);
  metrics[BatchMetrics::kKlParts] = 1;
  metrics[BatchMetrics::kKlChosen] = 6;
  metrics[BatchMetrics::kChosenTokens] = 4;
  metrics[BatchMetrics::kRejectedTokens] = 1;
  EXPECT_DOUBLE_EQ(metrics.Report({Method::kSimpo}).at("kl/chosen"), 3.0);
  EXPECT_DOUBLE_EQ(metrics.Report({Method::kSimpo}).at("kl/chosen_per_token"), 1.5);
}

}  // namespace
}  // namespace fpo::train
