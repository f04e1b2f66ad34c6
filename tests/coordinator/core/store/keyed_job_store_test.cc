#include "coordinator/core/store/keyed_job_store.h"

#include "coordinator/core/coordinator.h"
#include "coordinator/core/store/job_keys.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/coordinator/core/store/memory_keyed_store.h"

namespace fpo::coordinator {
namespace {

using ::testing::ElementsAre;

class KeyedJobStoreTest : public ::testing::Test {
 protected:
  KeyedJobStoreTest() { Reopen(); }
  void Reopen() { store_ = MemoryKeyedStore::Open(&spaces_); }
  void Put(int family, const std::string& key, const std::string& value) {
    spaces_[{family, key}] = value;
  }
  fpo::testing::MemoryKeyValues::Spaces spaces_;
  std::unique_ptr<KeyedJobStore> store_;
};

TEST_F(KeyedJobStoreTest, ANewStoreHasAnIdAndIsNotConfirmed) {
  const StoreIdentity made = store_->LoadIdentity().value();
  EXPECT_EQ(made.id.size(), 32u);
  EXPECT_FALSE(made.confirmed);
  EXPECT_EQ(made.revision, 0u);
  Reopen();
  EXPECT_EQ(store_->LoadIdentity().value(), made);
}

TEST_F(KeyedJobStoreTest, AStoreOfAnEarlierVersionGetsAnIdAndIsConfirmed) {
  spaces_.clear();
  Put(kMeta, "schema_version", "2");
  Reopen();
  const StoreIdentity made = store_->LoadIdentity().value();
  EXPECT_EQ(made.id.size(), 32u);
  EXPECT_TRUE(made.confirmed);
}

TEST_F(KeyedJobStoreTest, TheRevisionIsThatOfTheNewestJobWrittenEvenWhenItIsRemoved) {
  Job job = MakeJob("j-1");
  job.revision = 41;
  ASSERT_TRUE(store_->CreateJob(job, {"r-1", "d", "j-1", kStart}).ok());
  job.revision = 42;
  ASSERT_TRUE(store_->PutJob(job).ok());
  ASSERT_TRUE(store_->RemoveJob("j-1").ok());
  EXPECT_EQ(store_->LoadIdentity().value().revision, 42u);
  ASSERT_TRUE(store_->PutIdentity({.id = "s", .revision = 50}).ok());
  EXPECT_EQ(store_->LoadIdentity().value(), (StoreIdentity{.id = "s", .revision = 50}));
}

TEST_F(KeyedJobStoreTest, ADamagedRecordCostsThatRecordOnly) {
  ASSERT_TRUE(store_->CreateJob(MakeJob("a"), {"r-a", "d", "a", kStart}).ok());
  ASSERT_TRUE(store_->CreateJob(MakeJob("b"), {"r-b", "d", "b", kStart}).ok());
  ASSERT_TRUE(store_->CreateJob(MakeJob("c"), {"r-c", "d", "c", kStart}).ok());
  ASSERT_TRUE(store_->PutWorkerMode("w1", {WorkerMode::Kind::kCordoned, "disk", false}).ok());
  ASSERT_TRUE(store_->PutLogStock("a", {.bytes = 5}).ok());
  Put(kJobs, "b", "{not a job");
  spaces_.erase({kSpecs, "c"});
  Put(kMeta, "worker/w2", "?");
  Put(kMeta, "logs/b", "?");
  Reopen();
  const std::vector<Job> jobs = store_->LoadJobs().value();
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].job_id, "a");
  EXPECT_THAT(store_->damaged_jobs(), ElementsAre("b", "c"));
  EXPECT_EQ(store_->LoadWorkerModes().value().size(), 1u);
  EXPECT_EQ(store_->LoadLogStocks().value().size(), 1u);
  EXPECT_EQ((spaces_[{kJobs, "b"}]), "{not a job") << "kept for whoever can read it";
}

// B1: a write whose sync failed is in the log all the same, and the reopened store has it.
TEST_F(KeyedJobStoreTest, WhatFailedAndIsThereAllTheSameIsSetRight) {
  for (const bool done : {true, false}) {
    spaces_.clear();
    auto store = MemoryKeyedStore::Open(&spaces_);
    FakeClock clock(kStart);
    auto coordinator = Coordinator::Open({}, {store.get(), &clock, &clock}).value();
    const std::string kept =
        coordinator->Submit({"r-kept", ConfigJson("kept"), "ada"}).value().job->job_id;
    store->FailWrites(absl::UnavailableError("fsync failed"), done);
    EXPECT_FALSE(coordinator->Submit({"r-1", ConfigJson("one"), "ada"}).ok());
    EXPECT_FALSE(coordinator->Cancel(kept, std::nullopt).ok());
    clock.Advance(absl::Seconds(1));
    coordinator->Tick();
    EXPECT_FALSE(coordinator->Ready().ok());
    store->FailWrites(absl::OkStatus(), false);
    clock.Advance(absl::Seconds(1));
    coordinator->Tick();
    EXPECT_TRUE(coordinator->Ready().ok());
    const absl::StatusOr<SubmitResult> again =
        coordinator->Submit({"r-1", ConfigJson("one"), "ada"});
    ASSERT_TRUE(again.ok()) << again.status();
    const std::string one = again->job->job_id;
    coordinator = Coordinator::Open({}, {store.get(), &clock, &clock}).value();
    EXPECT_EQ(coordinator->ListJobs({}).jobs.size(), 2u) << "no job that nobody was told of";
    EXPECT_EQ(coordinator->GetJob(one).value()->name, "one");
    EXPECT_EQ(coordinator->GetJob(kept).value()->state, JobState::kQueued);
  }
}

// The configuration is nowhere but in the store: a removal that failed must not cost it.
TEST_F(KeyedJobStoreTest, ARemovalThatFailedKeepsTheConfiguration) {
  for (const bool done : {true, false}) {
    spaces_.clear();
    auto store = MemoryKeyedStore::Open(&spaces_);
    const Job job = MakeJob("j-1");
    ASSERT_TRUE(store->CreateJob(job, {"r-1", "d", "j-1", kStart}).ok());
    store->FailWrites(absl::UnavailableError("fsync failed"), done);
    EXPECT_FALSE(store->RemoveJob("j-1").ok());
    store->FailWrites(absl::OkStatus(), false);
    const auto truth = [&](const std::string&) { return std::make_shared<const Job>(job); };
    ASSERT_TRUE(store->SettleDoubts({.job = truth, .mode = nullptr}).ok());
    EXPECT_EQ(store->LoadConfig("j-1").value(), job.config_json);
    EXPECT_EQ(store->LoadJobs().value().size(), 1u);
  }
}

}  // namespace
}  // namespace fpo::coordinator
