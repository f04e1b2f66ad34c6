#include "train/features/span_finder.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "train/data/context_id.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// One feature's codes at the tokens of a response.
at::Tensor Codes(const std::vector<float>& codes) {
  return at::tensor(codes).view({static_cast<int64_t>(codes.size()), 1});
}

SpanSource Source(int64_t pair, const std::vector<int32_t>& response, at::Tensor after,
                  at::Tensor before = {}) {
  SpanSource source{response, std::move(after), std::move(before), {}};
  source.place.pair = pair;
  source.place.side = "chosen";
  return source;
}

TEST(SpanFinder, KeepsTheStrongestResponsesAndTheTokensAround) {
  SpanFinder finder(1, 2, 1);
  const std::vector<int32_t> ids = {10, 11, 12, 13};
  finder.Add(Source(0, ids, Codes({0, 0.5, 0, 0})));
  finder.Add(Source(1, ids, Codes({0, 0, 0, 3})));
  finder.Add(Source(2, ids, Codes({0, 0, 0, 0})));
  finder.Add(Source(3, ids, Codes({2, 1, 0, 0})));
  const auto& found = finder.Of(0);
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].span.pair, 1);
  EXPECT_THAT(found[0].ids, ElementsAre(12, 13));
  EXPECT_EQ(found[0].span.position, 2);
  EXPECT_EQ(found[0].span.strongest, 1);
  EXPECT_THAT(found[0].span.after, ElementsAre(0.0, 3.0));
  EXPECT_THAT(found[0].span.before, IsEmpty());
  EXPECT_EQ(found[1].span.pair, 3);
  EXPECT_THAT(found[1].ids, ElementsAre(10, 11));
  EXPECT_EQ(found[1].span.strongest, 0);
}

TEST(SpanFinder, AFeatureThatFellSilentHasTheTextsThatItFiredOn) {
  SpanFinder finder(1, 1, 0);
  const std::vector<int32_t> ids = {10, 11};
  finder.Add(Source(0, ids, Codes({0, 0.5}), Codes({0, 0.25})));
  finder.Add(Source(1, ids, Codes({0, 0}), Codes({4, 0})));
  ASSERT_THAT(finder.Of(0), SizeIs(1));
  EXPECT_EQ(finder.Of(0)[0].span.pair, 1);
  EXPECT_THAT(finder.Of(0)[0].span.before, ElementsAre(4.0));
  EXPECT_THAT(finder.Of(0)[0].span.after, ElementsAre(0.0));
  EXPECT_EQ(finder.Of(0)[0].strength, 4);
}

TEST(SpanFinder, OfEqualOnesTheFirst) {
  SpanFinder finder(1, 1, 0);
  const std::vector<int32_t> ids = {10};
  finder.Add(Source(5, ids, Codes({1})));
  finder.Add(Source(6, ids, Codes({1})));
  EXPECT_EQ(finder.Of(0)[0].span.pair, 5);
}

// Rows are of the scored tokens alone.
TEST(SpanFinder, TokensOfOtherTurnsAreShownWithoutCodes) {
  SpanFinder finder(1, 1, 2);
  const std::vector<int32_t> ids = {10, ContextId(20), ContextId(21), 11, 12};
  finder.Add(Source(0, ids, Codes({1, 5, 2})));
  const auto& found = finder.Of(0);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].ids, ElementsAre(ContextId(20), ContextId(21), 11, 12));
  EXPECT_EQ(found[0].span.strongest, 2);
  EXPECT_EQ(found[0].span.position, 1);
  EXPECT_THAT(found[0].span.after, ElementsAre(std::nullopt, std::nullopt, 5.0, 2.0));
}

TEST(SpanFinder, WithoutFeaturesOrSpansFindsNothing) {
  const std::vector<int32_t> ids = {10};
  SpanFinder none(0, 3, 1);
  none.Add(Source(0, ids, at::empty({1, 0})));
  SpanFinder no_spans(1, 0, 1);
  no_spans.Add(Source(0, ids, Codes({1})));
  EXPECT_THAT(no_spans.Of(0), IsEmpty());
}

}  // namespace
}  // namespace fpo::train
