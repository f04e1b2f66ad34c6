#include "train/data/prompt_cut.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using Ids = std::vector<int32_t>;

// 2 = BOS, 4 = <start_of_turn>, 5 = <end_of_turn>, 6 = newline, 7 = "user", 8 = "model", 10 and up
// = words.
const TurnMarks kMarks = {2, 4, {6}};

Ids Cut(Ids ids, int64_t length, const TurnMarks& marks = kMarks) {
  CutPrompt(marks, length, &ids);
  return ids;
}

TEST(PromptCutTest, ShortPromptsStay) {
  Ids ids = {2, 10, 11};
  EXPECT_FALSE(CutPrompt(kMarks, 3, &ids));
  EXPECT_THAT(ids, ElementsAre(2, 10, 11));
}

TEST(PromptCutTest, PlainTextKeepsBosAndItsEnd) {
  EXPECT_THAT(Cut({2, 10, 11, 12, 13}, 3), ElementsAre(2, 12, 13));
  EXPECT_THAT(Cut({10, 11, 12, 13}, 3), ElementsAre(11, 12, 13));  // no BOS in the data
  EXPECT_THAT(Cut({2, 10, 11}, 1), ElementsAre(2));
}

TEST(PromptCutTest, TheCutTurnKeepsItsHeader) {
  const Ids one_turn = {2, 4, 7, 6, 10, 11, 12, 13, 5, 6, 4, 8, 6};
  EXPECT_THAT(Cut(one_turn, 11), ElementsAre(2, 4, 7, 6, 12, 13, 5, 6, 4, 8, 6));
}

TEST(PromptCutTest, OlderTurnsGoFirst) {
  const Ids three = {2,  4,  7, 6, 10, 11, 12, 5,  6, 4, 8, 6, 20,
                     21, 22, 5, 6, 4,  7,  6,  30, 5, 6, 4, 8, 6};
  // 12 places: the cut falls into the second turn, which then keeps its own header.
  EXPECT_THAT(Cut(three, 15), ElementsAre(2, 4, 8, 6, 5, 6, 4, 7, 6, 30, 5, 6, 4, 8, 6));
  // The third turn fits whole; nothing of the second is left.
  EXPECT_THAT(Cut(three, 10), ElementsAre(2, 4, 7, 6, 30, 5, 6, 4, 8, 6));
}

TEST(PromptCutTest, NeverLongerThanAllowedAndAlwaysASuffix) {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    Ids ids = {2};
    const size_t size = 2 + random() % 30;
    while (ids.size() < size) ids.push_back(static_cast<int32_t>(4 + random() % 8));
    const auto limit = static_cast<int64_t>(1 + random() % size);
    const Ids before = ids;
    const bool cut = CutPrompt(kMarks, limit, &ids);
    ASSERT_EQ(cut, static_cast<int64_t>(before.size()) > limit);
    ASSERT_LE(static_cast<int64_t>(ids.size()), std::max<int64_t>(limit, 1));
    ASSERT_EQ(ids.front(), 2);
    if (cut && ids.size() > 1) {
      ASSERT_EQ(ids.back(), before.back());
    }
  }
}

}  // namespace
}  // namespace fpo::train
