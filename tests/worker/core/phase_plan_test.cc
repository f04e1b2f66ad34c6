#include "worker/core/phase_plan.h"

#include <string>

#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

using ::testing::HasSubstr;

class PhasePlanTest : public ::testing::Test {
 protected:
  PhasePlanTest() {
    config_.model.path = "/m";
    config_.reference.source = "cached";
    config_.reference.path = "/m";
    config_.data.train = {"/d"};
    config_.output = "/out";
  }
  std::string Main(const RankWork& work) {
    return absl::StrJoin(MainCommand({"/bin/fpo-train", "cpu", 2}, folders_, config_, work), " ");
  }

  const AttemptFolders folders_ = FoldersOf("/w", {"j", 2, 5});
  JobConfig config_;
};

TEST_F(PhasePlanTest, FoldersAreOfTheJobAndOfTheAttempt) {
  EXPECT_EQ(folders_.job_json, "/w/jobs/j/a2-e5/job.json");
  EXPECT_EQ(folders_.prepared, "/w/jobs/j/prepared");
}

TEST_F(PhasePlanTest, CommandLinesOfEveryKind) {
  const std::string common = " --job /w/jobs/j/a2-e5/job.json --device cpu --threads 2 ";
  EXPECT_EQ(absl::StrJoin(PrepareCommand({"/bin/fpo-train", "cpu", 2}, folders_), " "),
            "/bin/fpo-train prepare" + common + "--out /w/jobs/j/prepared");
  EXPECT_EQ(absl::StrJoin(ScoreCommand({"/bin/fpo-train", "cpu", 2}, folders_), " "),
            "/bin/fpo-train score" + common + "--prepared /w/jobs/j/prepared --serve");
  EXPECT_EQ(Main({.record_file = "/r.fpr", .rendezvous = ""}),
            "/bin/fpo-train run" + common +
                "--prepared /w/jobs/j/prepared --out /out --resume --reference /r.fpr");
  config_.reference.source = "none";
  EXPECT_EQ(Main({}),
            "/bin/fpo-train run" + common + "--prepared /w/jobs/j/prepared --out /out --resume");
  config_.kind = "sae";
  EXPECT_EQ(Main({}), "/bin/fpo-train sae" + common + "--prepared /w/jobs/j/prepared --out /out");
  config_.kind = "evaluate";
  EXPECT_EQ(Main({}), "/bin/fpo-train evaluate" + common +
                          "--prepared /w/jobs/j/prepared --out /out/evaluation.json");
  EXPECT_TRUE(IsPreparedFirst(config_));
  config_.kind = "generate";
  EXPECT_FALSE(IsPreparedFirst(config_));
  EXPECT_EQ(Main({}), "/bin/fpo-train generate" + common + "--out /out/answers.jsonl");
  config_.generate.format = "alpaca_eval";
  EXPECT_EQ(Main({}), "/bin/fpo-train generate" + common + "--out /out/answers.json");
  config_.kind = "judge";
  EXPECT_FALSE(IsPreparedFirst(config_));
  EXPECT_EQ(Main({}), "/bin/fpo-train judge" + common + "--out /out/annotations.json");
  config_.kind = "reference";
  EXPECT_EQ(Main({}), "");
}

TEST_F(PhasePlanTest, AGenerateJobReadsItsPromptsAndNoTrainingData) {
  config_.kind = "generate";
  config_.reference.source = "none";
  config_.model.path = "/";
  config_.data.train = {"/no/such/file"};
  config_.generate.prompts = "prompts.jsonl";
  EXPECT_THAT(std::string(CheckPathsAreAbsolute(config_).message()),
              HasSubstr("generate.prompts: \"prompts.jsonl\""));
  config_.generate.prompts = "/no/such/prompts.jsonl";
  EXPECT_TRUE(CheckPathsAreAbsolute(config_).ok());
  EXPECT_THAT(std::string(CheckInputsExist(config_).message()), HasSubstr("generate.prompts"));
}

TEST_F(PhasePlanTest, AJudgeJobReadsAnswersAndAModelOrAKey) {
  config_.kind = "judge";
  config_.reference.source = "none";
  config_.model.path = "";
  config_.judge.outputs = "/";
  config_.judge.baseline = "/";
  config_.judge.url = "https://host/v1";
  EXPECT_TRUE(CheckInputsExist(config_).ok());
  config_.judge.references = "/no/such/references";
  EXPECT_THAT(std::string(CheckInputsExist(config_).message()), HasSubstr("judge.references"));
  config_.judge.references = "";
  config_.judge.questions = "questions";
  EXPECT_THAT(std::string(CheckPathsAreAbsolute(config_).message()), HasSubstr("judge.questions"));
  config_.judge.questions = "";
  config_.judge.key_file = "/no/such/key";
  EXPECT_THAT(std::string(CheckInputsExist(config_).message()), HasSubstr("judge.key_file"));
  config_.judge.key_file = "key";
  EXPECT_THAT(std::string(CheckPathsAreAbsolute(config_).message()), HasSubstr("judge.key_file"));
  config_.judge.key_file = "/no/such/key";
  config_.judge.store = "verdicts";
  EXPECT_THAT(std::string(CheckPathsAreAbsolute(config_).message()), HasSubstr("judge.store"));
}

TEST_F(PhasePlanTest, SeveralRanksMeet) {
  EXPECT_THAT(Main({.record_file = "/r.fpr", .rank = 3, .world_size = 4, .rendezvous = "h:1"}),
              HasSubstr("--rank 3 --world-size 4 --rendezvous h:1"));
}

TEST_F(PhasePlanTest, OnlyCachedRecordsNeedTheCache) {
  EXPECT_TRUE(UsesReferenceCache(config_));
  config_.reference.source = "none";
  EXPECT_FALSE(UsesReferenceCache(config_));
  config_.reference.source = "cached";
  config_.kind = "sae";
  EXPECT_FALSE(UsesReferenceCache(config_));
}

TEST_F(PhasePlanTest, RelativePathsAreNamed) {
  EXPECT_TRUE(CheckPathsAreAbsolute(config_).ok());
  config_.data.train = {"data/train.jsonl"};
  config_.output = "runs/1";
  const absl::Status status = CheckPathsAreAbsolute(config_);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("data.train: \"data/train.jsonl\""));
  EXPECT_THAT(std::string(status.message()), HasSubstr("output: \"runs/1\""));
}

TEST_F(PhasePlanTest, MissingInputsAreNamed) {
  fpo::testing::TempFolder folder;
  config_.model.path = config_.reference.path = folder.path();
  config_.data.train = {folder / "none.jsonl"};
  EXPECT_THAT(std::string(CheckInputsExist(config_).message()), HasSubstr("none.jsonl"));
  fpo::testing::WriteWhole(folder / "none.jsonl", "x");
  EXPECT_TRUE(CheckInputsExist(config_).ok());
  const std::vector<std::string> files = std::exchange(config_.data.train, {folder / "no*.jsonl"});
  EXPECT_TRUE(CheckInputsExist(config_).ok()) << "a pattern with a match";
  config_.data.train = {folder / "no*.gz"};
  EXPECT_THAT(std::string(CheckInputsExist(config_).message()), HasSubstr("no*.gz"));
  config_.data.train = files;
  config_.data.template_name = folder / "t.jinja";
  EXPECT_THAT(std::string(CheckInputsExist(config_).message()), HasSubstr("t.jinja"));
  config_.data.template_name = "auto";
  config_.sae.push_back({.path = folder / "sae.npz", .layer = std::nullopt, .site = ""});
  EXPECT_THAT(std::string(CheckInputsExist(config_).message()), HasSubstr("sae.npz"));
  config_.kind = "sae";
  EXPECT_TRUE(CheckInputsExist(config_).ok()) << "an SAE job makes that file";
}

}  // namespace
}  // namespace fpo::worker
