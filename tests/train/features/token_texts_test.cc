#include "train/features/token_texts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_join.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"
#include "train/data/context_id.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;

class TokenTextsTest : public ::testing::Test {
 protected:
  Tokenizer Open() {
    scratch_.Put("tokenizer.model", TinyTokenizerModel().bytes());
    auto tokenizer = Tokenizer::OpenFile(scratch_ / "tokenizer.model");
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
    return *std::move(tokenizer);
  }
  const ScratchFolder scratch_;
};

TEST_F(TokenTextsTest, JoinToTheText) {
  const Tokenizer tokenizer = Open();
  const std::string text = "the model \xF0\x9F\x98\x80\xF0\x9F\x98\x80 abc\n\nab";
  const auto ids = tokenizer.Encode(text);
  ASSERT_TRUE(ids.ok());
  const auto texts = TokenTexts(tokenizer, *ids);
  ASSERT_EQ(texts.size(), ids->size());
  EXPECT_EQ(absl::StrJoin(texts, ""), text) << "also the characters that are spelled in bytes";
}

TEST_F(TokenTextsTest, ContextIsReadAsWhatItStandsFor) {
  const Tokenizer tokenizer = Open();
  const int32_t id = *tokenizer.IdOf("abc");
  EXPECT_THAT(TokenTexts(tokenizer, std::vector<int32_t>{ContextId(id), id}),
              ElementsAre("abc", "abc"));
}

TEST_F(TokenTextsTest, WithoutATokenizerTheyAreNumbers) {
  const Tokenizer none = Tokenizer::Absent({absl::NotFoundError("none"), 61, 2, 1});
  EXPECT_THAT(TokenTexts(none, std::vector<int32_t>{12, 3}), ElementsAre(" #12", " #3"));
}

}  // namespace
}  // namespace fpo::train
