#include "train/flags_look.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "train/flags.h"

namespace fpo::train {
namespace {

CommandLine ParseLook(std::vector<std::string> words) {
  words.insert(words.begin(), "fpo-train");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return ParseFlags(static_cast<int>(argv.size()), argv.data());
}

TEST(LookFlags, APlanNeedsAJobAlone) {
  const CommandLine parsed = ParseLook({"plan", "--job", "j.yaml", "--json", "--seconds", "0"});
  ASSERT_TRUE(parsed.flags.has_value());
  EXPECT_EQ(parsed.flags->plan_seconds, 0);
  EXPECT_TRUE(parsed.flags->json);
  EXPECT_EQ(ParseLook({"plan"}).exit_code, 2);
  EXPECT_EQ(ParseLook({"plan", "--job", "j.yaml", "--seconds", "-1"}).exit_code, 2);
}

TEST(LookFlags, InspectTakesAPathOrDevices) {
  EXPECT_TRUE(ParseLook({"inspect", "model"}).flags.has_value());
  EXPECT_TRUE(ParseLook({"inspect", "--devices"}).flags.has_value());
  EXPECT_EQ(ParseLook({"inspect"}).exit_code, 2);
}

}  // namespace
}  // namespace fpo::train
