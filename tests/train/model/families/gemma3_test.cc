#include "gtest/gtest.h"
#include "tests/train/model/config_files.h"

namespace fpo::train {
namespace {

TEST(Gemma3Family, ReadsTheNestedTextModel) {
  const nlohmann::json file = nlohmann::json::parse(R"({"model_type": "gemma3", "text_config": {
    "hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text",
    "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
    "sliding_window": 1024}, "vision_config": {"hidden_size": 1152}})");
  const auto config = ParseGemmaConfig(file.dump());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->nested);
  EXPECT_EQ(config->heads, 8);
  EXPECT_EQ(config->vocab_size, 262208);
  EXPECT_EQ(config->rope_scaling_global, 8);
  EXPECT_TRUE(config->sliding[4]);
  EXPECT_FALSE(config->sliding[5]);
}

// Gemma 3 with {"type": "linear"}: transformers 4.57 refuses it, 5.23 computes without scaling.
TEST(Gemma3Family, TheOlderKeyOfRopeScalingMustBeMadeClear) {
  const std::string error =
      FileError(Gemma3File(), "rope_scaling", nlohmann::json{{"type", "linear"}, {"factor", 8.0}});
  for (const char* part : {"rope_scaling.type", "linear", "transformers 5", "rope_type"}) {
    EXPECT_NE(error.find(part), std::string::npos) << part << ": " << error;
  }
  nlohmann::json file = Gemma3File();
  file["rope_scaling"] = {{"type", "default"}};  // means the same to all of them
  EXPECT_EQ(FileMeaning(file), ConfigText(Gemma3_270M()));
  // Both keys: rope_type counts in all of them.
  file["rope_scaling"] = {{"type", "default"}, {"rope_type", "linear"}, {"factor", 8.0}};
  EXPECT_EQ(ParseGemmaConfig(file.dump())->rope_scaling_global, 8);
  file["rope_scaling"] = {{"type", "linear"}, {"rope_type", "default"}, {"factor", 8.0}};
  EXPECT_EQ(ParseGemmaConfig(file.dump())->rope_scaling_global, 1);
}

}  // namespace
}  // namespace fpo::train
