#include <cstdlib>
#include <fstream>

#include <nlohmann/json.hpp>

#include "gtest/gtest.h"
#include "train/model/gemma_config.h"

namespace fpo::train {
namespace {

using nlohmann::json;

std::optional<double> OptionalOf(const json& value) {
  return value.is_null() ? std::nullopt : std::optional<double>(value.get<double>());
}

Architecture ArchitectureOf(const std::string& model_type) {
  if (model_type == "llama") return Architecture::kLlama;
  if (model_type == "qwen3") return Architecture::kQwen3;
  return model_type == "gemma2" ? Architecture::kGemma2 : Architecture::kGemma3;
}

// The configuration that transformers says a file means.
GemmaConfig Expected(const json& line) {
  const json& means = line["means"];
  GemmaConfig config;
  config.architecture = ArchitectureOf(line["config"]["model_type"]);
  config.layers = means["layers"];
  config.hidden_size = means["hidden_size"];
  config.heads = means["heads"];
  config.kv_heads = means["kv_heads"];
  config.head_dim = means["head_dim"];
  config.intermediate_size = means["intermediate_size"];
  config.vocab_size = means["vocab_size"];
  config.query_pre_attn_scalar = means["query_pre_attn_scalar"];
  config.attention_softcap = OptionalOf(means["attention_softcap"]);
  config.final_softcap = OptionalOf(means["final_softcap"]);
  config.sliding_window = means["sliding_window"];
  config.sliding = means["sliding"].get<std::vector<bool>>();
  config.rope_theta_global = means["rope_theta_global"];
  config.rope_theta_local = means["rope_theta_local"];
  config.rope_scaling_global = means["rope_scaling_global"];
  config.rms_norm_eps = means["rms_norm_eps"];
  config.tied_head = means["tied"];
  if (means.contains("llama3")) {
    const auto values = means["llama3"].get<std::vector<double>>();
    config.llama3_rope = Llama3Scaling{values[0], values[1], values[2], values[3]};
  }
  return config;
}

// Files of transformers 4.42 to 5.23 and of other writers: make_model_config_goldens.py.
TEST(ParseGemmaConfigGolden, MeansWhatTransformersSays) {
  const char* source = std::getenv("FPO_SOURCE_DIR");
  std::ifstream file(std::string(source ? source : ".") + "/tests/golden/model_configs.jsonl");
  ASSERT_TRUE(file.good());
  std::string text;
  int compared = 0;
  while (std::getline(file, text)) {
    const json line = json::parse(text);
    if (!line.contains("means") || !line.contains("config")) continue;
    const auto config = ParseGemmaConfig(line["config"].dump());
    ASSERT_TRUE(config.ok()) << line["made_by"] << ": " << config.status();
    EXPECT_EQ(ConfigText(*config), ConfigText(Expected(line))) << line["made_by"];
    ++compared;
  }
  EXPECT_GT(compared, 38 + 16);
}

}  // namespace
}  // namespace fpo::train
