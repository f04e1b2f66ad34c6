#include "train/prepare/model_tokenizer.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"

namespace fpo::train {
namespace {

std::string Config(int64_t vocab_size, const std::string& more = "") {
  return absl::StrCat(R"({"model_type":"gemma2","num_hidden_layers":2,"hidden_size":8,
      "intermediate_size":16,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":4,)",
                      more, R"("vocab_size":)", vocab_size, "}");
}

class ModelTokenizerTest : public ::testing::Test {
 protected:
  ScratchFolder folder_;
};

TEST_F(ModelTokenizerTest, NeitherTokenizerNorConfig) {
  const auto none = OpenModelTokenizer(folder_.path());
  EXPECT_TRUE(absl::IsNotFound(none.status()));
  EXPECT_TRUE(absl::StrContains(none.status().message(), folder_.path()));
  folder_.Put("tokenizer.model", TinyTokenizerBytes());
  EXPECT_TRUE(OpenModelTokenizer(folder_.path()).ok()) << "the loader of the model asks for it";
}

TEST_F(ModelTokenizerTest, TheEmbeddingMustHoldEveryId) {
  folder_.Put("tokenizer.model", TinyTokenizerBytes());
  const int32_t size = OpenModelTokenizer(folder_.path())->size();
  folder_.Put("config.json", Config(size + 3));
  EXPECT_EQ(OpenModelTokenizer(folder_.path())->id_limit(), size);
  EXPECT_EQ(OpenModelTokenizer(folder_.path())->spare_rows(), 3);
  folder_.Put("config.json", Config(size - 5));
  const auto small = OpenModelTokenizer(folder_.path());
  EXPECT_TRUE(absl::IsInvalidArgument(small.status())) << small.status();
  for (const int32_t number : {size, size - 5}) {
    EXPECT_TRUE(absl::StrContains(small.status().message(), std::to_string(number)))
        << small.status();
  }
  folder_.Put("config.json", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n");
  const auto pointer = OpenModelTokenizer(folder_.path());
  EXPECT_TRUE(absl::StrContains(pointer.status().message(), "git lfs pull")) << pointer.status();
  folder_.Put("config.json", R"({"model_type":"mistral"})");
  const auto other = OpenModelTokenizer(folder_.path());
  EXPECT_TRUE(absl::StrContains(other.status().message(), "config.json")) << other.status();
}

TEST_F(ModelTokenizerTest, WithoutATokenizerIdsAreStillGood) {
  folder_.Put("config.json", Config(100));
  auto tokenizer = OpenModelTokenizer(folder_.path());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_TRUE(absl::IsNotFound(tokenizer->present()));
  EXPECT_EQ(tokenizer->id_limit(), 100);
  EXPECT_EQ(tokenizer->bos(), 2);
  EXPECT_EQ(tokenizer->eos(), 1);
  folder_.Put("config.json", Config(100, R"("bos_token_id":7,"eos_token_id":[9,1],)"));
  tokenizer = OpenModelTokenizer(folder_.path());
  EXPECT_EQ(tokenizer->bos(), 7);
  EXPECT_EQ(tokenizer->eos(), 9);
}

TEST_F(ModelTokenizerTest, ABrokenTokenizerIsNotAnAbsentOne) {
  folder_.Put("config.json", Config(100));
  folder_.Put("tokenizer.json", "{}");
  EXPECT_FALSE(OpenModelTokenizer(folder_.path()).ok());
}

}  // namespace
}  // namespace fpo::train
