#include "train/features/feature_maker.h"

#include <gtest/gtest.h>

#include "tests/common/features/sample_report.h"

namespace fpo::train {
namespace {

TEST(FeatureMaker, RecordsServeWhenTheyHoldEveryFeatureAsItWas) {
  JobConfig job;
  job.method.name = "fpo";
  EXPECT_TRUE(RecordsHoldAllFeatures(job));
  job.reference.features = "top";
  EXPECT_FALSE(RecordsHoldAllFeatures(job));
  job.reference.features = "all";
  job.reference.values = "float16";
  EXPECT_FALSE(RecordsHoldAllFeatures(job));
  job.reference.values = "float32";
  job.method.features = "hidden";
  EXPECT_FALSE(RecordsHoldAllFeatures(job));
  job.method.features = "sae";
  job.method.name = "dpo";
  EXPECT_FALSE(RecordsHoldAllFeatures(job));
}

TEST(FeatureMaker, SummaryNamesWhatMovedMost) {
  EXPECT_EQ(FeatureSummary(SampleReport()),
            "features of 4 pairs: layer 2 resid_post, moved most on chosen: 3 'apologises' "
            "0.75 -> 0.125, 5 0.25 -> 0.5");
  FeatureReport still = SampleReport();
  still.saes[0].chosen.clear();
  EXPECT_EQ(FeatureSummary(still),
            "features of 4 pairs: layer 2 resid_post, moved most on chosen: none");
}

}  // namespace
}  // namespace fpo::train
