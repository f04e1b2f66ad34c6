#include "train/loop/id_range.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

TEST(IdRangeTest, AnIdBehindTheEmbeddingIsAnError) {
  const ScratchFolder folder;
  TokenFileWriter writer;
  TokenPair pair;
  pair.prompt = {2, 60};
  pair.chosen = {1};
  writer.Add(pair);
  ASSERT_TRUE(writer.Write(folder / "t.safetensors", {}).ok());
  const auto tokens = TokenFile::Open(folder / "t.safetensors");
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  EXPECT_EQ(tokens->greatest_id(), 60);
  const auto check = [&](const std::string& vocab_size) {
    folder.Put("config.json",
               R"({"model_type":"gemma2","num_hidden_layers":2,"hidden_size":8,
                   "intermediate_size":16,"num_attention_heads":2,"num_key_value_heads":1,
                   "head_dim":4,"vocab_size":)" +
                   vocab_size + "}");
    return CheckIdsFit(*tokens, folder.path());
  };
  EXPECT_TRUE(check("61").ok());
  const absl::Status small = check("60");
  EXPECT_TRUE(absl::IsInvalidArgument(small));
  EXPECT_TRUE(absl::StrContains(small.message(), "token id 60")) << small;
  EXPECT_TRUE(absl::StrContains(small.message(), "is 60;")) << small;
}

}  // namespace
}  // namespace fpo::train
