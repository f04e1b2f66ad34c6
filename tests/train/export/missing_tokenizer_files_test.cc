#include "train/export/missing_tokenizer_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_run.h"
#include "tests/train/support/tiny_tokenizer_model.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class MissingTokenizerFilesTest : public ::testing::Test {
 protected:
  std::map<std::string, std::string> Made() {
    ServingFiles serving;
    AddMissingTokenizerFiles(folder_.path(), events_, &serving);
    return serving.tokenizer;
  }
  const ScratchFolder folder_;
  RecordingSink events_;
};

TEST_F(MissingTokenizerFilesTest, ATokenizerModelAloneGetsBoth) {
  folder_.Put("tokenizer.model", TinyTokenizerBytes());
  const auto made = Made();
  EXPECT_THAT(made, UnorderedElementsAre(Key("tokenizer.json"), Key("tokenizer_config.json")));
  EXPECT_THAT(events_.events, IsEmpty());
  folder_.Put("tokenizer.json", made.at("tokenizer.json"));
  EXPECT_EQ(Made().at("tokenizer_config.json"), made.at("tokenizer_config.json"));
  folder_.Put("tokenizer_config.json", made.at("tokenizer_config.json"));
  EXPECT_THAT(Made(), IsEmpty());
}

// What the small files say of added tokens stands in tokenizer.json too, as in transformers' own.
TEST_F(MissingTokenizerFilesTest, AddedTokensOfTheConfigAreInTokenizerJson) {
  folder_.Put("tokenizer.model", TinyTokenizerBytes());
  folder_.Put("tokenizer_config.json", R"({"bos_token": "<bos>", "eos_token": "<eos>"})");
  folder_.Put("added_tokens.json",
              "{\"<|im_end|>\": " + std::to_string(8 + 256 + 15 + 1 + 94) + "}");
  const auto made = Made();
  ASSERT_THAT(made, UnorderedElementsAre(Key("tokenizer.json")));
  EXPECT_THAT(made.at("tokenizer.json"), HasSubstr("<|im_end|>"));
}

TEST_F(MissingTokenizerFilesTest, WithoutATokenizerNothingIsMade) {
  EXPECT_THAT(Made(), IsEmpty());
  EXPECT_THAT(events_.events, IsEmpty());
}

TEST_F(MissingTokenizerFilesTest, ATokenizerThatCannotBeReadCostsAWarning) {
  folder_.Put("tokenizer.model", "no model");
  EXPECT_THAT(Made(), IsEmpty());
  ASSERT_THAT(events_.Of(EventKind::kWarning), SizeIs(1));
  EXPECT_THAT(events_.events[0].message, HasSubstr("has no tokenizer.json"));
  EXPECT_THAT(events_.events[0].message, HasSubstr("is not a SentencePiece model"));
}

}  // namespace
}  // namespace fpo::train
