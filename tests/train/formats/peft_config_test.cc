#include "train/formats/peft_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using ConfigJson = nlohmann::ordered_json;

absl::StatusOr<PeftConfig> ReadChanged(const ConfigJson& changes) {
  ConfigJson json = {{"peft_type", "LORA"}, {"r", 4}, {"lora_alpha", 8}};
  if (!changes.empty()) json.update(changes);
  return ParsePeftConfig(json.dump(), "/adapter");
}

TEST(PeftConfigJson, ScalesAsPeftDoes) {
  EXPECT_EQ(ReadChanged({})->ScaleOf("model.layers.0.mlp.up_proj"), 2);
  EXPECT_EQ(ReadChanged({{"use_rslora", true}})->ScaleOf("model.layers.0.mlp.up_proj"), 4);
  const auto config = ReadChanged({{"rank_pattern", {{"layers.1.mlp.up_proj", 16}, {"up_proj", 2}}},
                                   {"alpha_pattern", {{"^model.layers.0.mlp.up_proj", 10}}}});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->RankOf("model.layers.1.mlp.up_proj"), 16);
  EXPECT_EQ(config->RankOf("model.layers.11.mlp.up_proj"), 2);  // "layers.1" is no end of it
  EXPECT_EQ(config->RankOf("model.layers.0.mlp.gate_up_proj"), 4);
  EXPECT_EQ(config->ScaleOf("model.layers.0.mlp.up_proj"), 5);
  EXPECT_EQ(config->ScaleOf("model.layers.1.mlp.up_proj"), 0.5);
}

TEST(PeftConfigJson, NamesWhatCanOnlyBeMerged) {
  EXPECT_EQ(
      OnlyMergeable(*ReadChanged({{"use_rslora", false}, {"rank_pattern", ConfigJson::object()}})),
      "");
  EXPECT_EQ(OnlyMergeable(*ReadChanged({{"use_dora", true}})), "use_dora");
  EXPECT_EQ(OnlyMergeable(*ReadChanged({{"use_rslora", true}})), "use_rslora");
  EXPECT_EQ(OnlyMergeable(*ReadChanged({{"rank_pattern", {{"q_proj", 2}}}})), "rank_pattern");
  EXPECT_EQ(OnlyMergeable(*ReadChanged({{"alpha_pattern", {{"q_proj", 2}}}})), "alpha_pattern");
}

TEST(PeftConfigJson, RefusesOtherArithmeticByName) {
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, ConfigJson>>{{"peft_type", "IA3"},
                                                       {"bias", "lora_only"},
                                                       {"modules_to_save", {"lm_head"}},
                                                       {"fan_in_fan_out", true},
                                                       {"lora_bias", true},
                                                       {"layer_replication", {{0, 2}}},
                                                       {"trainable_token_indices", {1}},
                                                       {"init_lora_weights", "pissa_niter_16"},
                                                       {"init_lora_weights", "olora"},
                                                       {"init_lora_weights", "loftq"},
                                                       {"rank_pattern", {{".*q_proj|v_proj", 2}}},
                                                       {"alpha_pattern", {{"q_proj", -1}}},
                                                       {"alpha_pattern", {"q_proj"}},
                                                       {"rank_pattern", {{"q_proj", 1e300}}},
                                                       {"r", 2.5},
                                                       {"r", int64_t{1} << 40},
                                                       {"r", 0},
                                                       {"lora_alpha", nullptr}}) {
    const auto config = ReadChanged({{key, value}});
    ASSERT_FALSE(config.ok()) << key;
    EXPECT_THAT(std::string(config.status().message()), HasSubstr(key));
  }
  for (const char* start : {"gaussian", "eva", "orthogonal"}) {
    EXPECT_TRUE(ReadChanged({{"init_lora_weights", start}}).ok()) << start;
  }
}

}  // namespace
}  // namespace fpo::train
