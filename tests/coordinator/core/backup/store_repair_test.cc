#include "coordinator/core/backup/store_repair.h"

#include <filesystem>
#include <fstream>

#include "common/rocksdb/database.h"
#include "coordinator/core/store/rocksdb_job_store.h"
#include "gmock/gmock.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/coordinator/core/temp_dir.h"

namespace fpo::coordinator {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// A folder with the jobs a (running) and b (succeeded) in table files, and c (queued) in the log.
class StoreRepairTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Job succeeded = RunningJob("b");
    succeeded.state = JobState::kSucceeded;
    Create({RunningJob("a")});
    Create({succeeded});
    Job queued = RunningJob("c");
    queued.state = JobState::kQueued;
    Create({queued});
  }
  void Create(
      const std::vector<Job>& jobs) {  // opening turns the log of the time before into tables
    const auto store = RocksdbJobStore::Open(dir_.path()).value();
    for (const Job& job : jobs) {
      ASSERT_TRUE(store->CreateJob(job, {"request-" + job.job_id, "d", job.job_id, kStart}).ok());
    }
  }
  std::vector<std::string> Tables() const {
    std::vector<std::string> tables;
    for (const auto& entry : fs::directory_iterator(dir_.path())) {
      if (entry.path().extension() == ".sst") tables.push_back(entry.path());
    }
    return tables;
  }
  static void BreakFooter(const std::string& table) {
    std::fstream file(table, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-3, std::ios::end);
    file.put('\x55');
  }
  TempDir dir_;
};

TEST_F(StoreRepairTest, ADamagedStoreIsRefusedAndLeftAsItIs) {
  for (const std::string& table : Tables()) BreakFooter(table);
  const auto opened = RocksdbJobStore::Open(dir_.path());
  ASSERT_TRUE(absl::IsDataLoss(opened.status())) << opened.status();
  const std::string message(opened.status().message());
  EXPECT_THAT(message, HasSubstr(".sst"));
  EXPECT_THAT(message, HasSubstr("fpo-coordinator --repair"));
  EXPECT_FALSE(fs::exists(dir_.path() + "/lost"));
}

TEST_F(StoreRepairTest, OneDamagedRecordCostsOneJob) {
  {
    DatabaseOptions options;
    options.path = dir_.path();
    for (const char* name : {"meta", "jobs", "specs", "requests", "positions", "events", "logs"}) {
      options.families.push_back({.name = name});
    }
    WriteSet writes;
    writes.Put(1, "a", "{not a job");
    writes.Delete(2, "b");
    ASSERT_TRUE(Database::Open(options).value()->Write(writes).ok());
  }
  const auto store = RocksdbJobStore::Open(dir_.path()).value();
  const std::vector<Job> jobs = store->LoadJobs().value();
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].job_id, "c");
  EXPECT_THAT(store->damaged_jobs(), UnorderedElementsAre("a", "b"));
}

TEST_F(StoreRepairTest, WhatCouldBeSavedIsHeldWithEpochsNobodyHasSeen) {
  const uint64_t epoch = RunningJob("a").epoch;
  const RepairReport report = RepairJobStore(dir_.path(), kStart).value();
  EXPECT_THAT(report.held_jobs, ElementsAre("a", "c"));
  EXPECT_THAT(report.other_jobs, ElementsAre("b"));
  EXPECT_THAT(report.damaged_jobs, IsEmpty());
  const auto store = RocksdbJobStore::Open(dir_.path()).value();
  const std::vector<Job> jobs = store->LoadJobs().value();
  ASSERT_EQ(jobs.size(), 3u);
  EXPECT_EQ(jobs[0].state, JobState::kHeld);
  EXPECT_EQ(jobs[0].epoch, epoch + (1 << 20));
  EXPECT_TRUE(jobs[0].attempts.back().ended.has_value());
  EXPECT_THAT(jobs[0].reason, HasSubstr("repair"));
  EXPECT_EQ(jobs[1].state, JobState::kSucceeded);
  EXPECT_GE(jobs[1].revision, uint64_t{1} << 20);
}

TEST_F(StoreRepairTest, SaysWhichFilesAreLost) {
  const size_t tables = Tables().size();
  for (const std::string& table : Tables()) BreakFooter(table);
  const RepairReport report = RepairJobStore(dir_.path(), kStart).value();
  EXPECT_GE(report.files.size(), tables);  // and the log, whose jobs were in no table yet
  EXPECT_TRUE(RocksdbJobStore::Open(dir_.path()).ok());
}

TEST_F(StoreRepairTest, AFolderWithoutAStoreIsNotMadeOne) {
  const std::string none = dir_.path() + "/none";
  EXPECT_TRUE(absl::IsNotFound(RepairJobStore(none, kStart).status()));
  EXPECT_FALSE(fs::exists(none));
}

}  // namespace
}  // namespace fpo::coordinator
