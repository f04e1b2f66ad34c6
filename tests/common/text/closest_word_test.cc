#include "common/text/closest_word.h"

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(ClosestWord, FindsWhatWasMeant) {
  EXPECT_EQ(ClosestWord("metod", {"model", "method"}), "method");
  EXPECT_EQ(ClosestWord("lsit", {"init", "list"}), "list") << "swapped letters are one mistake";
  EXPECT_EQ(ClosestWord("lst", {"init", "list"}), "list");
  EXPECT_EQ(ClosestWord("dryrun", {"wait", "dry-run"}), "dry-run");
}

TEST(ClosestWord, SaysNothingWhereNoWordIsClose) {
  EXPECT_EQ(ClosestWord("zzzzzz", {"model", "method"}), "");
  EXPECT_EQ(ClosestWord("", {"model"}), "");
  EXPECT_EQ(ClosestWord(std::string(10'000, 'x'), {"model"}), "");
}

}  // namespace
}  // namespace fpo
