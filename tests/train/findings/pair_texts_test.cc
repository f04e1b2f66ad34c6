#include "train/findings/pair_texts.h"

#include <gtest/gtest.h>

#include "tests/train/findings/styled_pairs.h"

namespace fpo::train {
namespace {

TEST(PairTexts, LongTextsAreCutBetweenCharacters) {
  const TinyRun tiny;
  TokenPair pair = {{2}, {7, 8, 1}, {6}, 3, "name"};
  pair.prompt.resize(3000, 5);
  pair.prompt.push_back(60);
  WriteTokenPairs({pair}, tiny.Path("pairs"));
  const TokenFile file = *TokenFile::Open(tiny.Path("pairs"));
  const auto tokenizer = Tokenizer::Absent({absl::NotFoundError("none"), 61, 2, 1});
  const ShownPair shown = PairTexts(file, file, tokenizer).Show(true, 0);
  EXPECT_TRUE(shown.is_eval);
  EXPECT_EQ(shown.row, 3);
  EXPECT_EQ(shown.id, "name");
  EXPECT_EQ(shown.chosen, "7 8 1") << "without a tokenizer tokens are numbers";
  EXPECT_EQ(shown.prompt.substr(0, 3), "...");
  EXPECT_EQ(shown.prompt.substr(shown.prompt.size() - 5), " 5 60");
  EXPECT_LE(shown.prompt.size(), 4003u);
}

}  // namespace
}  // namespace fpo::train
