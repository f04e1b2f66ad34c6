#include "tests/support/memory_store.h"

#include "tests/cache/core/store_contract.h"
#include "tests/cache/core/test_records.h"

namespace fpo::cache {
namespace {

class MemoryUnderTest final : public StoreUnderTest {
 public:
  Store& store() override { return store_; }
  void Corrupt(const Digest& recipe_id, const Digest& key) override {
    store_.CorruptForTest(recipe_id, key);
  }

 private:
  MemoryStore store_;
};

INSTANTIATE_TEST_SUITE_P(Memory, StoreContract, ::testing::Values([] {
                           return std::unique_ptr<StoreUnderTest>(new MemoryUnderTest());
                         }));

TEST(MemoryStore, FailsWritesOnRequest) {
  MemoryStore store;
  store.FailWritesForTest(absl::ResourceExhaustedError("full"));
  EXPECT_EQ(store.Writable().message(), "full");
  const Recipe recipe = MarginTestRecipe();
  EXPECT_FALSE(store.PutRecords(recipe, TestRecords(recipe, 1), absl::UnixEpoch()).ok());
  store.FailWritesForTest(absl::OkStatus());
  EXPECT_TRUE(store.PutRecords(recipe, TestRecords(recipe, 1), absl::UnixEpoch()).ok());
}

}  // namespace
}  // namespace fpo::cache
