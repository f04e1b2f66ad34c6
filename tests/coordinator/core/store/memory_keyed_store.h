#pragma once

#include <memory>
#include <string>

#include "coordinator/core/store/keyed_job_store.h"
#include "gtest/gtest.h"
#include "tests/support/memory_key_values.h"

namespace fpo::coordinator {

// A KeyedJobStore whose keys and values a test can damage.
class MemoryKeyedStore final : public KeyedJobStore {
 public:
  static std::unique_ptr<MemoryKeyedStore> Open(fpo::testing::MemoryKeyValues::Spaces* spaces) {
    auto store = std::make_unique<MemoryKeyedStore>(spaces);
    EXPECT_TRUE(store->CheckSchema().ok());
    return store;
  }
  void FailWrites(const absl::Status& status, bool done) {
    static_cast<fpo::testing::MemoryKeyValues*>(mutable_values())->FailWrites(status, done);
  }
  explicit MemoryKeyedStore(fpo::testing::MemoryKeyValues::Spaces* spaces)
      : KeyedJobStore(std::make_unique<fpo::testing::MemoryKeyValues>(spaces)) {}
  absl::Status CopyTo(const std::string&) const override {
    return absl::UnimplementedError("not in this test");
  }
};

}  // namespace fpo::coordinator
