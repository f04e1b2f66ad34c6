#include "train/tokenizer/tokenizer.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"
#include "tests/train/support/tokenizer_json_of.h"
#include "train/tokenizer/sentencepiece_model.h"

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

TEST_F(TinyTokenizerTest, SpecialTokensAreNoText) {
  for (const int32_t id : {tokenizer_->bos(), tokenizer_->eos(), tokenizer_->pad()}) {
    EXPECT_TRUE(tokenizer_->IsSpecial(id)) << id;
  }
  EXPECT_TRUE(tokenizer_->IsSpecial(*tokenizer_->IdOf("<end_of_turn>")));
  EXPECT_FALSE(tokenizer_->IsSpecial(*tokenizer_->IdOf("\n\n")));
  EXPECT_FALSE(tokenizer_->IsSpecial(*tokenizer_->IdOf("abc")));
}

TEST_F(TinyTokenizerTest, IdsByPiece) {
  EXPECT_EQ(tokenizer_->bos(), 2);
  EXPECT_EQ(tokenizer_->eos(), 1);
  EXPECT_EQ(tokenizer_->pad(), 0);
  EXPECT_EQ(tokenizer_->IdOf("<start_of_turn>"), 4);
  EXPECT_EQ(tokenizer_->IdOf("nothing like it"), std::nullopt);
}

TEST_F(TinyTokenizerTest, ControlAndUnknownPiecesStandInText) {
  EXPECT_THAT(Pieces("a<unk>b"), ElementsAre("a", "<unk>", "b"));
  EXPECT_THAT(Pieces("<mask>"), ElementsAre("<", "m", "a", "s", "k", ">"));
}

TEST_F(TinyTokenizerTest, TextThatIsNoUtf8IsAnError) {
  for (const char* bad : {"a\xFF", "a\xC3", "a\xED\xA0\x80"}) {
    const auto ids = tokenizer_->Encode(bad);
    EXPECT_TRUE(absl::IsInvalidArgument(ids.status())) << ids.status();
    EXPECT_TRUE(absl::StrContains(ids.status().message(), "byte 1")) << ids.status();
  }
  EXPECT_THAT(Pieces(std::string("a\0b", 3)), ElementsAre("a", "<0x00>", "b"));
}

TEST_F(TinyTokenizerTest, DecodeOfBytes) {
  const int32_t first = *tokenizer_->IdOf("<0x00>");
  EXPECT_EQ(*tokenizer_->Decode({first + 0xC3, first + 0xA9}), "é");
  EXPECT_EQ(*tokenizer_->Decode({first + 0xC3, *tokenizer_->IdOf("a")}), "\uFFFDa");
}

// The file's other form gives the same ids and is the same tokenizer.
TEST_F(TinyTokenizerTest, JsonAndModelAgree) {
  const auto spec = ReadSentencePieceModel(TinyTokenizerBytes(), "t.model");
  const auto json =
      Tokenizer::OpenFile(folder_.Put("tokenizer.json", TokenizerJsonOf(*spec).dump()));
  ASSERT_TRUE(json.ok()) << json.status();
  for (const std::string text :
       {"<bos>abc the  user\n\n\n<unk>", "ab abc\t\t▁▁", "modelmode usable", ""}) {
    EXPECT_EQ(*json->Encode(text), *tokenizer_->Encode(text)) << text;
  }
  const auto folder = Tokenizer::Open(folder_.path());
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_TRUE(absl::EndsWith(folder->file(), "tokenizer.json"));
  EXPECT_EQ(folder->digest(), json->digest());
}

TEST_F(TinyTokenizerTest, TheDigestCoversEveryFileThatCounts) {
  const Digest plain = tokenizer_->digest();
  EXPECT_EQ(Tokenizer::Open(folder_.path())->digest(), plain);
  folder_.Put("tokenizer_config.json", R"({"chat_template":"{{ x }}"})");
  EXPECT_EQ(Tokenizer::Open(folder_.path())->digest(), plain);
  const std::string size = std::to_string(tokenizer_->size());
  folder_.Put("added_tokens.json", R"({"<x>":)" + size + "}");
  EXPECT_NE(Tokenizer::Open(folder_.path())->digest(), plain);
}

TEST_F(TinyTokenizerTest, AddedTokensBehindThePieces) {
  const int32_t size = tokenizer_->size();
  folder_.Put("added_tokens.json", R"({"<|im_start|>":)" + std::to_string(size) + "}");
  tokenizer_.emplace(*Tokenizer::Open(folder_.path()));
  EXPECT_EQ(tokenizer_->size(), size + 1);
  EXPECT_EQ(tokenizer_->IdOf("<|im_start|>"), size);
  EXPECT_THAT(Pieces("<|im_start|>user"), ElementsAre("<|im_start|>", "user"));
  EXPECT_EQ(*tokenizer_->Decode({size}), "<|im_start|>");
}

TEST_F(TinyTokenizerTest, TheEmbeddingLimitsTheIds) {
  const int32_t size = tokenizer_->size();
  EXPECT_TRUE(tokenizer_->LimitTo(size + 64).ok());
  EXPECT_EQ(tokenizer_->id_limit(), size);
  const absl::Status small = tokenizer_->LimitTo(size - 1);
  EXPECT_TRUE(absl::IsInvalidArgument(small));
  for (const int32_t number : {size, size - 1}) {
    EXPECT_TRUE(absl::StrContains(small.message(), std::to_string(number))) << small;
  }
  folder_.Put("added_tokens.json", R"({"<image_soft_token>":)" + std::to_string(size) + "}");
  Tokenizer image = *Tokenizer::Open(folder_.path());
  EXPECT_TRUE(image.LimitTo(size).ok()) << "as in Gemma 3's text models";
  EXPECT_EQ(image.id_limit(), size);
  EXPECT_EQ(image.size(), size + 1);
}

TEST(TokenizerTest, AnAbsentOneSaysWhy) {
  const Tokenizer none = Tokenizer::Absent({absl::NotFoundError("no file"), 100, 2, 1});
  EXPECT_EQ(none.Encode("a").status().message(), "no file");
  EXPECT_TRUE(absl::IsNotFound(none.present()));
  EXPECT_EQ(none.IdOf("a"), std::nullopt);
  EXPECT_EQ(none.id_limit(), 100);
  EXPECT_EQ(none.bos(), 2);
  EXPECT_EQ(none.eos(), 1);
}

// What is still read of a damaged file must also work.
TEST(TokenizerTest, DamagedFilesNeverCrash) {
  const ScratchFolder folder;
  const auto spec = ReadSentencePieceModel(TinyTokenizerBytes(), "t.model");
  int opened = 0;
  const auto use = [&](const std::string& file) {
    const auto tokenizer = Tokenizer::OpenFile(file);
    if (!tokenizer.ok()) return;
    ++opened;
    const auto ids = tokenizer->Encode("<bos>abc the\n\n\t é漢<end_of_turn>▁▁model<unk>");
    ASSERT_TRUE(ids.ok()) << ids.status();
    for (int32_t id = 0; id < tokenizer->size(); ++id) (void)tokenizer->Decode({id});
    EXPECT_TRUE(tokenizer->Decode(*ids).ok());
  };
  FuzzByMutation(TinyTokenizerBytes(), 500,
                 [&](const std::string& bytes) { use(folder.Put("tokenizer.model", bytes)); });
  FuzzByMutation(TokenizerJsonOf(*spec).dump(), 500,
                 [&](const std::string& bytes) { use(folder.Put("tokenizer.json", bytes)); });
  EXPECT_GT(opened, 0);
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
  EXPECT_THAT(*tokenizer->Encode("what is <unk>?"), ElementsAre(5049, 603, 235248, 3, 235336));
  EXPECT_THAT(*tokenizer->Encode(std::string(33, ' ') + "x"), ElementsAre(153, 154, 235297));
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
