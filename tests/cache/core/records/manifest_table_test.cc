#include "cache/core/records/manifest_table.h"

#include "gtest/gtest.h"
#include "tests/cache/core/test_records.h"

namespace fpo::cache {
namespace {

const Digest kRecipe = Sha256Of("recipe");

std::unique_ptr<LoadedManifest> Progress(const std::string& name, int keys, int first = 0) {
  ManifestHeader header;
  header.id = Sha256Of(name);
  header.recipe_id = kRecipe;
  header.total = keys;
  return std::make_unique<LoadedManifest>(header, TestKeys(keys, first),
                                          std::vector<std::optional<IndexEntry>>(keys));
}

TEST(ManifestTable, DropsTheLeastRecentlyUsedButKeepsItsCounts) {
  ManifestTable table(20);
  table.Load(Progress("a", 10));
  table.Load(Progress("b", 10, 100));
  ASSERT_NE(table.Find(Sha256Of("a")), nullptr);  // now used last
  table.MarkPresent({kRecipe, TestKey(100), 4});
  table.Load(Progress("c", 10, 200));
  EXPECT_NE(table.Find(Sha256Of("a")), nullptr);
  EXPECT_EQ(table.Find(Sha256Of("b")), nullptr);
  EXPECT_EQ(table.CountsOf(Sha256Of("b"))->present, 1);
  EXPECT_EQ(table.CountsOf(Sha256Of("b"))->bytes, 4);
}

TEST(ManifestTable, KeepsAManifestThatIsLargerThanItsBudget) {
  ManifestTable table(5);
  table.Load(Progress("a", 10));
  EXPECT_NE(table.Find(Sha256Of("a")), nullptr);
}

TEST(ManifestTable, ARecordReachesEveryManifestOfItsRecipe) {
  ManifestTable table(100);
  table.Load(Progress("a", 2));
  table.Load(Progress("b", 1, 1));
  table.MarkPresent({kRecipe, TestKey(1), 3});
  EXPECT_EQ(table.CountsOf(Sha256Of("a"))->present, 1);
  EXPECT_EQ(table.CountsOf(Sha256Of("b"))->present, 1);
  table.MarkPresent({Sha256Of("other recipe"), TestKey(0), 3});
  EXPECT_EQ(table.CountsOf(Sha256Of("a"))->present, 1);
  table.MarkAbsent({kRecipe, TestKey(1), 3});
  EXPECT_EQ(table.CountsOf(Sha256Of("b"))->present, 0);
}

TEST(ManifestTable, CountsOfAManifestOutOfMemoryExpireWhenItsRecipeChanges) {
  ManifestTable table(10);
  table.Load(Progress("a", 10));
  table.Load(Progress("b", 10, 50));
  EXPECT_EQ(table.AnyUnknown(), std::nullopt);
  table.MarkPresent({kRecipe, TestKey(3), 1});
  EXPECT_EQ(table.AnyUnknown(), Sha256Of("a"));
  table.SetCounts(Sha256Of("a"), {10, 10});
  EXPECT_EQ(table.AnyUnknown(), std::nullopt);
  // A complete one stays so until a record goes bad.
  table.MarkPresent({kRecipe, TestKey(4), 1});
  EXPECT_EQ(table.CountsOf(Sha256Of("a"))->present, 10);
  table.MarkAbsent({kRecipe, TestKey(4), 1});
  EXPECT_EQ(table.AnyUnknown(), Sha256Of("a"));
}

TEST(ManifestTable, CountsStates) {
  ManifestTable table(100);
  ManifestHeader unknown;
  unknown.id = Sha256Of("u");
  table.AddUnknown(unknown);
  table.Load(Progress("a", 1));
  table.Load(Progress("b", 1, 1));
  table.MarkPresent({kRecipe, TestKey(1), 1});
  const ManifestTable::States states = table.CountStates();
  EXPECT_EQ(states.complete, 1);
  EXPECT_EQ(states.incomplete, 1);
  EXPECT_EQ(states.unknown, 1);
}

}  // namespace
}  // namespace fpo::cache
