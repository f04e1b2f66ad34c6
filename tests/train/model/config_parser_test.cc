#include <nlohmann/json.hpp>

#include "gtest/gtest.h"
#include "train/model/gemma_config.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

// As published with Gemma-2 2B, with the keys that matter.
Json Gemma2File() {
  return Json::parse(R"({
    "architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", "attention_bias": false,
    "attention_dropout": 0.0, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
    "head_dim": 256, "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 2304, "intermediate_size": 9216, "num_attention_heads": 8,
    "num_hidden_layers": 26, "num_key_value_heads": 4, "query_pre_attn_scalar": 256,
    "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 4096,
    "torch_dtype": "bfloat16", "vocab_size": 256000})");
}

// As published with Gemma-3 270M: old rope keys, layer_types of newer files.
Json Gemma3File() {
  Json types = Json::array();
  for (int layer = 0; layer < 18; ++layer) {
    types.push_back(layer % 6 == 5 ? "full_attention" : "sliding_attention");
  }
  Json file = Json::parse(R"({
    "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text",
    "_sliding_window_pattern": 6, "attention_bias": false, "attn_logit_softcapping": null,
    "final_logit_softcapping": null, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 640, "intermediate_size": 2048, "num_attention_heads": 4,
    "num_hidden_layers": 18, "num_key_value_heads": 1, "query_pre_attn_scalar": 256,
    "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000.0, "rope_scaling": null,
    "rope_theta": 1000000.0, "sliding_window": 512, "use_bidirectional_attention": false,
    "vocab_size": 262144})");
  file["layer_types"] = types;
  return file;
}

std::string TextOf(const Json& file) {
  const auto config = ParseGemmaConfig(file.dump());
  return config.ok() ? ConfigText(*config) : std::string(config.status().message());
}

std::string ErrorOf(Json file, const std::string& key, const Json& value) {
  file[key] = value;
  const auto config = ParseGemmaConfig(file.dump());
  return config.ok() ? "accepted" : std::string(config.status().message());
}

TEST(ParseGemmaConfig, ReadsThePublishedFiles) {
  EXPECT_EQ(TextOf(Gemma2File()), ConfigText(Gemma2_2B()));
  EXPECT_EQ(TextOf(Gemma3File()), ConfigText(Gemma3_270M()));
}

TEST(ParseGemmaConfig, OlderAndNewerKeysMeanTheSame) {
  Json pattern = Gemma3File();
  pattern.erase("layer_types");
  EXPECT_EQ(TextOf(pattern), ConfigText(Gemma3_270M()));
  pattern["sliding_window_pattern"] = 6;
  pattern.erase("_sliding_window_pattern");
  EXPECT_EQ(TextOf(pattern), ConfigText(Gemma3_270M()));

  Json parameters = Gemma3File();
  for (const char* key : {"rope_theta", "rope_local_base_freq", "rope_scaling"}) {
    parameters.erase(key);
  }
  parameters["rope_parameters"] = Json::parse(R"({
    "full_attention": {"rope_theta": 1000000.0, "rope_type": "default"},
    "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"}})");
  EXPECT_EQ(TextOf(parameters), ConfigText(Gemma3_270M()));

  Json flat = Gemma2File();
  flat.erase("rope_theta");
  flat["rope_parameters"] = {{"rope_theta", 10000.0}, {"rope_type", "default"}};
  flat["layer_types"] = Json::array();
  for (int layer = 0; layer < 26; ++layer) {
    flat["layer_types"].push_back(layer % 2 == 0 ? "sliding_attention" : "full_attention");
  }
  EXPECT_EQ(TextOf(flat), ConfigText(Gemma2_2B()));
}

TEST(ParseGemmaConfig, ReadsTheNestedTextModel) {
  const Json file = Json::parse(R"({"model_type": "gemma3", "text_config": {
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
TEST(ParseGemmaConfig, TheOlderKeyOfRopeScalingMustBeMadeClear) {
  const std::string error =
      ErrorOf(Gemma3File(), "rope_scaling", Json{{"type", "linear"}, {"factor", 8.0}});
  for (const char* part : {"rope_scaling.type", "linear", "transformers 5", "rope_type"}) {
    EXPECT_NE(error.find(part), std::string::npos) << part << ": " << error;
  }
  Json file = Gemma3File();
  file["rope_scaling"] = {{"type", "default"}};  // means the same to all of them
  EXPECT_EQ(TextOf(file), ConfigText(Gemma3_270M()));
  // Both keys: rope_type counts in all of them.
  file["rope_scaling"] = {{"type", "default"}, {"rope_type", "linear"}, {"factor", 8.0}};
  EXPECT_EQ(ParseGemmaConfig(file.dump())->rope_scaling_global, 8);
  file["rope_scaling"] = {{"type", "linear"}, {"rope_type", "default"}, {"factor", 8.0}};
  EXPECT_EQ(ParseGemmaConfig(file.dump())->rope_scaling_global, 1);
}

TEST(ParseGemmaConfig, SoftcapsNullMeansNoneAndMissingTheDefault) {
  Json file = Gemma2File();
  file["attn_logit_softcapping"] = nullptr;
  file.erase("final_logit_softcapping");
  const auto config = ParseGemmaConfig(file.dump());
  ASSERT_TRUE(config.ok());
  EXPECT_FALSE(config->attention_softcap.has_value());
  EXPECT_EQ(config->final_softcap, 30.0);
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
  EXPECT_NE(ErrorOf(file, "hidden_activation", "relu").find("hidden_activation is \"relu\""),
            std::string::npos);
  file.erase("hidden_activation");
  EXPECT_NE(TextOf(file).find("hidden_act is \"gelu\""), std::string::npos);
}

TEST(ParseGemmaConfig, RefusesByName) {
  const struct {
    Json file;
    const char* key;
    Json value;
  } cases[] = {
      {Gemma2File(), "model_type", "llama"},
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
    const std::string error = ErrorOf(c.file, c.key, c.value);
    EXPECT_NE(error.find(c.key), std::string::npos) << c.key << ": " << error;
  }
  Json types = Gemma3File();
  types["layer_types"][3] = "chunked_attention";
  EXPECT_NE(TextOf(types).find("\"chunked_attention\""), std::string::npos);
  EXPECT_FALSE(ParseGemmaConfig("{").ok());
  EXPECT_FALSE(ParseGemmaConfig("[]").ok());
}

TEST(ParseGemmaConfig, WarnsOfTheKnownMistakeInEarly9BFiles) {
  Json file = Gemma2File();
  EXPECT_TRUE(ParseGemmaConfig(file.dump())->warnings.empty());
  file["hidden_size"] = 3584;
  file["query_pre_attn_scalar"] = 224;
  const auto config = ParseGemmaConfig(file.dump());
  ASSERT_EQ(config->warnings.size(), 1u);
  EXPECT_EQ(config->query_pre_attn_scalar, 224);
}

}  // namespace
}  // namespace fpo::train
