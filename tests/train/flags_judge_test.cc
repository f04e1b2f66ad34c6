#include "train/flags_judge.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "train/flags.h"

namespace fpo::train {
namespace {

CommandLine ParseLine(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return ParseFlags(static_cast<int>(argv.size()), argv.data());
}

CommandLine ParseJudge(std::vector<std::string> words) {
  const std::vector<std::string> common = {"fpo-train",  "judge", "--outputs", "a",
                                           "--baseline", "b",     "--out",     "o"};
  words.insert(words.begin(), common.begin(), common.end());
  return ParseLine(std::move(words));
}

TEST(JudgeFlags, OfAServer) {
  const CommandLine parsed =
      ParseJudge({"--judge", "https://host/v1", "--judge-model", "m", "--key-file", "k",
                  "--parallel", "7", "--price-in", "0.5", "--store", "s", "--known-as", "ours"});
  ASSERT_TRUE(parsed.flags.has_value());
  const JudgeOptions& judge = parsed.flags->judge;
  EXPECT_EQ(judge.outputs, "a");
  EXPECT_EQ(judge.baseline, "b");
  EXPECT_EQ(parsed.flags->out, "o");
  EXPECT_EQ(judge.endpoint.chat.model, "m");
  EXPECT_EQ(judge.endpoint.key_file, "k");
  EXPECT_EQ(judge.endpoint.parallel, 7);
  EXPECT_EQ(judge.endpoint.known_as, "ours");
  EXPECT_EQ(judge.price_in, 0.5);
  EXPECT_EQ(judge.verdicts, "s");
  EXPECT_EQ(judge.order, "both");
}

TEST(JudgeFlags, OfAFolder) {
  const CommandLine parsed = ParseJudge({"--judge", "models/gemma"});
  ASSERT_TRUE(parsed.flags.has_value());
  EXPECT_TRUE(CheckJudge(*parsed.flags).ok());
}

TEST(JudgeFlags, PairsStandInPlaceOfBothFiles) {
  const CommandLine parsed =
      ParseLine({"fpo-train", "judge", "--pairs", "p", "--judge", "models/gemma", "--out", "o"});
  ASSERT_TRUE(parsed.flags.has_value());
  EXPECT_EQ(parsed.flags->judge.pairs, "p");
  EXPECT_EQ(ParseJudge({"--judge", "folder", "--pairs", "p"}).exit_code, 2);
}

TEST(JudgeFlags, ARatingReadsQuestionsAndNeedsAServer) {
  const std::vector<std::string> rating = {
      "fpo-train", "judge", "--kind", "rating", "--outputs", "a", "--questions", "q", "--out", "o"};
  const auto parse = [&](std::vector<std::string> more) {
    more.insert(more.begin(), rating.begin(), rating.end());
    return ParseLine(std::move(more));
  };
  const CommandLine parsed =
      parse({"--judge", "https://host/v1", "--judge-model", "m", "--references", "r"});
  ASSERT_TRUE(parsed.flags.has_value());
  EXPECT_EQ(parsed.flags->judge.kind, "rating");
  EXPECT_EQ(parsed.flags->judge.questions, "q");
  EXPECT_EQ(parsed.flags->judge.references, "r");
  EXPECT_EQ(parse({"--judge", "folder"}).exit_code, 2);
  EXPECT_EQ(parse({"--judge", "https://host/v1"}).exit_code, 2);  // which of its models?
  EXPECT_EQ(
      parse({"--judge", "https://host/v1", "--judge-model", "m", "--baseline", "b"}).exit_code, 2);
  EXPECT_EQ(ParseJudge({"--judge", "folder", "--questions", "q"}).exit_code, 2);
  EXPECT_EQ(ParseJudge({"--judge", "folder", "--kind", "grades"}).exit_code, 2);
}

TEST(JudgeFlags, OfACalibration) {
  const CommandLine parsed = ParseLine({"fpo-train", "calibrate", "--judged", "a", "--judged", "b",
                                        "--truth", "t", "--evaluated", "e", "--out", "o"});
  ASSERT_TRUE(parsed.flags.has_value());
  EXPECT_EQ(parsed.flags->calibrate.judged, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(parsed.flags->calibrate.truth, (std::vector<std::string>{"t"}));
  EXPECT_EQ(parsed.flags->calibrate.evaluated, "e");
  EXPECT_EQ(ParseLine({"fpo-train", "calibrate", "--judged", "a", "--out", "o"}).exit_code, 2);
}

TEST(JudgeFlags, MistakesAreUsageErrors) {
  EXPECT_EQ(ParseJudge({}).exit_code, 2);
  EXPECT_EQ(ParseJudge({"--judge", "https://host/v1"}).exit_code, 2);  // which of its models?
  EXPECT_EQ(ParseJudge({"--judge", "folder", "--judge-model", "m"}).exit_code, 2);
  EXPECT_EQ(ParseJudge({"--judge", "folder", "--key-file", "k"}).exit_code, 2);
  EXPECT_EQ(ParseJudge({"--judge", "folder", "--order", "none"}).exit_code, 2);
  EXPECT_EQ(ParseJudge({"--judge", "folder", "--parallel", "0"}).exit_code, 2);
  EXPECT_EQ(ParseJudge({"--help"}).exit_code, 0);
}

}  // namespace
}  // namespace fpo::train
