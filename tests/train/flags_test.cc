#include "train/flags.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace fpo::train {
namespace {

CommandLine Parse(std::vector<std::string> words) {
  words.insert(words.begin(), "fpo-train");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return ParseFlags(static_cast<int>(argv.size()), argv.data());
}

TEST(Flags, RunByTheAgent) {
  const CommandLine parsed = Parse({"run", "--job", "j", "--prepared", "p", "--out", "o",
                                    "--resume", "--reference", "r.fpr", "--device", "cpu"});
  ASSERT_TRUE(parsed.flags.has_value());
  EXPECT_EQ(parsed.flags->command, "run");
  EXPECT_EQ(parsed.flags->reference, "r.fpr");
  EXPECT_TRUE(parsed.flags->resume);
  EXPECT_EQ(parsed.flags->device, "cpu");
}

TEST(Flags, ScoreTakesSeveralFiles) {
  const CommandLine parsed = Parse({"score", "--model", "m", "--data", "a.jsonl", "b.jsonl",
                                    "--format", "ids", "--max-pairs", "8", "--out", "o.jsonl"});
  ASSERT_TRUE(parsed.flags.has_value());
  EXPECT_EQ(parsed.flags->score.data.train, (std::vector<std::string>{"a.jsonl", "b.jsonl"}));
  EXPECT_EQ(parsed.flags->score.data.max_pairs, 8);
  EXPECT_EQ(parsed.flags->score.data.format, "ids");
}

TEST(Flags, DigestsAreKeptInTheUsersCacheFolder) {
  const auto folder = [] { return Parse({"inspect", "x"}).flags->digest_folder; };
  setenv("XDG_CACHE_HOME", "/there", 1);
  EXPECT_EQ(folder(), "/there/fpo/digests");
  setenv("XDG_CACHE_HOME", "relative", 1);
  const char* home = std::getenv("HOME");
  const std::string before = home != nullptr ? home : "";
  setenv("HOME", "/home/ada", 1);
  EXPECT_EQ(folder(), "/home/ada/.cache/fpo/digests");
  unsetenv("HOME");
  EXPECT_EQ(folder(), "");
  if (home != nullptr) setenv("HOME", before.c_str(), 1);
  unsetenv("XDG_CACHE_HOME");
}

TEST(Flags, MistakesAreUsageErrors) {
  EXPECT_EQ(Parse({}).exit_code, 2);
  EXPECT_EQ(Parse({"score", "--serve"}).exit_code, 2);
  EXPECT_EQ(Parse({"sae", "--model", "m", "--data", "d", "--out", "o"}).exit_code, 2);
  EXPECT_EQ(Parse({"run", "--job", "j", "--out", "o", "--world-size", "2"}).exit_code, 2);
  EXPECT_EQ(Parse({"run", "--job", "j", "--out", "o", "--rank", "1"}).exit_code, 2);
  EXPECT_EQ(Parse({"run", "--help"}).exit_code, 0);
}

std::string SaysOf(const std::vector<std::string>& words) {
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(Parse(words).exit_code, 2);
  return ::testing::internal::GetCapturedStderr();
}

TEST(Flags, MistakesReadLikeThoseOfTheOtherPrograms) {
  EXPECT_EQ(SaysOf({"run", "--job", "j"}),
            "error: run: --out is required; hint: fpo-train run --help\n");
  EXPECT_EQ(SaysOf({"run", "--job", "j", "--out", "o", "--resum"}),
            "error: run: there is no flag --resum; did you mean --resume?; hint: fpo-train run "
            "--help\n");
  EXPECT_EQ(SaysOf({"rnu"}),
            "error: there is no command 'rnu'; did you mean run?; hint: fpo-train --help\n");
  EXPECT_EQ(SaysOf({"run", "--job", "j", "--out", "o", "--device", "cud"}),
            "error: run: --device is 'cud' and must be one of auto, cpu, cuda; did you mean cuda?; "
            "hint: fpo-train run --help\n");
  EXPECT_EQ(SaysOf({"score", "--serve"}),
            "error: score: --serve needs --job and --prepared; hint: fpo-train score --help\n");
}

TEST(Flags, InspectTakesAPathOrTheDevices) {
  EXPECT_TRUE(Parse({"inspect", "--devices"}).flags->devices);
  EXPECT_EQ(Parse({"inspect", "model"}).flags->path, "model");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"inspect"}, {"inspect", "model", "--devices"}}) {
    EXPECT_THAT(SaysOf(words), ::testing::HasSubstr("needs a PATH or --devices, and not both"));
  }
}

}  // namespace
}  // namespace fpo::train
