#include "gtest/gtest.h"
#include "tests/train/model/config_files.h"

namespace fpo::train {
namespace {

TEST(Qwen3Family, ReadsThePublishedFile) {
  const auto config = ParseGemmaConfig(Qwen3File().dump());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->architecture, Architecture::kQwen3);
  EXPECT_EQ(ParameterCount(*config), 596049920);
  EXPECT_EQ(config->head_dim, 128);
  EXPECT_TRUE(config->qk_norm());
  EXPECT_EQ(config->norm().offset, 0);
  EXPECT_EQ(config->rope(false).base, 1e6);
  EXPECT_EQ(config->sliding, std::vector<bool>(28, false));
  EXPECT_TRUE(config->tied_head);
}

TEST(Qwen3Family, UpperLayersSlideWhereItSaysSo) {
  nlohmann::json file = Qwen3File();
  file["sliding_window"] = 4096;
  EXPECT_EQ(FileMeaning(file), FileMeaning(Qwen3File())) << "use_sliding_window is false";
  file["use_sliding_window"] = true;
  file["max_window_layers"] = 26;
  const auto config = ParseGemmaConfig(file.dump());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->sliding_window, 4096);
  for (size_t layer = 0; layer < 28; ++layer) EXPECT_EQ(config->sliding[layer], layer >= 26);
  EXPECT_EQ(config->rope(true).base, 1e6);
  file["max_window_layers"] = 0;
  EXPECT_EQ(ParseGemmaConfig(file.dump())->sliding, std::vector<bool>(28, true));
  file["layer_types"] = nlohmann::json::array();
  for (int layer = 0; layer < 28; ++layer) {
    file["layer_types"].push_back(layer == 3 ? "sliding_attention" : "full_attention");
  }
  EXPECT_TRUE(ParseGemmaConfig(file.dump())->sliding[3]);
  file["use_sliding_window"] = false;
  EXPECT_NE(FileMeaning(file).find("use_sliding_window"), std::string::npos);
}

TEST(Qwen3Family, RefusesLongerContexts) {
  const std::string error =
      FileError(Qwen3File(), "rope_scaling", nlohmann::json{{"rope_type", "yarn"}, {"factor", 4}});
  EXPECT_NE(error.find("rope_scaling.rope_type is \"yarn\""), std::string::npos) << error;
}

}  // namespace
}  // namespace fpo::train
