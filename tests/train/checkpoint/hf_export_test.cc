#include "train/checkpoint/hf_export.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/train/support/scratch_folder.h"
#include "train/formats/safetensors_directory.h"

namespace fpo::train {
namespace {

class HfExportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_ / "source");
    ASSERT_TRUE(WriteShardedSafetensors(folder_ / "source", {{"model.embed", at::randn({4, 2})},
                                                             {"lm_head.weight", at::randn({4, 2})}})
                    .ok());
    folder_.Put("source/config.json", R"({"model_type": "gemma2", "torch_dtype": "float32"})");
    folder_.Put("source/tokenizer.model", "pieces");
    for (const char* name : {"tokenizer_config.json", "tokenizer.json", "added_tokens.json",
                             "special_tokens_map.json"}) {
      folder_.Put(absl::StrCat("source/", name), name);
    }
    folder_.Put("source/generation_config.json", R"({"eos_token_id": 1})");
    folder_.Put("source/additional_chat_templates/rag.jinja", "rag");
    folder_.Put("source/pytorch_model.bin", "not copied");
  }
  HfExport Request() const { return {folder_ / "source", folder_ / "out/model"}; }

  ScratchFolder folder_;
};

TEST_F(HfExportTest, WritesAFolderThatReads) {
  const at::Tensor trained = at::randn({4, 2});
  ASSERT_TRUE(ExportHuggingFace(Request(), Lazy({{"model.embed", trained}})).ok());
  const auto read = SafetensorsDirectory::Open(folder_ / "out/model");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(at::equal(*read->Tensor("model.embed"), trained.to(at::kBFloat16)));
  const auto config = nlohmann::json::parse(Slurp(folder_ / "out/model/config.json"));
  EXPECT_EQ(config["torch_dtype"], "bfloat16");
  EXPECT_EQ(config["dtype"], "bfloat16");
  EXPECT_EQ(config["model_type"], "gemma2");
  EXPECT_EQ(Slurp(folder_ / "out/model/tokenizer.model"), "pieces");
  for (const char* name : {"tokenizer_config.json", "tokenizer.json", "added_tokens.json",
                           "special_tokens_map.json"}) {
    EXPECT_EQ(Slurp(folder_ / absl::StrCat("out/model/", name)), name);
  }
  EXPECT_EQ(Slurp(folder_ / "out/model/additional_chat_templates/rag.jinja"), "rag");
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out/model/generation_config.json"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/model/pytorch_model.bin"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/model.tmp"));
}

TEST_F(HfExportTest, ReplacesAnOlderExport) {
  folder_.Put("out/model/stale.txt", "old");
  ASSERT_TRUE(ExportHuggingFace(Request(), Lazy({{"model.embed", at::randn({4, 2})}})).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/model/stale.txt"));
}

TEST_F(HfExportTest, WrongWeightsLeaveTheOldFolder) {
  folder_.Put("out/model/config.json", "old");
  const absl::Status shape =
      ExportHuggingFace(Request(), Lazy({{"model.embed", at::randn({4, 3})}}));
  EXPECT_TRUE(absl::StrContains(shape.message(), "[4, 3]")) << shape;
  const absl::Status missing = ExportHuggingFace(Request(), {});
  EXPECT_TRUE(absl::StrContains(missing.message(), "lack tensor \"model.embed\"")) << missing;
  const absl::Status extra = ExportHuggingFace(
      Request(), Lazy({{"model.embed", at::randn({4, 2})}, {"sae.w_enc", at::randn({2})}}));
  EXPECT_TRUE(absl::StrContains(extra.message(), "sae.w_enc")) << extra;
  EXPECT_EQ(Slurp(folder_ / "out/model/config.json"), "old");
}

}  // namespace
}  // namespace fpo::train
