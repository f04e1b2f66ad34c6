#include "train/statistics/near_duplicates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<int32_t> RandomIds(std::mt19937* random, int count) {
  std::vector<int32_t> ids;
  for (int i = 0; i < count; ++i) ids.push_back(static_cast<int32_t>((*random)() % 1000));
  return ids;
}

Shingles ShinglesOfList(const std::vector<int32_t>& ids) {
  Shingles shingles;
  AddShingles(ids, &shingles);
  FinishShingles(&shingles);
  return shingles;
}

NearDuplicates Find(const std::vector<Shingles>& texts, int64_t second_part, double threshold) {
  return FindNearDuplicates({static_cast<int64_t>(texts.size()), second_part, threshold},
                            [&](int64_t i) { return texts[static_cast<size_t>(i)]; });
}

TEST(NearDuplicates, AllPairsAboveTheThresholdAreFoundAndNoOthers) {
  std::mt19937 random(11);
  std::vector<Shingles> texts;
  int64_t copies = 0;
  for (int i = 0; i < 300; ++i) {
    std::vector<int32_t> ids = RandomIds(&random, 200);
    texts.push_back(ShinglesOfList(ids));
    if (i % 3 != 0) continue;
    for (int change = 0; change < 1 + i % 10; ++change) ids[random() % ids.size()] = 2000;
    texts.push_back(ShinglesOfList(ids));
    copies += Jaccard(texts[texts.size() - 2], texts.back()) >= 0.8;
  }
  const NearDuplicates found = Find(texts, 400, 0.8);
  EXPECT_GT(copies, 30);
  EXPECT_EQ(static_cast<int64_t>(found.pairs.size()), copies);
  for (const NearPair& pair : found.pairs) {
    EXPECT_EQ(pair.second, pair.first + 1);
    EXPECT_EQ(pair.jaccard, Jaccard(texts[static_cast<size_t>(pair.first)],
                                    texts[static_cast<size_t>(pair.second)]));
    EXPECT_EQ(found.group[static_cast<size_t>(pair.second)], pair.first);
  }
}

TEST(NearDuplicates, CopiesOfOneTextFormOneGroup) {
  std::mt19937 random(12);
  const Shingles text = ShinglesOfList(RandomIds(&random, 50));
  const Shingles other = ShinglesOfList(RandomIds(&random, 50));
  const NearDuplicates found = Find({other, text, text, other, text}, 5, 0.8);
  EXPECT_THAT(found.group, ElementsAre(0, 1, 1, 0, 1));
  EXPECT_EQ(found.pairs.size(), 3u);
}

TEST(NearDuplicates, AcrossThePartsEachTextNamesOneThatItIsLike) {
  std::mt19937 random(13);
  const Shingles text = ShinglesOfList(RandomIds(&random, 50));
  const Shingles fresh = ShinglesOfList(RandomIds(&random, 50));
  // Both copies behind the third text count as leaks, though the second joins by the first.
  const NearDuplicates found = Find({text, fresh, text, text, text}, 3, 0.8);
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (const NearPair& pair : found.pairs) pairs.emplace_back(pair.first, pair.second);
  EXPECT_THAT(pairs, ElementsAre(std::pair(0, 2), std::pair(0, 3), std::pair(0, 4)));
}

TEST(NearDuplicates, NothingIsLikeNothing) { EXPECT_THAT(Find({}, 0, 0.8).pairs, IsEmpty()); }

}  // namespace
}  // namespace fpo::train
