#include "train/generate/text_stream.h"

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/text/utf8.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"

namespace fpo::train {
namespace {

class TextStreamTest : public ::testing::Test {
 protected:
  Tokenizer Open() {
    return *Tokenizer::Open((folder_.Put("tokenizer.model", TinyTokenizerBytes()), folder_.path()));
  }
  // The pieces of a stream, each checked to be UTF-8, and their sum.
  std::string Stream(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
    TextStream stream(tokenizer);
    std::string text;
    const auto take = [&](const std::string& piece) {
      EXPECT_EQ(FirstInvalidUtf8(piece), piece.size());
      text += piece;
    };
    for (const int32_t id : ids) take(stream.Add(id));
    take(stream.Finish());
    return text;
  }
  ScratchFolder folder_;
};

TEST_F(TextStreamTest, CharactersOfSeveralTokensComeWhole) {
  const Tokenizer tokenizer = Open();
  for (const char* text :
       {"the model", "gr\xC3\xBC\xC3\x9F", "a\xF0\x9F\x98\x80z", "\xE2\x82\xAC\xE2\x82\xAC"}) {
    const auto ids = tokenizer.Encode(text);
    ASSERT_TRUE(ids.ok());
    EXPECT_EQ(Stream(tokenizer, *ids), text);
  }
}

TEST_F(TextStreamTest, IsWhatDecodeGivesAlsoForBrokenBytes) {
  const Tokenizer tokenizer = Open();
  std::vector<int32_t> ids = *tokenizer.Encode("a\xE2\x82\xAC!b");
  for (size_t drop = 0; drop < ids.size(); ++drop) {
    std::vector<int32_t> some = ids;
    some.erase(some.begin() + static_cast<int64_t>(drop));
    EXPECT_EQ(Stream(tokenizer, some), *tokenizer.Decode(some)) << drop;
    some.resize(drop);  // ends inside of a character
    EXPECT_EQ(Stream(tokenizer, some), *tokenizer.Decode(some)) << drop;
  }
}

TEST_F(TextStreamTest, SpecialTokensAreLeftOut) {
  const Tokenizer tokenizer = Open();
  std::vector<int32_t> ids = *tokenizer.Encode("the");
  ids.insert(ids.begin(), tokenizer.bos());
  ids.push_back(tokenizer.eos());
  EXPECT_EQ(Stream(tokenizer, ids), "the");
}

// Ids at random, most of them single bytes.
TEST_F(TextStreamTest, OfAByteLevelEncodingIsWhatDecodeGives) {
  const char* source = std::getenv("FPO_SOURCE_DIR");
  std::ifstream file(std::string(source ? source : ".") +
                     "/tests/golden/byte_level_tokenizers.jsonl");
  int compared = 0;
  for (std::string line; std::getline(file, line);) {
    const auto golden = nlohmann::json::parse(line);
    const auto tokenizer =
        Tokenizer::OpenFile(folder_.Put("tokenizer.json", golden["tokenizer"].dump()));
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    for (const auto& item : golden["decode"]) {
      std::vector<int32_t> ids;
      for (const int32_t id : item[0]) {
        if (!tokenizer->IsSpecial(id)) ids.push_back(id);
      }
      EXPECT_EQ(Stream(*tokenizer, ids), *tokenizer->Decode(ids)) << item[0];
      ++compared;
    }
  }
  EXPECT_EQ(compared, 400);
}

}  // namespace
}  // namespace fpo::train
