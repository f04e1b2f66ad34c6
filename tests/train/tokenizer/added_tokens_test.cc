#include "train/tokenizer/added_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Parts(std::vector<AddedToken> tokens, const std::string& text) {
  std::vector<std::string> parts;
  AddedTokens(std::move(tokens))
      .Split(
          text, [&](absl::string_view plain) { parts.emplace_back(plain); },
          [&](int32_t id) { parts.push_back(absl::StrCat("#", id)); });
  return parts;
}

TEST(AddedTokensTest, TheLeftmostAndOfThoseTheLongest) {
  const std::vector<AddedToken> tokens = {{"<b>", 1}, {"\n", 2}, {"\n\n", 3}, {"b>c", 4}};
  EXPECT_THAT(Parts(tokens, "a<b>c\n\n\nd"), ElementsAre("a", "#1", "c", "#3", "#2", "d"));
  EXPECT_THAT(Parts(tokens, "b>c<b"), ElementsAre("#4", "<b"));
  EXPECT_THAT(Parts(tokens, "plain"), ElementsAre("plain"));
  EXPECT_THAT(Parts(tokens, ""), ElementsAre());
  EXPECT_THAT(Parts({}, "x"), ElementsAre("x"));
}

TEST(AddedTokensTest, AFailedLongMatchGivesTheShortOneAndLooksAgain) {
  const std::vector<AddedToken> tokens = {{"ab", 1}, {"abcd", 2}, {"bc", 3}};
  EXPECT_THAT(Parts(tokens, "abce"), ElementsAre("#1", "ce"));
  EXPECT_THAT(Parts(tokens, "bcabcd"), ElementsAre("#3", "#2"));
}

TEST(AddedTokensTest, WhiteSpaceAround) {
  AddedToken mark{"<m>", 1};
  mark.lstrip = true;
  EXPECT_THAT(Parts({mark}, "a \t\u3000<m> b"), ElementsAre("a", "#1", " b"));
  EXPECT_THAT(Parts({mark}, "  <m>  <m>"), ElementsAre("#1", "#1"));
  mark.lstrip = false;
  mark.rstrip = true;
  EXPECT_THAT(Parts({mark}, "a <m>\u00a0\n b"), ElementsAre("a ", "#1", "b"));
  // The newline that the mark took along is found once more, as the library does.
  EXPECT_THAT(Parts({mark, {"\n", 2}}, "<m>\nb"), ElementsAre("#1", "#2", "b"));
}

}  // namespace
}  // namespace fpo::train
