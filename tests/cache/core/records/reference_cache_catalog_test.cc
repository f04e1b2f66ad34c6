#include "cache/core/records/reference_cache.h"
#include "common/error_info.h"
#include "gtest/gtest.h"
#include "tests/cache/core/fake_clock.h"
#include "tests/cache/core/test_records.h"
#include "tests/support/memory_store.h"

namespace fpo::cache {
namespace {

class ReferenceCacheCatalogTest : public ::testing::Test {
 protected:
  Digest Register(const Recipe& recipe, int keys, const std::string& owner,
                  const std::string& share) {
    return cache_->PutManifest({CanonicalRecipe(recipe), TestKeys(keys), owner, "job", share})
        ->manifest_id;
  }

  MemoryStore store_;
  FakeClocks clock_;
  std::unique_ptr<ReferenceCache> cache_ = *ReferenceCache::Open(&store_, clock_.both());
  const Principal ana_{"ana", Role::kUser}, bob_{"bob", Role::kUser}, root_{"root", Role::kAdmin};
};

TEST_F(ReferenceCacheCatalogTest, ReadersSeeWhatIsSharedWithThem) {
  const Digest own = Register(FeatureTestRecipe(), 3, "ana", "private");
  const Digest open = Register(MarginTestRecipe(), 4, "ana", "public");
  EXPECT_TRUE(cache_->CheckMayRead(own, ana_).ok());
  EXPECT_EQ(ReasonOf(cache_->CheckMayRead(own, bob_)), ErrorReason::kNotShared);
  EXPECT_TRUE(cache_->CheckMayRead(open, bob_).ok());
  EXPECT_EQ(ReasonOf(cache_->CheckMayChange(open, bob_)), ErrorReason::kNotYours);
  EXPECT_TRUE(cache_->CheckMayChange(open, root_).ok());
  EXPECT_EQ(ReasonOf(cache_->CheckMayRead(TestKey(9), bob_)), ErrorReason::kManifestNotFound);
  EXPECT_EQ(cache_->ListRecipes(ana_)->size(), 2u);
  ASSERT_EQ(cache_->ListRecipes(bob_)->size(), 1u);
  EXPECT_EQ((*cache_->ListRecipes(bob_))[0].id, RecipeId(MarginTestRecipe()));
}

TEST_F(ReferenceCacheCatalogTest, RecipesTellWhatARecordTook) {
  const Recipe recipe = FeatureTestRecipe();
  const Digest id = Register(recipe, 4, "ana", "public");
  Register(recipe, 5, "ana", "public");
  const RecordClaim grant = *cache_->Claim({id, 4, "b"});
  EXPECT_EQ((*cache_->ListRecipes(root_))[0].per_record.seconds, 0);
  ASSERT_TRUE(cache_->PutRecords(id, grant.claim_id, Pack(TestRecords(recipe, 4)), {2, 8e9}).ok());
  const RecipeSummary summary = (*cache_->ListRecipes(root_))[0];
  EXPECT_EQ(summary.manifests, 2);
  EXPECT_DOUBLE_EQ(summary.per_record.seconds, 0.5);
  EXPECT_DOUBLE_EQ(summary.per_record.flops, 2e9);
  EXPECT_EQ(summary.recipe, CanonicalRecipe(recipe));
}

}  // namespace
}  // namespace fpo::cache
