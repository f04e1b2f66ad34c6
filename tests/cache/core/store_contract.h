#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cache/core/store/store.h"
#include "gtest/gtest.h"

namespace fpo::cache {

// One implementation of Store under test, and what the suite must be able to do to it.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  virtual Store& store() = 0;
  virtual void Corrupt(const Digest& recipe_id, const Digest& key) = 0;
};

// The promises of store.h, checked on each implementation: see store_contract.cc.
class StoreContract
    : public ::testing::TestWithParam<std::function<std::unique_ptr<StoreUnderTest>()>> {
 protected:
  void SetUp() override { under_test_ = GetParam()(); }
  Store& store() { return under_test_->store(); }
  absl::StatusOr<std::vector<std::optional<PackedRecord>>> Read(const Digest& recipe_id,
                                                                const std::vector<Digest>& keys) {
    absl::StatusOr<RecordBatch> batch =
        store().ReadRecords(recipe_id, keys, absl::FromUnixSeconds(1'000'000));
    if (!batch.ok()) return batch.status();
    return batch->records;
  }

  std::unique_ptr<StoreUnderTest> under_test_;
};

}  // namespace fpo::cache
