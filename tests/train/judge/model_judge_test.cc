#include "train/judge/model_judge.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/generate/tiny_text_model.h"
#include "train/loop/model_loader.h"
#include "train/model/gemma.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

class TakenVerdicts final : public VerdictSink {
 public:
  absl::Status Done(size_t index, Verdict verdict) override {
    EXPECT_EQ(index, verdicts.size());
    verdicts.push_back(std::move(verdict));
    return absl::OkStatus();
  }
  void Note(const std::string&) override {}
  std::vector<Verdict> verdicts;
};

// Letters are tokens of the tiny model, in lower case.
JudgePrompt TinyPrompt() {
  return *ParseJudgePrompt("{question} x {output_1} e {output_2}: ", "x,e");
}

class ModelJudgeTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Judge>> Open() {
    return OpenModelJudge(options_, [this](const std::string& note) { notes_.push_back(note); });
  }
  void SetUp() override {
    options_.model = tiny_.path();
    options_.prompt = TinyPrompt();
  }

  TinyTextModel tiny_;
  ModelJudgeOptions options_;
  std::vector<std::string> notes_;
};

TEST_F(ModelJudgeTest, WeighsTheVerdictTokensByTheModelsOwnProbabilities) {
  const auto judge = Open();
  ASSERT_TRUE(judge.ok()) << judge.status();
  TakenVerdicts taken;
  const std::vector<JudgeConversation> pairs = {FillPrompt(TinyPrompt(), {"the", "model", "user"}),
                                                FillPrompt(TinyPrompt(), {"the", "user", "model"})};
  ASSERT_TRUE((*judge)->JudgeAll(pairs, taken).ok());
  ASSERT_EQ(taken.verdicts.size(), 2u);
  for (const Verdict& verdict : taken.verdicts) {
    EXPECT_TRUE(verdict.is_weighted);
    EXPECT_GT(*verdict.first, 0);
    EXPECT_LT(*verdict.first, 1);
    EXPECT_GT(verdict.mass, 0);
    EXPECT_LT(verdict.mass, 1);
    EXPECT_GT(verdict.prompt_tokens, 3);
  }
  EXPECT_NE(taken.verdicts[0].first, taken.verdicts[1].first);  // the order counts
  TakenVerdicts again;
  ASSERT_TRUE((*judge)->JudgeAll({pairs[1]}, again).ok());
  EXPECT_EQ(again.verdicts[0].first, taken.verdicts[1].first);  // to the last bit
}

TEST_F(ModelJudgeTest, IdentitiesFollowWhatDecides) {
  const std::string first = (*Open())->identity();
  EXPECT_EQ((*Open())->identity(), first);
  options_.prompt = *ParseJudgePrompt("{question} x {output_1} e {output_2}? ", "x,e");
  EXPECT_NE((*Open())->identity(), first);
  options_.prompt = TinyPrompt();
  options_.template_name = "none";
  EXPECT_NE((*Open())->identity(), first);
  options_.template_name = "auto";
  const TinyTextModel other("model", 4);
  options_.model = other.path();
  EXPECT_NE((*Open())->identity(), first);
}

TEST_F(ModelJudgeTest, WhatCannotBeJudgedIsAnError) {
  options_.max_prompt_length = 25;
  const auto judge = Open();
  ASSERT_TRUE(judge.ok()) << judge.status();
  TakenVerdicts taken;
  const absl::Status status =
      (*judge)->JudgeAll({FillPrompt(TinyPrompt(), {"t", "m", "u"}),
                          FillPrompt(TinyPrompt(), {"the the the the the the the the", "m", "u"})},
                         taken);
  EXPECT_THAT(std::string(status.message()), HasSubstr("comparison 2: it has "));
  EXPECT_TRUE(taken.verdicts.empty());
  options_.prompt.first_token = "the model user";
  EXPECT_THAT(std::string(Open().status().message()), HasSubstr("is not one token of this model"));
  options_.model = "/nowhere";
  EXPECT_FALSE(Open().ok());
  options_.prompt = DefaultJudgePrompt(VerdictForm::kGrade);
  EXPECT_THAT(std::string(Open().status().message()), HasSubstr("gives no grades"));
}

}  // namespace
}  // namespace fpo::train
