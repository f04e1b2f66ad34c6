#include "train/verdicts/vote_rows.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using VoteJson = nlohmann::json;

TEST(VoteRows, LlmBarsLabelIsThePreference) {
  const auto votes =
      VotesOfRow(VoteJson{{"input", "q"}, {"output_1", "a"}, {"output_2", "b"}, {"label", 2}});
  ASSERT_TRUE(votes.has_value());
  EXPECT_EQ(votes->instruction, "q");
  EXPECT_EQ(votes->baseline_output, "a");
  EXPECT_EQ(votes->model_output, "b");
  EXPECT_EQ(votes->preference, 1);
}

TEST(VoteRows, PandaLmsVotesCountWithTheirMean) {
  VoteJson row{{"instruction", "q"}, {"input", "more"}, {"response1", "a"}, {"response2", "b"},
               {"annotator1", 2},    {"annotator2", 0}, {"annotator3", 1}};
  ASSERT_TRUE(VotesOfRow(row).has_value());
  EXPECT_EQ(VotesOfRow(row)->instruction, "q\n\nmore");
  EXPECT_EQ(VotesOfRow(row)->preference, 0.5);
  row["annotator3"] = 2;
  EXPECT_NEAR(*VotesOfRow(row)->preference, 2.5 / 3, 1e-15);
  row["input"] = "";
  EXPECT_EQ(VotesOfRow(row)->instruction, "q");
}

TEST(VoteRows, OthersAreNone) {
  const VoteJson row{{"input", "q"}, {"output_1", "a"}, {"output_2", "b"}};
  EXPECT_FALSE(VotesOfRow(row).has_value());
  for (const VoteJson& label : {VoteJson(3), VoteJson("2"), VoteJson(1.5), VoteJson(nullptr)}) {
    VoteJson with = row;
    with["label"] = label;
    EXPECT_FALSE(VotesOfRow(with).has_value()) << label;
  }
  EXPECT_FALSE(VotesOfRow(VoteJson{{"instruction", "q"}, {"response1", "a"}, {"response2", "b"}}));
}

TEST(VoteRows, ThePublishedFilesAreRead) {
  const std::string panda = SharedData("prefs/pandalm.testset-v1.json");
  const std::string bar = SharedData("prefs/llmbar/Processed_MT-Bench.json");
  if (panda.empty() || bar.empty()) GTEST_SKIP() << "shared test data is absent (FPO_SHARED_DATA)";
  const auto votes = ReadAnnotations(panda), labels = ReadAnnotations(bar);
  ASSERT_TRUE(votes.ok()) << votes.status();
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_EQ(votes->size(), 999u);
  EXPECT_EQ(labels->size(), 200u);
  double sum = 0;
  for (const double preference : PreferencesOf(*labels)) sum += preference;
  EXPECT_EQ(sum, 99) << "as many labels are 2";
  sum = 0;
  for (const double preference : PreferencesOf(*votes)) sum += 3 * preference;
  EXPECT_NEAR(sum, 1416 + 326 / 2.0, 1e-9) << "1,416 votes for the second, 326 draws";
}

}  // namespace
}  // namespace fpo::train
