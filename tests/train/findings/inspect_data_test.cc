#include "train/findings/inspect_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/match.h"
#include "common/job/job_file.h"
#include "tests/train/findings/styled_pairs.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

std::vector<nlohmann::json> LinesOf(const std::string& path) {
  std::istringstream text(Slurp(path));
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

class InspectDataTest : public ::testing::Test {
 protected:
  // Every chosen response has the style, except that the labels of the first 15 are swapped.
  void SetUp() override {
    std::vector<TokenPair> pairs = StyledPairs(300, 1, 21);
    for (size_t i = 0; i < 15; ++i) std::swap(pairs[i].chosen, pairs[i].rejected);
    pairs[20].row_id = "a name";
    WriteTokenPairs(pairs, tiny_.Path("prepared/train.safetensors"));
    WriteTokenPairs({pairs[40], pairs[41]}, tiny_.Path("prepared/eval.safetensors"));
  }
  absl::StatusOr<Findings> Inspect(const std::string& method = "fpo",
                                   const std::string& reference = "auto") {
    return InspectData(tiny_.Job(method), {tiny_.Path("found"), tiny_.Path("prepared"), reference},
                       events_);
  }
  std::vector<std::string> Warnings() const {
    std::vector<std::string> warnings;
    for (const TrainEvent& event : events_.Of(EventKind::kWarning))
      warnings.push_back(event.message);
    return warnings;
  }

  TinyRun tiny_;
  RecordingSink events_;
};

TEST_F(InspectDataTest, FindsSwappedLabelsAStyleAndLeaks) {
  const auto found = Inspect();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->records_computed, 600);
  ASSERT_TRUE(found->labels.has_value()) << found->labels_unchecked;
  EXPECT_GT(found->labels->agreement, 0.8);
  int swapped = 0;
  for (size_t i = 0; i < std::min<size_t>(30, found->suspects.size()); ++i) {
    swapped += found->suspects[i].pair.index < 15;
  }
  EXPECT_GE(swapped, 8) << "at least half of them in the first tenth";
  ASSERT_FALSE(found->features.empty());
  EXPECT_EQ(found->features[0].spans.size(), 3u);
  EXPECT_EQ(found->plain.size(), 3u);
  EXPECT_EQ(found->plain[0].name, "length");
  EXPECT_GT(found->plain[0].test.share, 0.6) << "the style makes responses longer";
  EXPECT_EQ(found->shared.pairs, 2);
  EXPECT_THAT(Warnings(), Contains("2 of 2 evaluation pairs are training pairs too"));
}

TEST_F(InspectDataTest, FilesSayTheSameAndRecordsAreComputedOnce) {
  ASSERT_TRUE(Inspect().ok());
  const auto again = Inspect();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->records_computed, 0);
  EXPECT_EQ(again->records_reused, 600);
  const auto json = nlohmann::json::parse(Slurp(tiny_.Path("found/findings.json")));
  EXPECT_EQ(json["train_pairs"], 300);
  EXPECT_EQ(json["records"]["reused"], 600);
  EXPECT_EQ(json["leaks"]["pairs"], 2);
  EXPECT_EQ(json["labels"]["suspects"][0]["index"], again->suspects[0].pair.index);
  EXPECT_THAT(Slurp(tiny_.Path("found/findings.html")), HasSubstr("id=\"findings\""));
  const auto lines = LinesOf(tiny_.Path("found/pairs.jsonl"));
  ASSERT_EQ(lines.size(), 300u);
  EXPECT_EQ(lines[20]["id"], "a name");
  EXPECT_EQ(lines[20]["right"], again->labels->right[20]);
  EXPECT_EQ(lines[20]["group"], 20);
  EXPECT_EQ(lines[20]["pair"].get<std::string>().size(), 16u);
}

TEST_F(InspectDataTest, AJobWithoutFeaturesStillHasLengthsLogProbabilitiesAndCopies) {
  const auto found = Inspect("dpo");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->features_tested, 0);
  EXPECT_EQ(found->plain.size(), 3u);
  EXPECT_TRUE(found->labels.has_value());
  EXPECT_THAT(Warnings(), Contains(HasSubstr("method dpo uses no features")));
}

TEST_F(InspectDataTest, RecordsOfAnotherSaeAreRefused) {
  ASSERT_TRUE(Inspect("dpo").ok());
  EXPECT_EQ(ExitCodeOf(Inspect("fpo", tiny_.Path("found/reference.fpr")).status()),
            ExitCode::kForeignCache);
}

TEST_F(InspectDataTest, DataThatAreNoPairsAndFoldersOfRunsAreRefused) {
  EXPECT_EQ(ExitCodeOf(Inspect("sft").status()), ExitCode::kInvalid);
  std::vector<TokenPair> pairs = RandomPairs(3, 1);
  pairs[1].rejected.clear();
  WriteTokenPairs(pairs, tiny_.Path("prepared/train.safetensors"));
  EXPECT_TRUE(absl::StrContains(Inspect().status().message(), "has no pairs of responses"));
  JobConfig run = tiny_.Job("dpo");
  run.output = tiny_.Path("found");
  std::ofstream(tiny_.Path("found/job.yaml")) << WriteJobYaml(run);
  EXPECT_TRUE(absl::IsAlreadyExists(Inspect().status())) << Inspect().status();
}

TEST_F(InspectDataTest, FewPairsAreSaidToBeTooFew) {
  WriteTokenPairs(RandomPairs(20, 3), tiny_.Path("prepared/train.safetensors"));
  const auto found = Inspect();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_FALSE(found->labels.has_value());
  EXPECT_THAT(found->labels_unchecked, HasSubstr("there are 20"));
}

}  // namespace
}  // namespace fpo::train
