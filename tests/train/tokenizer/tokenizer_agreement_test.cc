#include "train/tokenizer/tokenizer_agreement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TokenizerSpec Spec(const std::string& file) {
  TokenizerSpec spec;
  spec.file = file;
  spec.bpe.pieces = {"<pad>", "<unused0>", "\t", "a", "b"};
  spec.added = {{"<pad>", 0}, {"<unused0>", 1}};
  return spec;
}

class TokenizerAgreementTest : public ::testing::Test {
 protected:
  absl::Status Check() {
    warnings_.clear();
    return CheckTokenizersAgree(json_, model_, &warnings_);
  }
  TokenizerSpec json_ = Spec("m/tokenizer.json"), model_ = Spec("m/tokenizer.model");
  std::vector<std::string> warnings_;
};

TEST_F(TokenizerAgreementTest, EqualOnesAndTokensAddedBehind) {
  EXPECT_TRUE(Check().ok());
  json_.added.push_back({"<|im_start|>", 5});
  json_.bpe.pieces[2] = "<0x09>";  // the tab as some converters write it
  EXPECT_TRUE(Check().ok());
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(TokenizerAgreementTest, AnotherPieceIsAnError) {
  json_.bpe.pieces[3] = "c";
  json_.bpe.pieces[4] = "d";
  const absl::Status other = Check();
  EXPECT_TRUE(absl::IsInvalidArgument(other));
  for (const char* part :
       {"m/tokenizer.json", "m/tokenizer.model", "2 pieces", "id 3", "\"c\"", "\"a\""}) {
    EXPECT_TRUE(absl::StrContains(other.message(), part)) << part << " in " << other;
  }
  json_ = Spec("j");
  json_.bpe.pieces.pop_back();
  EXPECT_TRUE(absl::StrContains(Check().message(), "absent in tokenizer.json"));
  json_ = Spec("j");
  json_.bpe.pieces.push_back("more");
  EXPECT_TRUE(absl::StrContains(Check().message(), "absent in tokenizer.model"));
}

TEST_F(TokenizerAgreementTest, ReservedPiecesAreWarnedOf) {
  json_.bpe.pieces[1] = "<|im_start|>";
  json_.added[1].content = "<|im_start|>";
  EXPECT_TRUE(Check().ok());
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("\"<|im_start|>\" and \"<unused0>\"")));
  json_ = Spec("j");
  json_.added.pop_back();
  EXPECT_TRUE(Check().ok());
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("\"<unused0>\"")));
}

}  // namespace
}  // namespace fpo::train
