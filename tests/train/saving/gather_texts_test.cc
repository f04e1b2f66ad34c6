#include "train/saving/gather_texts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/thread_ranks.h"
#include "train/collective/single_process_group.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;

TEST(GatherTexts, OfAnyLength) {
  if (!HasRanks()) GTEST_SKIP() << "built without Gloo";
  AsRanks(3, [](ProcessGroup& group) {
    const std::vector<std::string> own = {"", std::string("a\0b", 3), std::string(5000, 'x')};
    const auto all = GatherTexts(own[static_cast<size_t>(group.rank())], group);
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_THAT(*all, ElementsAre(own[0], own[1], own[2]));
    const auto none = GatherTexts("", group);
    ASSERT_TRUE(none.ok()) << none.status();
    EXPECT_THAT(*none, ElementsAre("", "", ""));
  });
}

TEST(GatherTexts, LongOnesAreCut) {
  SingleProcessGroup group;
  const auto all = GatherTexts(std::string((1 << 20) + 7, 'y'), group);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->at(0), std::string(1 << 20, 'y'));
}

}  // namespace
}  // namespace fpo::train
