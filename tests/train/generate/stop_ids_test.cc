#include "train/generate/stop_ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(StopIds, GenerationConfigCountsBeforeConfig) {
  const ScratchFolder folder;
  EXPECT_TRUE(ReadGenerationDefaults(folder.path())->stops.empty());
  folder.Put("config.json", R"({"eos_token_id": 1})");
  EXPECT_THAT(ReadGenerationDefaults(folder.path())->stops, ElementsAre(1));
  folder.Put("config.json", R"({"text_config": {"eos_token_id": [1, 107]}})");
  EXPECT_THAT(ReadGenerationDefaults(folder.path())->stops, ElementsAre(1, 107));
  folder.Put("generation_config.json", R"({"eos_token_id": [1, 106]})");
  EXPECT_THAT(ReadGenerationDefaults(folder.path())->stops, ElementsAre(1, 106));
  EXPECT_FALSE(ReadGenerationDefaults(folder.path())->sampling.has_value());
}

TEST(StopIds, SamplingOnlyWhereTheFolderAsksForIt) {
  const ScratchFolder folder;
  folder.Put("generation_config.json",
             R"({"do_sample": true, "temperature": 0.7, "top_k": 64, "top_p": 0.95})");
  const auto defaults = ReadGenerationDefaults(folder.path());
  ASSERT_TRUE(defaults.ok() && defaults->sampling.has_value());
  EXPECT_DOUBLE_EQ(defaults->sampling->temperature, 0.7);
  EXPECT_EQ(defaults->sampling->top_k, 64);
  EXPECT_DOUBLE_EQ(defaults->sampling->top_p, 0.95);
}

TEST(StopIds, BrokenFilesAreNamed) {
  const ScratchFolder folder;
  for (const char* text :
       {"{", "[]", R"({"eos_token_id": "</s>"})", R"({"eos_token_id": [1, -2]})"}) {
    folder.Put("generation_config.json", text);
    EXPECT_THAT(std::string(ReadGenerationDefaults(folder.path()).status().message()),
                HasSubstr("generation_config.json"))
        << text;
  }
}

}  // namespace
}  // namespace fpo::train
