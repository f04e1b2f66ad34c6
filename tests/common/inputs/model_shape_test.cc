#include "common/inputs/model_shape.h"

#include "gmock/gmock.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;
using train::ScratchFolder;

class ModelShapeTest : public ::testing::Test {
 protected:
  absl::StatusOr<ModelShape> Read(const std::string& config) const {
    folder_.Put("m/config.json", config);
    return ReadModelShape(folder_ / "m");
  }
  const ScratchFolder folder_;
};

TEST_F(ModelShapeTest, TextAndMultimodalConfigs) {
  folder_.Put("m/model.safetensors", "");
  const auto text = Read(R"({"model_type": "gemma2", "num_hidden_layers": 26, "hidden_size": 2304,
      "num_attention_heads": 8, "head_dim": 256, "max_position_embeddings": 8192})");
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(text->family, "gemma2");
  EXPECT_EQ(text->layers, 26);
  EXPECT_EQ(text->width, 2304);
  EXPECT_EQ(text->head_width, 2048);
  EXPECT_EQ(text->context, 8192);
  const auto nested = Read(R"({"model_type": "gemma3", "text_config": {"num_hidden_layers": 34}})");
  ASSERT_TRUE(nested.ok()) << nested.status();
  EXPECT_EQ(nested->family, "gemma3");
  EXPECT_EQ(nested->layers, 34);
  EXPECT_EQ(nested->head_width, 0) << "not said";
  const auto llama =
      Read(R"({"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32})");
  ASSERT_TRUE(llama.ok()) << llama.status();
  EXPECT_EQ(llama->family, "llama");
  EXPECT_EQ(llama->head_width, 4096) << "of older files";
}

TEST_F(ModelShapeTest, SizesThatNoModelHasAreUnknown) {
  folder_.Put("m/model.safetensors", "");
  const auto shape = Read(R"({"model_type": "gemma2", "num_hidden_layers": -3,
      "hidden_size": 18446744073709551615, "num_attention_heads": 4611686018427387904,
      "head_dim": 8, "max_position_embeddings": "8192"})");
  ASSERT_TRUE(shape.ok()) << shape.status();
  EXPECT_EQ(shape->layers, 0);
  EXPECT_EQ(shape->width, 0);
  EXPECT_EQ(shape->head_width, 0) << "8 * 2^62 is not computed";
  EXPECT_EQ(shape->context, 0);
}

TEST_F(ModelShapeTest, WhatIsNoModelThatIsTrained) {
  const auto problem = [&](const std::string& config) {
    return std::string(Read(config).status().message());
  };
  EXPECT_THAT(problem("[]"), HasSubstr("is not a JSON object"));
  EXPECT_THAT(problem("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 900\n"),
              HasSubstr("config.json is a Git LFS pointer"));
  EXPECT_THAT(problem(R"({"model_type": "olmo"})"), HasSubstr("a model of type \"olmo\""));
  EXPECT_THAT(problem(R"({"model_type": "gemma2"})"), HasSubstr("has no *.safetensors"));
}

}  // namespace
}  // namespace fpo
