#include "train/data/pair_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Ids = std::vector<int32_t>;
using Example = SharedPairs::Example;

PairIdentity Identity(const Ids& prompt, const Ids& chosen, const Ids& rejected) {
  return IdentityOf({prompt, chosen, rejected, 0});
}

TEST(PairIdentity, SidesMaySwapButNothingElseMay) {
  const PairIdentity one = Identity({2, 5}, {7, 1}, {8, 1});
  const PairIdentity swapped = Identity({2, 5}, {8, 1}, {7, 1});
  EXPECT_EQ(one.pair, swapped.pair);
  EXPECT_NE(one.is_swapped, swapped.is_swapped);
  for (const PairIdentity& other :
       {Identity({2, 5, 7}, {1}, {8, 1}), Identity({2}, {5, 7, 1}, {8, 1}),
        Identity({2, 5}, {7, 1}, {7, 1}), Identity({2, 5}, {7, 1}, {})}) {
    EXPECT_NE(one.pair, other.pair);
  }
  EXPECT_EQ(one.prompt, Identity({2, 5}, {9}, {}).prompt);
}

TEST(PairIdentity, TheNameKnowsTheSides) {
  const Ids prompt = {2, 5}, a = {7, 1}, b = {8, 1};
  const std::string name = PairName({prompt, a, b, 0});
  EXPECT_EQ(name.size(), 16u);
  EXPECT_EQ(name, PairName({prompt, a, b, 99}));
  EXPECT_NE(name, PairName({prompt, b, a, 0}));
}

TEST(PairIdentity, EvaluationPairsThatWereTrainedOn) {
  const PairIdentity a = Identity({2, 5}, {7}, {8}), a_swapped = Identity({2, 5}, {8}, {7});
  const PairIdentity b = Identity({2, 6}, {7}, {8}), same_prompt = Identity({2, 6}, {7}, {9});
  const PairIdentity fresh = Identity({2, 9}, {7}, {8});
  const SharedPairs shared = FindSharedPairs({b, a, a}, {fresh, a, a_swapped, same_prompt});
  EXPECT_EQ(shared.pairs, 2);
  EXPECT_EQ(shared.swapped, 1);
  EXPECT_EQ(shared.prompts, 3);
  EXPECT_THAT(shared.examples, ElementsAre(Example{1, 1}, Example{2, 1}));
  EXPECT_EQ(FindSharedPairs({a, a_swapped}, {a_swapped}).swapped, 0);
  EXPECT_EQ(FindSharedPairs({}, {a}).pairs, 0);
}

TEST(PairIdentity, RepetitionsAndContradictions) {
  const PairIdentity a = Identity({2, 5}, {7}, {8}), a_swapped = Identity({2, 5}, {8}, {7});
  const PairIdentity b = Identity({2, 5}, {7}, {9}), c = Identity({2, 6}, {7}, {8});
  const RepeatedPairs found = FindRepeatedPairs({a, b, a, c, a_swapped});
  EXPECT_EQ(found.repeated, 2);
  EXPECT_EQ(found.repeated_prompts, 3);
  EXPECT_EQ(found.contradictions, 3);
  EXPECT_THAT(found.examples, ElementsAre(Example{4, 0}));
  EXPECT_THAT(FindRepeatedPairs({a, a}).examples, IsEmpty());
}

}  // namespace
}  // namespace fpo::train
