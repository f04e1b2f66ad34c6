#include "cache/rpc/bucket_tier.h"

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "tests/cache/core/fake_clock.h"
#include "tests/cache/rpc/cache_fixture.h"
#include "tests/common/object_store/memory_objects.h"
#include "tests/support/memory_store.h"

namespace fpo::cache {
namespace {

using ::testing::HasSubstr;

class BucketTierTest : public ::testing::Test {
 protected:
  void SetUp() override {
    config_.data = folder_ / "store";
    config_.bucket = "s3://bucket/records";
    cache_ = *ReferenceCache::Open(&store_, clock_.both(), {});
  }
  absl::StatusOr<std::unique_ptr<BucketTier>> Open() {
    auto objects = std::make_unique<fpo::testing::MemoryObjects>();
    objects_ = objects.get();
    return BucketTier::OpenWith(std::move(objects), config_, cache_.get());
  }

  const fpo::testing::TempFolder folder_;
  CacheConfig config_;
  MemoryStore store_;
  FakeClocks clock_;
  std::unique_ptr<ReferenceCache> cache_;
  fpo::testing::MemoryObjects* objects_ = nullptr;
};

TEST_F(BucketTierTest, ASiteKeepsItsIdAndAnotherStoreHasAnother) {
  const std::string site = (*Open())->site();
  EXPECT_EQ(site.size(), 16u);
  fpo::testing::WriteWhole(folder_ / "store/bucket/scratch/sending.fpr.part", "left by a kill");
  EXPECT_EQ((*Open())->site(), site);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "store/bucket/scratch"));
  config_.data = folder_ / "other";
  EXPECT_NE((*Open())->site(), site);
  fpo::testing::WriteWhole(folder_ / "other/bucket/site", "../aa");
  const absl::Status damaged = Open().status();
  EXPECT_TRUE(absl::IsDataLoss(damaged)) << damaged;
  EXPECT_THAT(std::string(damaged.message()), HasSubstr("bucket/site is damaged"));
}

TEST_F(BucketTierTest, FillAnswersWhetherTheBucketHasItOrNot) {
  const auto tier = *Open();
  tier->Start();
  const Digest id =
      cache_->PutManifest({CanonicalRecipe(MarginTestRecipe()), TestKeys(3), "ann", ""})
          ->manifest_id;
  absl::Notification answered;
  tier->Fill(id, [&] { answered.Notify(); });
  EXPECT_TRUE(answered.WaitForNotificationWithTimeout(absl::Seconds(30)));
  EXPECT_EQ(tier->counters().fetch_failures, 0);
  bool late = false;
  tier->RequestStop();
  tier->Fill(id, [&] { late = true; });
  tier->Stop();
  EXPECT_TRUE(late) << "a call that waits is answered before the end";
}

TEST_F(BucketTierTest, AnEnvironmentThatMakesNoSenseIsAnErrorAtTheStart) {
  config_.environment = {"AWS_ENDPOINT_URL=nonsense"};
  MetricsRegistry registry;
  const auto tier = BucketTier::Open(config_, cache_.get(), &registry);
  EXPECT_TRUE(absl::IsInvalidArgument(tier.status())) << tier.status();
}

// Nobody listens at the endpoint.
class AbsentBucketTest : public CacheServerTest {
 protected:
  void SetUp() override {
    config_.bucket = "s3://bucket/records";
    config_.bucket_wait = absl::Milliseconds(100);
    config_.environment = {"AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_ACCESS_KEY_ID=id",
                           "AWS_SECRET_ACCESS_KEY=secret"};
    CacheServerTest::SetUp();
  }
};

TEST_F(AbsentBucketTest, LocalServiceGoesOn) {
  const Recipe recipe = FeatureTestRecipe();
  Filled(recipe, 300);  // registered, claimed, stored
  const auto again = PutManifest(recipe, TestKeys(300));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->missing(), 0);
  const auto more = PutManifest(recipe, TestKeys(301));
  ASSERT_TRUE(more.ok()) << more.status();
  EXPECT_EQ(more->missing(), 1) << "as if there were no bucket";
}

TEST_F(AbsentBucketTest, ABadRegistrationIsRefusedAsWithoutABucket) {
  const auto refused = PutManifest(FeatureTestRecipe(), TestKeys(3), 4);
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status())) << refused.status();
}

}  // namespace
}  // namespace fpo::cache
