#include "ctl/jobs/input_trial.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ctl/command_run.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo::ctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string PutTrainer(const train::ScratchFolder& folder, const std::string& script) {
  const std::string path = folder.Put("fpo-train", "#!/bin/sh\n" + script);
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

constexpr char kRefuses[] =
    R"(cat >"$0.job"; echo "$@" >"$0.words"
echo '{"problems":[{"key":"data.train","message":"no row has a response"}],"warnings":["most rows are cut"],"rows":7}')";

TEST(InputTrialTest, TheTrainerGetsTheJobAndItsResultIsRead) {
  const train::ScratchFolder folder;
  JobConfig config;
  config.name = "mine";
  const auto check = TryInputs(PutTrainer(folder, kRefuses), config);
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_EQ(check->problems.at(0).message, "no row has a response");
  EXPECT_EQ(check->rows, 7);
  EXPECT_THAT(train::Slurp(folder / "fpo-train.job"), HasSubstr(R"("name":"mine")"));
  EXPECT_EQ(train::Slurp(folder / "fpo-train.words"),
            "prepare --job - --check --json --device cpu\n");
}

TEST(InputTrialTest, ATrainerThatDoesNotWorkIsNamed) {
  const train::ScratchFolder folder;
  const auto why = [](const std::string& trainer, absl::Duration timeout = absl::Seconds(60)) {
    const auto check = TryInputs(trainer, JobConfig(), timeout);
    EXPECT_TRUE(absl::IsUnavailable(check.status())) << check.status();
    return std::string(check.status().message());
  };
  EXPECT_THAT(why(folder / "absent"), HasSubstr("absent: No such file"));
  EXPECT_THAT(why(PutTrainer(folder, "exec 0<&- ; exit 127")), HasSubstr("gave no result"));
  EXPECT_THAT(why(PutTrainer(folder, "cat >/dev/null; echo hello")), HasSubstr("gave no result"));
  EXPECT_EQ(why(PutTrainer(folder, "exec tail -f /dev/null"), absl::Milliseconds(50)),
            "it took too long");
}

class InputTrialCommandTest : public CommandRun {
 protected:
  void SetUp() override {
    path_ = WriteJob();
    const auto put = [&](const std::string& name, const std::string& text) {
      const std::filesystem::path file = folder_ + "/" + name;
      std::filesystem::create_directories(file.parent_path());
      std::ofstream(file) << text;
    };
    put("sft/model/config.json", R"({"model_type": "gemma2", "num_hidden_layers": 4})");
    put("sft/model/tokenizer.model", "");
    put("sft/model/model.safetensors", "");
    put("data/train.jsonl", "{}");
  }
  std::vector<std::string> Words(const std::string& command, const std::string& option = "") {
    std::vector<std::string> words = {command, path_, "--set", "method.name=dpo"};
    if (!option.empty()) words.push_back(option);
    return words;
  }
  const train::ScratchFolder scratch_;
  std::string path_;
};

TEST_F(InputTrialCommandTest, WhatPrepareWouldSayIsSaidByValidateAndSubmit) {
  environment_.trainer = PutTrainer(scratch_, kRefuses);
  const std::string problem = path_ + ":6: data.train: no row has a response";
  const Result seen = Run(Words("validate"));
  EXPECT_EQ(seen.code, 0);
  EXPECT_THAT(seen.out, HasSubstr("but a run would refuse 1 input"));
  EXPECT_THAT(seen.err, AllOf(HasSubstr(problem), HasSubstr("most rows are cut")));
  const Result strict = Run(Words("validate", "--strict-files"));
  EXPECT_EQ(strict.code, 3);
  EXPECT_THAT(strict.err, HasSubstr(problem));
  EXPECT_THAT(Run(Words("submit", "--dry-run")).err, HasSubstr(problem));
  EXPECT_THAT(Run(Words("submit")).err, HasSubstr(problem));
}

TEST_F(InputTrialCommandTest, ThatNothingWasTriedIsSaid) {
  environment_.trainer = scratch_ / "absent";
  EXPECT_THAT(Run(Words("validate")).err, HasSubstr("template and rows were not tried: "));
  environment_.trainer = "";
  EXPECT_THAT(Run(Words("validate")).err, Not(HasSubstr("tried")));
}

TEST_F(InputTrialCommandTest, NothingIsTriedWhileInputsAreMissing) {
  environment_.trainer = PutTrainer(scratch_, kRefuses);
  std::filesystem::remove(folder_ + "/data/train.jsonl");
  EXPECT_THAT(Run(Words("validate")).err, Not(HasSubstr("no row has a response")));
}

}  // namespace
}  // namespace fpo::ctl
