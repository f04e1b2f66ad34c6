#include "tests/support/memory_job_store.h"

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

TEST(MemoryJobStore, RefusesWritesWhenTold) {
  MemoryJobStore store;
  store.FailWrites(absl::ResourceExhaustedError("disk full"));
  EXPECT_FALSE(store.CreateJob(MakeJob("j-1"), {"r", "d", "j-1", kStart}).ok());
  EXPECT_FALSE(store.PutJob(MakeJob("j-1")).ok());
  EXPECT_FALSE(store.PutLines({}).ok());
  EXPECT_FALSE(store.Sync().ok());
  EXPECT_FALSE(store.Check(kStart).ok());
  EXPECT_TRUE(store.LoadJobs().value().empty());
  store.FailWrites(absl::OkStatus());
  EXPECT_TRUE(store.PutJob(MakeJob("j-1")).ok());
}

}  // namespace
}  // namespace fpo::coordinator
