#include "worker/trainer/data/tokenizer.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "tests/worker/trainer/support/scratch_folder.h"
#include "tests/worker/trainer/support/tiny_tokenizer.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;

std::vector<int32_t> IdsOf(const std::string& line) {
  std::vector<int32_t> ids;
  std::istringstream in(line);
  for (int32_t id; in >> id;) ids.push_back(id);
  return ids;
}

class TinyTokenizerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.Put("tokenizer.model", TinyTokenizerBytes());
    auto tokenizer = Tokenizer::Open(folder_.path());
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    tokenizer_.emplace(*std::move(tokenizer));
  }
  std::vector<std::string> Pieces(const std::string& text) {
    std::vector<std::string> pieces;
    const auto ids = tokenizer_->Encode(text);
    EXPECT_TRUE(ids.ok()) << ids.status();
    for (const int32_t id : *ids) pieces.push_back(tokenizer_->PieceOf(id));
    return pieces;
  }
  ScratchFolder folder_;
  std::optional<Tokenizer> tokenizer_;
};

TEST_F(TinyTokenizerTest, PlainTextGetsNothingAdded) {
  EXPECT_THAT(Pieces("abc the"), ElementsAre("abc", "▁the"));
  EXPECT_THAT(Pieces(""), ElementsAre());
  EXPECT_THAT(Pieces("é"), ElementsAre("<0xC3>", "<0xA9>"));
}

TEST_F(TinyTokenizerTest, SpecialPiecesInTextAreSingleIds) {
  EXPECT_THAT(
      Pieces("<bos><start_of_turn>user\nabc<end_of_turn>\n\n"),
      ElementsAre("<bos>", "<start_of_turn>", "user", "\n", "abc", "<end_of_turn>", "\n\n"));
  EXPECT_THAT(Pieces("<eos><pad>a<bo"), ElementsAre("<eos>", "<pad>", "a", "<", "b", "o"));
}

TEST_F(TinyTokenizerTest, DecodeWritesControlPiecesOut) {
  const std::string text = "<bos>abc the\n\n x<eos>";
  EXPECT_EQ(*tokenizer_->Decode(*tokenizer_->Encode(text)), text);
  EXPECT_TRUE(absl::IsInvalidArgument(tokenizer_->Decode({tokenizer_->size()}).status()));
}

TEST_F(TinyTokenizerTest, IdsByPiece) {
  EXPECT_EQ(tokenizer_->bos(), 2);
  EXPECT_EQ(tokenizer_->eos(), 1);
  EXPECT_EQ(tokenizer_->pad(), 0);
  EXPECT_EQ(tokenizer_->IdOf("<start_of_turn>"), 4);
  EXPECT_EQ(tokenizer_->IdOf("nothing like it"), std::nullopt);
}

TEST(TokenizerTest, MissingAndBroken) {
  ScratchFolder folder;
  const auto missing = Tokenizer::Open(folder.path());
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_TRUE(absl::StrContains(missing.status().message(), folder.path()));
  folder.Put("tokenizer.model", "not a model");
  EXPECT_TRUE(absl::IsDataLoss(Tokenizer::Open(folder.path()).status()));
}

// A file of texts and the ids llama.cpp gives them.
void CheckLlamaVectors(const Tokenizer& tokenizer, const std::string& stem) {
  const std::vector<std::string> texts =
      absl::StrSplit(Slurp(stem + ".inp"), "\n__ggml_vocab_test__\n");
  const std::vector<std::string> lines = absl::StrSplit(Slurp(stem + ".out"), '\n');
  ASSERT_GE(texts.size(), 46u);
  for (size_t i = 0; i < 46; ++i) {
    EXPECT_EQ(*tokenizer.Encode(texts[i]), IdsOf(lines[i])) << stem << " text " << i;
  }
}

TEST(TokenizerTest, Gemma2Vectors) {
  const std::string model = SharedData("tokenizer/gemma2/gemma2_rebuilt.spm.model");
  if (model.empty()) GTEST_SKIP() << "shared test data is absent (FPO_SHARED_DATA)";
  const auto tokenizer = Tokenizer::OpenFile(model);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  CheckLlamaVectors(*tokenizer, SharedData("tokenizer/vectors") + "/llamacpp-gemma-2.v1");
  CheckLlamaVectors(*tokenizer, SharedData("tokenizer/vectors") + "/llamacpp-gemma-2.v2");
  const auto vectors =
      nlohmann::json::parse(Slurp(SharedData("tokenizer/vectors/hf_gemma_vectors.json")));
  ASSERT_EQ(vectors.size(), 12u);
  for (const auto& item : vectors) {
    EXPECT_EQ(*tokenizer->Encode(item["text"].get<std::string>()),
              item["ids_without_bos"].get<std::vector<int32_t>>());
  }
  EXPECT_THAT(*tokenizer->Encode("<bos><start_of_turn>user\n<end_of_turn>\n<eos>"),
              ElementsAre(2, 106, 1645, 108, 107, 108, 1));
}

TEST(TokenizerTest, Gemma3TurnMarks) {
  const std::string model = SharedData("tokenizer/gemma3/gemma3_rebuilt.spm.model");
  if (model.empty()) GTEST_SKIP() << "shared test data is absent (FPO_SHARED_DATA)";
  const auto tokenizer = Tokenizer::OpenFile(model);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT(*tokenizer->Encode("<start_of_turn><end_of_turn>\n"), ElementsAre(105, 106, 107));
}

}  // namespace
}  // namespace fpo::train
