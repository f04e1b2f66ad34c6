#include "train/export/peft_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/files/durable_file.h"
#include "tests/train/support/tiny_run.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using ConfigJson = nlohmann::ordered_json;

class PeftConfigTest : public ::testing::Test {
 protected:
  absl::StatusOr<PeftConfig> Read(const ConfigJson& changes) const {
    ConfigJson json = {{"peft_type", "LORA"}, {"r", 4}, {"lora_alpha", 8}};
    if (!changes.empty()) json.update(changes);
    EXPECT_TRUE(WriteFileAtomically(tiny_.Path("adapter_config.json"), json.dump()).ok());
    return ReadPeftConfig(tiny_.Path("."));
  }

  const TinyRun tiny_;
};

TEST_F(PeftConfigTest, ScalesAsPeftDoes) {
  EXPECT_EQ(Read({})->ScaleOf("model.layers.0.mlp.up_proj"), 2);
  EXPECT_EQ(Read({{"use_rslora", true}})->ScaleOf("model.layers.0.mlp.up_proj"), 4);
  const auto config = Read({{"rank_pattern", {{"layers.1.mlp.up_proj", 16}, {"up_proj", 2}}},
                            {"alpha_pattern", {{"^model.layers.0.mlp.up_proj", 10}}}});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->RankOf("model.layers.1.mlp.up_proj"), 16);
  EXPECT_EQ(config->RankOf("model.layers.11.mlp.up_proj"), 2);  // "layers.1" is no end of it
  EXPECT_EQ(config->RankOf("model.layers.0.mlp.gate_up_proj"), 4);
  EXPECT_EQ(config->ScaleOf("model.layers.0.mlp.up_proj"), 5);
  EXPECT_EQ(config->ScaleOf("model.layers.1.mlp.up_proj"), 0.5);
}

TEST_F(PeftConfigTest, NamesWhatCanOnlyBeMerged) {
  EXPECT_EQ(OnlyMergeable(*Read({{"use_rslora", false}, {"rank_pattern", ConfigJson::object()}})),
            "");
  EXPECT_EQ(OnlyMergeable(*Read({{"use_dora", true}})), "use_dora");
  EXPECT_EQ(OnlyMergeable(*Read({{"use_rslora", true}})), "use_rslora");
  EXPECT_EQ(OnlyMergeable(*Read({{"rank_pattern", {{"q_proj", 2}}}})), "rank_pattern");
  EXPECT_EQ(OnlyMergeable(*Read({{"alpha_pattern", {{"q_proj", 2}}}})), "alpha_pattern");
}

TEST_F(PeftConfigTest, RefusesOtherArithmeticByName) {
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
                                                       {"r", 2.5},
                                                       {"r", 0},
                                                       {"lora_alpha", nullptr}}) {
    const auto config = Read({{key, value}});
    ASSERT_FALSE(config.ok()) << key;
    EXPECT_THAT(std::string(config.status().message()), HasSubstr(key));
  }
  for (const char* start : {"gaussian", "eva", "orthogonal"}) {
    EXPECT_TRUE(Read({{"init_lora_weights", start}}).ok()) << start;
  }
}

}  // namespace
}  // namespace fpo::train
