#include "train/model/weight_names.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "train/model/weights.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> Names(const GemmaConfig& config, const std::string& prefix = "") {
  std::vector<std::string> names;
  for (const std::string& name : WeightNames(config)) names.push_back(prefix + name);
  return names;
}

// "used: N; notes", or the error.
std::string Selected(const GemmaConfig& config, std::vector<std::string> names,
                     const std::vector<std::string>& more = {}) {
  names.insert(names.end(), more.begin(), more.end());
  const auto selection = SelectTensors(config, names);
  if (!selection.ok()) return std::string(selection.status().message());
  return absl::StrCat("used: ", selection->used.size(), "; ",
                      absl::StrJoin(selection->notes, "; "));
}

class SelectTensorsTest : public ::testing::Test {
 protected:
  const GemmaConfig config_ = TinyForTest();
  const std::string all_ = absl::StrCat("used: ", WeightNames(config_).size(), "; ");
};

TEST_F(SelectTensorsTest, TheModelsOwnAreUsed) {
  EXPECT_EQ(Selected(config_, Names(config_)), all_);
  EXPECT_EQ(Selected(config_, Names(config_, "language_model.")), all_);
  std::vector<std::string> nested, headless;
  for (const std::string& name : Names(config_)) {
    nested.push_back("model.language_model." + name.substr(6));
    headless.push_back(name.substr(6));
  }
  EXPECT_EQ(Selected(config_, nested), all_);
  // As Gemma2Model.save_pretrained writes them: without "model.".
  EXPECT_EQ(Selected(config_, headless), all_);
  const auto selection = SelectTensors(config_, headless);
  EXPECT_EQ(selection->used.front().second, "model.embed_tokens.weight");
}

TEST_F(SelectTensorsTest, WhatTransformersIgnoresIsLeftOutAndSaid) {
  EXPECT_THAT(
      Selected(config_, Names(config_),
               {"model.layers.0.self_attn.rotary_emb.inv_freq", "model.rotary_emb_local.inv_freq",
                "model.embed_tokens.embed_scale", "model.rotary_emb.full_attention_inv_freq"}),
      HasSubstr(all_ + "4 tensors are left out, as in transformers, because they are "
                       "computed: model.layers.0.self_attn.rotary_emb.inv_freq, "));
  EXPECT_THAT(Selected(config_, Names(config_),
                       {"vision_tower.patch.weight", "model.multi_modal_projector.w"}),
              HasSubstr("describes a model of text only"));
  EXPECT_THAT(Selected(config_, Names(config_), {"score.weight"}),
              HasSubstr("a tensor is left out, as in transformers, because Gemma's language model "
                        "has none such: score.weight"));
  GemmaConfig nested = config_;
  nested.nested = true;
  EXPECT_EQ(Selected(nested, Names(config_), {"vision_tower.patch.weight"}), all_);
}

TEST_F(SelectTensorsTest, WhatWouldChangeTheTextModelIsRefused) {
  const std::pair<std::string, std::string> cases[] = {
      {"model.layers.0.self_attn.q_proj.bias", "would change it"},
      {absl::StrCat("model.layers.", config_.layers, ".mlp.up_proj.weight"),
       absl::StrCat("is of layer ", config_.layers, ", but num_hidden_layers of config.json is ",
                    config_.layers)},
      {"model.layers.0.self_attn.q_norm.weight", "is of Gemma 3"},
      {"model.layers.0.self_attn.q_proj.lora_A.default.weight", "merge_and_unload"},
      {"base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", "merge_and_unload"},
      {"model.layers.0.mlp.up_proj.weight.absmax", "quantised"},
      {"model.layers.0.mlp.up_proj.qweight", "quantised"},
      {"model.layers.0.mlp.up_proj.weight_scale", "quantised"},
      {"model.layers.0.mlp.up_proj.weight_scale_inv", "quantised"},
      {"language_model.model.norm.weight", "is a second \"model.norm.weight\""},
      {"lm_head.bias", "would change it"}};
  for (const auto& [name, words] : cases) {
    EXPECT_THAT(Selected(config_, Names(config_), {name}), HasSubstr(words)) << name;
  }
}

TEST_F(SelectTensorsTest, AWrappedModelIsNamed) {
  EXPECT_THAT(Selected(config_, Names(config_, "_orig_mod.")), HasSubstr("unwrap_model"));
  EXPECT_THAT(Selected(config_, {"transformer.h.0.attn.weight"}), HasSubstr("none of Gemma's"));
}

TEST_F(SelectTensorsTest, QuantisedTypes) {
  for (const char* type : {"F32", "BF16", "F16", "F64"}) EXPECT_EQ(QuantisedType(type), "");
  for (const char* type : {"F8_E4M3", "F8_E5M2", "I8", "U8", "F4"}) {
    EXPECT_THAT(QuantisedType(type), HasSubstr("quantised"));
  }
}

}  // namespace
}  // namespace fpo::train
