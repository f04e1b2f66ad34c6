#include "train/export/merge_adapter.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include <nlohmann/json.hpp>

#include "common/files/durable_file.h"
#include "tests/train/support/tiny_run.h"
#include "train/export/export_checkpoint.h"
#include "train/export/peft_folder.h"
#include "train/formats/safetensors_writer.h"
#include "train/loop/model_loader.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr char kQuery[] = "base_model.model.model.layers.1.self_attn.q_proj";

// An adapter of one projection of one layer, which no run here makes.
class MergeAdapterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto weights = MapWeights(tiny_.Path("model"));
    ASSERT_TRUE(weights.ok()) << weights.status();
    query_ = weights->at("model.layers.1.self_attn.q_proj.weight");
    at::manual_seed(4);
    tensors_ = {{std::string(kQuery) + ".lora_A.weight", at::randn({3, query_.size(1)})},
                {std::string(kQuery) + ".lora_B.weight", at::randn({query_.size(0), 3})}};
  }
  absl::Status Merge(const Json& changes = Json::object(), const std::string& out = "merged") {
    Json json = {{"peft_type", "LORA"},
                 {"r", 3},
                 {"lora_alpha", 5},
                 {"base_model_name_or_path", tiny_.Path("model")}};
    if (!changes.empty()) json.update(changes);
    EXPECT_TRUE(MakeFolder(tiny_.Path("adapter")));
    EXPECT_TRUE(WriteFileAtomically(tiny_.Path("adapter/adapter_config.json"), json.dump()).ok());
    EXPECT_TRUE(WriteSafetensors(tiny_.Path("adapter/adapter_model.safetensors"), tensors_).ok());
    return ExportCheckpoint({tiny_.Path("adapter"), tiny_.Path(out), "", "", true}, events_);
  }
  static bool MakeFolder(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    return !error;
  }
  at::Tensor Merged(const std::string& name, const std::string& out = "merged") const {
    return MapWeights(tiny_.Path(out))->at(name);
  }

  const TinyRun tiny_;
  RecordingSink events_;
  at::Tensor query_;
  TensorMap tensors_;
};

TEST_F(MergeAdapterTest, AddsWhatTheAdapterHasToThoseWeightsAlone) {
  ASSERT_TRUE(Merge().ok());
  const at::Tensor low = at::mm(tensors_.rbegin()->second, tensors_.begin()->second);
  EXPECT_TRUE(
      at::equal(Merged("model.layers.1.self_attn.q_proj.weight"), query_ + low * (5 / 3.0)));
  const auto base = MapWeights(tiny_.Path("model"));
  EXPECT_TRUE(at::equal(Merged("model.layers.0.self_attn.q_proj.weight"),
                        base->at("model.layers.0.self_attn.q_proj.weight")));
  ASSERT_TRUE(Merge({{"alpha_pattern", {{"q_proj", 3}}}}, "other").ok());
  EXPECT_TRUE(at::equal(Merged("model.layers.1.self_attn.q_proj.weight", "other"), query_ + low));
}

TEST_F(MergeAdapterTest, ScalesRowsForDora) {
  tensors_[std::string(kQuery) + ".lora_magnitude_vector"] = at::rand({query_.size(0)}) + 1;
  ASSERT_THAT(std::string(Merge().message()), HasSubstr("lora_magnitude_vector"));
  ASSERT_TRUE(Merge({{"use_dora", true}}).ok());
  const at::Tensor merged = Merged("model.layers.1.self_attn.q_proj.weight");
  EXPECT_TRUE(at::allclose(merged.norm(2, 1), tensors_.rbegin()->second, 1e-5));
  // Training cannot go on from it, and says what can be done.
  const auto refused = ReadPeftFolder(tiny_.Path("adapter"), *ReadModelConfig(tiny_.Path("model")));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("--merge"));
}

TEST_F(MergeAdapterTest, NothingIsLeftOutInSilence) {
  const auto refusal = [&](const std::string& name, const at::Tensor& tensor) {
    const TensorMap before = tensors_;
    tensors_[name] = tensor;
    const absl::Status status = Merge();
    tensors_ = before;
    EXPECT_FALSE(status.ok()) << name;
    return std::string(status.message());
  };
  EXPECT_THAT(refusal("base_model.model.lm_head.weight", at::zeros({2})), HasSubstr("lm_head"));
  EXPECT_THAT(refusal("base_model.model.model.embed_tokens.lora_embedding_A", at::zeros({3, 2})),
              HasSubstr("lora_embedding_A"));
  EXPECT_THAT(
      refusal("base_model.model.model.layers.9.mlp.up_proj.lora_A.weight", at::zeros({3, 2})),
      HasSubstr("layers.9.mlp.up_proj"));
  EXPECT_THAT(refusal(tensors_.begin()->first, at::zeros({4, query_.size(1)})),
              HasSubstr("as rank and model ask for"));
  EXPECT_THAT(refusal(tensors_.begin()->first, at::full({3, query_.size(1)}, INFINITY)),
              HasSubstr("not finite"));
  EXPECT_THAT(std::string(Merge({{"base_model_name_or_path", "google/gemma"}}).message()),
              HasSubstr("google/gemma, which is no folder here; name its folder with --model"));
  const absl::Status plain =
      ExportCheckpoint({tiny_.Path("adapter"), tiny_.Path("x"), "", "", false}, events_);
  EXPECT_THAT(std::string(plain.message()), HasSubstr("in PEFT's form already; --merge"));
}

}  // namespace
}  // namespace fpo::train
