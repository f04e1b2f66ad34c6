#include <nlohmann/json.hpp>

#include "gtest/gtest.h"
#include "tests/train/model/config_files.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

TEST(ParseGemmaConfig, ReadsThePublishedFiles) {
  EXPECT_EQ(FileMeaning(Gemma2File()), ConfigText(Gemma2_2B()));
  EXPECT_EQ(FileMeaning(Gemma3File()), ConfigText(Gemma3_270M()));
}

TEST(ParseGemmaConfig, OlderAndNewerKeysMeanTheSame) {
  Json pattern = Gemma3File();
  pattern.erase("layer_types");
  EXPECT_EQ(FileMeaning(pattern), ConfigText(Gemma3_270M()));
  pattern["sliding_window_pattern"] = 6;
  pattern.erase("_sliding_window_pattern");
  EXPECT_EQ(FileMeaning(pattern), ConfigText(Gemma3_270M()));

  Json parameters = Gemma3File();
  for (const char* key : {"rope_theta", "rope_local_base_freq", "rope_scaling"}) {
    parameters.erase(key);
  }
  parameters["rope_parameters"] = Json::parse(R"({
    "full_attention": {"rope_theta": 1000000.0, "rope_type": "default"},
    "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"}})");
  EXPECT_EQ(FileMeaning(parameters), ConfigText(Gemma3_270M()));

  Json flat = Gemma2File();
  flat.erase("rope_theta");
  flat["rope_parameters"] = {{"rope_theta", 10000.0}, {"rope_type", "default"}};
  flat["layer_types"] = Json::array();
  for (int layer = 0; layer < 26; ++layer) {
    flat["layer_types"].push_back(layer % 2 == 0 ? "sliding_attention" : "full_attention");
  }
  EXPECT_EQ(FileMeaning(flat), ConfigText(Gemma2_2B()));
}

TEST(ParseGemmaConfig, AMissingTieMeansTied) {
  EXPECT_TRUE(ParseGemmaConfig(Gemma2File().dump())->tied_head);
  Json file = Gemma2File();
  file["tie_word_embeddings"] = false;
  EXPECT_FALSE(ParseGemmaConfig(file.dump())->tied_head);
}

TEST(ParseGemmaConfig, HiddenActivationWins) {
  Json file = Gemma2File();
  file["hidden_act"] = "gelu";
  EXPECT_TRUE(ParseGemmaConfig(file.dump()).ok());
  EXPECT_NE(FileError(file, "hidden_activation", "relu").find("hidden_activation is \"relu\""),
            std::string::npos);
  file.erase("hidden_activation");
  EXPECT_NE(FileMeaning(file).find("hidden_act is \"gelu\""), std::string::npos);
}

TEST(ParseGemmaConfig, RefusesByName) {
  const struct {
    Json file;
    const char* key;
    Json value;
  } cases[] = {
      {Gemma2File(), "model_type", "mistral"},
      {LlamaFile(), "attention_bias", true},
      {Qwen3File(), "attention_bias", true},
      {LlamaFile(), "hidden_act", "gelu"},
      {Gemma2File(), "attention_bias", true},
      {Gemma3File(), "use_bidirectional_attention", "all"},
      {Gemma2File(), "attention_dropout", 0.1},
      {Gemma2File(), "rope_scaling", Json{{"rope_type", "yarn"}, {"factor", 4}}},
      {Gemma3File(), "rope_scaling", Json{{"rope_type", "llama3"}, {"factor", 8}}},
      {Gemma3File(), "attn_logit_softcapping", 50.0},
      {Gemma3File(), "layer_types", Json::array({"full_attention"})},
      {Gemma2File(), "quantization_config", Json{{"quant_method", "bitsandbytes"}}},
      {Gemma2File(), "num_hidden_layers", 0},
      {Gemma2File(), "num_hidden_layers", 2.5},
      {Gemma2File(), "num_attention_heads", 6},
      {Gemma2File(), "head_dim", 255},
      {Gemma2File(), "final_logit_softcapping", -1},
      {Gemma2File(), "tie_word_embeddings", "yes"},
  };
  for (const auto& c : cases) {
    const std::string error = FileError(c.file, c.key, c.value);
    EXPECT_NE(error.find(c.key), std::string::npos) << c.key << ": " << error;
  }
  Json types = Gemma3File();
  types["layer_types"][3] = "chunked_attention";
  EXPECT_NE(FileMeaning(types).find("\"chunked_attention\""), std::string::npos);
  EXPECT_FALSE(ParseGemmaConfig("{").ok());
  EXPECT_FALSE(ParseGemmaConfig("[]").ok());
}

}  // namespace
}  // namespace fpo::train
