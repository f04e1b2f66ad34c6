#include "cache/core/records/loaded_manifest.h"

#include "gmock/gmock.h"
#include "tests/cache/core/test_records.h"

namespace fpo::cache {
namespace {

TEST(LoadedManifest, CountsWhatTheStoreHas) {
  const IndexEntry good{.size = 10};
  const IndexEntry bad{.size = 10, .quarantined = true};
  LoadedManifest progress(ManifestHeader(), TestKeys(4), {good, std::nullopt, bad, good});
  EXPECT_EQ(progress.present(), 2);
  EXPECT_EQ(progress.bytes(), 20);
  EXPECT_THAT(progress.missing(), ::testing::ElementsAre(1, 2));
  EXPECT_FALSE(progress.complete());
}

TEST(LoadedManifest, FollowsChangesOnce) {
  LoadedManifest progress(ManifestHeader(), TestKeys(2), {std::nullopt, std::nullopt});
  progress.MarkPresent(TestKey(1), 5);
  progress.MarkPresent(TestKey(1), 5);
  progress.MarkPresent(TestKey(99), 5);
  EXPECT_EQ(progress.bytes(), 5);
  EXPECT_EQ(progress.present(), 1);
  progress.MarkPresent(TestKey(0), 7);
  EXPECT_TRUE(progress.complete());
  progress.MarkAbsent(TestKey(0), 7);
  progress.MarkAbsent(TestKey(0), 7);
  EXPECT_EQ(progress.bytes(), 5);
  EXPECT_TRUE(progress.IsMissing(TestKey(0)));
  EXPECT_FALSE(progress.IsMissing(TestKey(99)));
  EXPECT_EQ(progress.OrdinalOf(TestKey(1)), 1);
  EXPECT_EQ(progress.OrdinalOf(TestKey(99)), std::nullopt);
}

}  // namespace
}  // namespace fpo::cache
