#include "train/model/families/config_values.h"

#include <nlohmann/json.hpp>

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

TEST(ConfigValues, NullAndMissingTakeTheFallback) {
  const nlohmann::json object = {{"null", nullptr}, {"seven", 7}, {"half", 0.5}, {"text", "x"}};
  const ConfigValues values(object);
  EXPECT_EQ(*values.Count("seven", 1), 7);
  EXPECT_EQ(*values.Count("null", 1), 1);
  EXPECT_EQ(*values.Count("missing", 0), 0);
  EXPECT_FALSE(values.Count("missing", std::nullopt).ok());
  EXPECT_FALSE(values.Count("half", 1).ok());
  EXPECT_EQ(*values.Positive("half", 1), 0.5);
  EXPECT_FALSE(values.Positive("text", 1).ok());
  EXPECT_EQ(*values.Softcap("missing", 50), 50);
  EXPECT_FALSE(values.Softcap("null", 50)->has_value());
  EXPECT_TRUE(values.Section("missing")->empty());
  EXPECT_NE(values.Section("text").status().message().find("config.json: text is \"x\""),
            std::string::npos);
}

TEST(ConfigValues, TheOlderKeyOfARotationCountsWithoutTheNewer) {
  const nlohmann::json older = {{"type", "linear"}}, both = {{"type", "a"}, {"rope_type", "b"}};
  EXPECT_EQ(RopeTypeOf(ConfigValues(older)), "linear");
  EXPECT_EQ(RopeTypeOf(ConfigValues(both)), "b");
  EXPECT_EQ(RopeTypeOf(ConfigValues(nlohmann::json::object())), "default");
}

// As transformers: the section's own, else the whole context.
TEST(ConfigValues, Llama3ScalingFindsTheOriginalContext) {
  nlohmann::json file = {
      {"max_position_embeddings", 131072},
      {"rope_scaling",
       {{"rope_type", "llama3"}, {"factor", 8}, {"low_freq_factor", 1}, {"high_freq_factor", 4}}}};
  const auto original = [&file] {
    GemmaConfig config;
    const absl::Status status = ReadSharedRope(ConfigValues(file), true, &config);
    return status.ok() ? config.llama3_rope->original_positions : -1;
  };
  EXPECT_EQ(original(), 131072);
  file["rope_scaling"]["original_max_position_embeddings"] = 8192;
  EXPECT_EQ(original(), 8192);
  file["original_max_position_embeddings"] = 4096;
  EXPECT_EQ(original(), 8192);
  file["rope_scaling"].erase("original_max_position_embeddings");
  EXPECT_EQ(original(), -1) << "which one is meant?";
}

}  // namespace
}  // namespace fpo::train
