#include "gtest/gtest.h"
#include "tests/train/model/config_files.h"

namespace fpo::train {
namespace {

TEST(LlamaFamily, ReadsThePublishedFile) {
  const auto config = ParseGemmaConfig(LlamaFile().dump());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->architecture, Architecture::kLlama);
  EXPECT_EQ(ParameterCount(*config), 1235814400);
  EXPECT_EQ(config->query_pre_attn_scalar, 64);
  EXPECT_EQ(config->rms_norm_eps, 1e-5);
  EXPECT_EQ(config->norm().offset, 0);
  EXPECT_EQ(config->sliding, std::vector<bool>(16, false));
  EXPECT_FALSE(config->final_softcap.has_value());
  EXPECT_FALSE(config->qk_norm());
  EXPECT_TRUE(config->tied_head);
  const RopeOptions rope = config->rope(false);
  EXPECT_EQ(rope.base, 500000);
  EXPECT_EQ(rope.llama3, (Llama3Scaling{32, 1, 4, 8192}));
}

// Of Llama-3 8B: no head_dim, no scaling, and a head of its own that the file does not speak of.
TEST(LlamaFamily, OlderFilesLeaveOutWhatFollows) {
  nlohmann::json file = LlamaFile();
  for (const char* key : {"head_dim", "rope_scaling", "tie_word_embeddings", "mlp_bias"}) {
    file.erase(key);
  }
  const auto config = ParseGemmaConfig(file.dump());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->head_dim, 64);
  EXPECT_FALSE(config->tied_head);
  EXPECT_FALSE(config->llama3_rope.has_value());
  file.erase("num_key_value_heads");
  EXPECT_EQ(ParseGemmaConfig(file.dump())->kv_heads, 32) << "one for each head";
  file.erase("rope_theta");
  EXPECT_EQ(ParseGemmaConfig(file.dump())->rope_theta_global, 10000);
}

TEST(LlamaFamily, NewerFilesKeepTheRotationTogether) {
  nlohmann::json file = LlamaFile();
  file["rope_parameters"] = file["rope_scaling"];
  file["rope_parameters"]["rope_theta"] = file["rope_theta"];
  file.erase("rope_scaling");
  file.erase("rope_theta");
  EXPECT_EQ(FileMeaning(file), FileMeaning(LlamaFile()));
  nlohmann::json other = file;
  other["rope_parameters"]["factor"] = 8;
  EXPECT_NE(FileMeaning(other), FileMeaning(file)) << "it is part of the model's digest";
}

TEST(LlamaFamily, RefusesByName) {
  using Json = nlohmann::json;
  const struct {
    const char* key;
    Json value;
  } cases[] = {
      {"mlp_bias", true},
      {"hidden_size", 2047},
      {"rope_scaling", Json{{"rope_type", "yarn"}, {"factor", 4}}},
      {"rope_scaling", Json{{"rope_type", "dynamic"}, {"factor", 4}}},
      {"rope_scaling", Json{{"rope_type", "llama3"}, {"factor", 8}}},
      {"rope_parameters", Json{{"full_attention", Json{{"rope_theta", 1}}}}},
  };
  for (const auto& c : cases) {
    Json file = LlamaFile();
    file.erase("head_dim");
    if (std::string(c.key) == "rope_parameters") file.erase("rope_scaling");
    const std::string error = FileError(file, c.key, c.value);
    const bool in_section = c.value.contains("rope_type") && c.value["rope_type"] == "llama3";
    EXPECT_NE(error.find(in_section ? "low_freq_factor" : c.key), std::string::npos) << error;
    EXPECT_NE(error, "accepted");
  }
  Json file = LlamaFile();
  file["rope_scaling"]["high_freq_factor"] = 1;
  EXPECT_NE(FileMeaning(file).find("high_freq_factor"), std::string::npos);
}

}  // namespace
}  // namespace fpo::train
