#include "train/data/admission_report.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace fpo::train {
namespace {

TEST(AdmissionReportTest, Quantiles) {
  std::vector<int64_t> lengths;
  for (int64_t i = 100; i >= 1; --i) lengths.push_back(i);
  const LengthQuantiles all = QuantilesOf(lengths);
  EXPECT_EQ(all.minimum, 1);
  EXPECT_EQ(all.p10, 10);
  EXPECT_EQ(all.p50, 50);
  EXPECT_EQ(all.p99, 99);
  EXPECT_EQ(all.maximum, 100);
  EXPECT_DOUBLE_EQ(all.mean, 50.5);
  EXPECT_EQ(QuantilesOf({7}).p10, 7);
  EXPECT_EQ(QuantilesOf({}).maximum, 0);
}

TEST(AdmissionReportTest, Json) {
  AdmissionReport train, eval;
  train.rows = 10;
  train.dropped["empty_response"] = 2;
  train.cut_prompts = 3;
  train.dropped_examples = {"bad \xFF bytes"};
  const auto json = nlohmann::json::parse(AdmissionJson(train, &eval));
  EXPECT_EQ(json["train"]["rows"], 10);
  EXPECT_EQ(json["train"]["dropped"]["empty_response"], 2);
  EXPECT_EQ(json["train"]["cut"]["prompts"], 3);
  EXPECT_TRUE(json.contains("eval"));
  EXPECT_FALSE(nlohmann::json::parse(AdmissionJson(train, nullptr)).contains("eval"));
}

}  // namespace
}  // namespace fpo::train
