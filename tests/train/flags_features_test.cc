#include "train/flags_features.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "train/flags.h"

namespace fpo::train {
namespace {

CommandLine ParseFeatures(std::vector<std::string> words) {
  const std::vector<std::string> common = {"fpo-train", "features", "--job", "j.yaml",
                                           "--model",   "m",        "--out", "o.json"};
  words.insert(words.begin(), common.begin(), common.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return ParseFlags(static_cast<int>(argv.size()), argv.data());
}

JobConfig JobOfARun() {
  JobConfig job;
  job.sae = {SaeSection{"job.npz", 3, "mlp_out"}};
  job.evaluate.pairs = 64;
  return job;
}

TEST(FeaturesFlags, WithoutThemTheJobCounts) {
  const CommandLine parsed = ParseFeatures({});
  ASSERT_TRUE(parsed.flags.has_value());
  const JobConfig job = WithFeatureFlags(JobOfARun(), *parsed.flags);
  EXPECT_EQ(job.sae[0].path, "job.npz");
  EXPECT_EQ(job.features.top, 20);
  EXPECT_EQ(job.evaluate.pairs, 64);
}

TEST(FeaturesFlags, StandInThePlaceOfTheJobs) {
  const CommandLine parsed =
      ParseFeatures({"--sae", "s.npz", "--layer", "5", "--explanations", "labels", "--top", "7",
                     "--spans", "0", "--pairs", "100", "--minutes", "3"});
  ASSERT_TRUE(parsed.flags.has_value());
  const JobConfig job = WithFeatureFlags(JobOfARun(), *parsed.flags);
  ASSERT_EQ(job.sae.size(), 1u);
  EXPECT_EQ(job.sae[0].path, "s.npz");
  EXPECT_EQ(job.sae[0].layer, 5);
  EXPECT_EQ(job.sae[0].site, "");
  EXPECT_EQ(job.features.explanations, "labels");
  EXPECT_EQ(job.features.top, 7);
  EXPECT_EQ(job.features.spans, 0);
  EXPECT_EQ(job.features.minutes, 3);
  EXPECT_EQ(job.features.pairs, 100);
  EXPECT_EQ(job.evaluate.pairs, 100) << "or the job's would cut them";
}

TEST(FeaturesFlags, MistakesAreUsageErrors) {
  EXPECT_EQ(ParseFeatures({"--layer", "5"}).exit_code, 2);  // of which SAE?
  EXPECT_EQ(ParseFeatures({"--site", "mlp_out"}).exit_code, 2);
  EXPECT_EQ(ParseFeatures({"--top", "0"}).exit_code, 2);
  EXPECT_EQ(ParseFeatures({"--help"}).exit_code, 0);
}

}  // namespace
}  // namespace fpo::train
