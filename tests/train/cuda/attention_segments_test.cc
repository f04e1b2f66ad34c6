#include "train/cuda/attention_segments.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(AttentionSegments, OneResponseIsASequenceWithItsPrompt) {
  const auto made = AttentionSegments::Of({{3, 3, {2}}, {1, 1, {4}}, {5, 5, {}}});
  EXPECT_THAT(made.queries, ElementsAre(5, 5, 5));
  EXPECT_THAT(made.keys, ElementsAre(5, 5, 5));
  EXPECT_THAT(made.key_row, IsEmpty());
  EXPECT_THAT(made.own, IsEmpty());
  EXPECT_EQ(made.query_rows, 15);
  EXPECT_EQ(made.key_rows, 15);
}

// [prompt 0 1 | 2 | 3 4 | 5] [prompt 6 | 7 | 8]
TEST(AttentionSegments, FurtherResponsesSeeACopyOfThePrompt) {
  const auto made = AttentionSegments::Of({{2, 2, {1, 2, 1}}, {1, 1, {1, 1}}});
  EXPECT_THAT(made.queries, ElementsAre(3, 2, 1, 2, 1));
  EXPECT_THAT(made.keys, ElementsAre(3, 4, 3, 2, 2));
  EXPECT_THAT(made.key_row, ElementsAre(0, 1, 2, 0, 1, 3, 4, 0, 1, 5, 6, 7, 6, 8));
  EXPECT_THAT(made.own, ElementsAre(0, 1, 2, 5, 6, 9, 10, 11, 13));
  ASSERT_EQ(made.copies.size(), 2);
  EXPECT_THAT(made.copies[0].key, ElementsAre(3, 4, 12));
  EXPECT_THAT(made.copies[0].packed, ElementsAre(0, 1, 6));
  EXPECT_THAT(made.copies[1].key, ElementsAre(7, 8));
  EXPECT_THAT(made.copies[1].packed, ElementsAre(0, 1));
  EXPECT_EQ(made.longest_query, 3);
  EXPECT_EQ(made.longest_key, 4);
}

TEST(AttentionSegments, OfAPromptMayOnlyTheLastRowsBeQueries) {
  const auto made = AttentionSegments::Of({{4, 1, {2, 3}}});
  EXPECT_THAT(made.queries, ElementsAre(3, 3));
  EXPECT_THAT(made.keys, ElementsAre(6, 7));
  EXPECT_EQ(made.query_rows, 6);
}

TEST(AttentionSegments, BucketsAreFewAndLargeEnough) {
  AttentionSegments segments;
  for (const int64_t longest : {1, 128, 129, 192, 193, 1000, 1025, 5000}) {
    segments.longest_query = longest;
    segments.longest_key = longest + 1;
    segments.queries.assign(static_cast<size_t>(longest), 1);
    const AttentionBucket bucket = AttentionBucket::For(segments);
    EXPECT_GE(bucket.longest_query, longest);
    EXPECT_GE(bucket.longest_key, longest + 1);
    EXPECT_GE(bucket.sequences, longest);
    EXPECT_LE(bucket.longest_query, std::max<int64_t>(128, longest * 3 / 2));
    EXPECT_EQ(bucket.longest_query % 64, 0);
  }
}

TEST(AttentionSegments, OffsetsEndWithEmptySequences) {
  EXPECT_THAT(OffsetsOf({2, 3}, 4, 10), ElementsAre(0, 20, 50, 50, 50));
}

}  // namespace
}  // namespace fpo::train
