#include "train/generate/model_for_generation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/generate/tiny_text_model.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;

TEST(ModelForGeneration, StopsAreThoseOfTheFolderAndOfTheTurn) {
  const TinyTextModel tiny;
  tiny.folder().Put("model/generation_config.json", R"({"eos_token_id": [1, 17]})");
  const auto model = GenerationModel::Open({tiny.path(), "float32", "gemma"});
  ASSERT_TRUE(model.ok()) << model.status();
  const int32_t end = *(*model)->tokenizer().IdOf("<end_of_turn>");
  EXPECT_THAT((*model)->Stops(false), ElementsAre(1, 17));
  EXPECT_THAT((*model)->Stops(true), ::testing::UnorderedElementsAre(1, 17, end));
}

TEST(ModelForGeneration, TextHasNoSpecialTokens) {
  const TinyTextModel tiny;
  const auto model = GenerationModel::Open({tiny.path()});
  ASSERT_TRUE(model.ok()) << model.status();
  std::vector<int32_t> ids = *(*model)->tokenizer().Encode("the model");
  ids.push_back((*model)->tokenizer().eos());
  EXPECT_EQ(*(*model)->TextOf(ids), "the model");
  EXPECT_EQ((*model)->choices(), (*model)->tokenizer().size());
}

TEST(ModelForGeneration, ErrorsNameTheFolder) {
  EXPECT_FALSE(GenerationModel::Open({"/nowhere"}).ok());
}

}  // namespace
}  // namespace fpo::train
