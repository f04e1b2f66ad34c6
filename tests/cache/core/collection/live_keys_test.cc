#include "cache/core/collection/live_keys.h"

#include "gtest/gtest.h"
#include "tests/cache/core/test_records.h"

namespace fpo::cache {
namespace {

TEST(LiveKeys, KnowsTheKeysOfEachRecipe) {
  LiveKeys live;
  const Digest a = TestKey(1000), b = TestKey(2000);
  live.Add(a, TestKeys(100));
  live.Add(b, TestKeys(10, 100));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(live.Contains({a, TestKey(i)}));
  EXPECT_FALSE(live.Contains({a, TestKey(100)}));
  EXPECT_FALSE(live.Contains({b, TestKey(0)}));
  EXPECT_TRUE(live.Contains({b, TestKey(100)}));
  live.Add(a, {TestKey(500)});  // after it was asked
  EXPECT_TRUE(live.Contains({a, TestKey(500)}));
  EXPECT_TRUE(live.Contains({a, TestKey(50)}));
  EXPECT_FALSE(live.Contains({TestKey(3000), TestKey(0)}));
}

TEST(LiveKeys, ARecipeCanBeProtectedWhole) {
  LiveKeys live;
  live.AddAll(TestKey(1));
  EXPECT_TRUE(live.Contains({TestKey(1), TestKey(77)}));
  EXPECT_FALSE(live.Contains({TestKey(2), TestKey(77)}));
}

}  // namespace
}  // namespace fpo::cache
