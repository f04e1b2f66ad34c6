#include "coordinator/core/store/rocksdb_job_store.h"

#include <sys/statvfs.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/rocksdb/database.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/coordinator/core/temp_dir.h"

namespace fpo::coordinator {
namespace {

TEST(RocksdbJobStore, EverythingIsThereAfterReopening) {
  TempDir dir;
  Job job = RunningJob("j-1");
  job.config_json = R"({"name":"x"})";
  job.demand.config_bytes = static_cast<int64_t>(job.config_json.size());
  LineWrite write;
  write.sender = {LastAttemptRef(job), "w1"};
  write.position = {3, 2};
  write.events = {{1, 1, 0, "{}"}};
  write.logs = {{1, 1, 0, LineStream::kStdout, 5, "hello"}};
  {
    auto store = RocksdbJobStore::Open(dir.path()).value();
    ASSERT_TRUE(store->CreateJob(job, {"r-1", "d", "j-1", kStart}).ok());
    ASSERT_TRUE(store->PutJob(job).ok());
    ASSERT_TRUE(store->PutLines(write).ok());
    ASSERT_TRUE(store->Sync().ok());
  }
  auto store = RocksdbJobStore::Open(dir.path()).value();
  EXPECT_EQ(store->LoadConfig("j-1").value(), std::exchange(job.config_json, ""));
  EXPECT_EQ(store->LoadJobs().value(), std::vector<Job>{job});
  EXPECT_EQ(store->FindRequest("r-1").value()->job_id, "j-1");
  EXPECT_EQ(store->PositionOf(write.sender).value(), write.position);
  EXPECT_EQ(store->ReadLogs("j-1", {}).value().lines, write.logs);
  EXPECT_EQ(store->ReadEvents("j-1", 0, 10).value(), write.events);
}

// Each file takes memory and a descriptor for as long as the store is open.
TEST(RocksdbJobStore, ShortJobsDoNotMakeAFileEach) {
  TempDir dir;
  auto store = RocksdbJobStore::Open(dir.path()).value();
  for (int i = 0; i < 300; ++i) {
    const std::string id = absl::StrCat("j-", i);
    Job job = RunningJob(id);
    job.config_json = std::string(1000, 'x');
    ASSERT_TRUE(store->CreateJob(job, {absl::StrCat("r-", i), "d", id, kStart}).ok());
    ASSERT_TRUE(store->PutJob(job).ok());
    LineWrite write;
    write.sender = {LastAttemptRef(job), "w1"};
    for (uint64_t e = 1; e <= 200; ++e) write.events.push_back({e, 1, 0, std::string(500, 'e')});
    write.logs = {{1, 1, 0, LineStream::kStdout, 5, "hello"}};
    ASSERT_TRUE(store->PutLines(write).ok());
    ASSERT_TRUE(store->PutLogStock(id, {.bytes = 5}).ok());
  }
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    files += entry.path().extension() == ".sst" ? 1 : 0;
  }
  EXPECT_LT(files, 20);
}

TEST(RocksdbJobStore, OneProcessOwnsAFolder) {
  TempDir dir;
  auto store = RocksdbJobStore::Open(dir.path()).value();
  const auto second = RocksdbJobStore::Open(dir.path());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition) << second.status();
}

// The folder of a store, past the store.
std::unique_ptr<Database> OpenRaw(const std::string& path) {
  DatabaseOptions options;
  options.path = path;
  for (const char* name : {"meta", "jobs", "specs", "requests", "positions", "events", "logs"}) {
    options.families.push_back({.name = name});
  }
  return Database::Open(options).value();
}

void SetSchemaVersion(const std::string& path, const std::string& version) {
  WriteSet writes;
  writes.Put(0, "schema_version", version);
  ASSERT_TRUE(OpenRaw(path)->Write(writes).ok());
}

TEST(RocksdbJobStore, AFolderOfVersionOneIsTakenOver) {
  TempDir dir;
  RocksdbJobStore::Open(dir.path()).value();
  SetSchemaVersion(dir.path(), "1");
  {
    WriteSet writes;
    writes.Put(1, "j-1",
               R"({"job_id":"j-1","state":"RUNNING","epoch":3,"submitted":1,)"
               R"("state_since":1})");
    writes.Put(2, "j-1", "{}");
    ASSERT_TRUE(OpenRaw(dir.path())->Write(writes).ok());
  }
  {
    const auto store = RocksdbJobStore::Open(dir.path()).value();
    const Job job = store->LoadJobs().value().at(0);
    EXPECT_EQ(job.epoch, 3u);
    EXPECT_EQ(job.demand.queue, "default");
  }
  EXPECT_EQ(OpenRaw(dir.path())->Get(0, "schema_version").value(), "2")
      << "the program of version 1 refuses it from here on";
}

TEST(RocksdbJobStore, AFolderOfANewerProgramIsNotTouched) {
  TempDir dir;
  RocksdbJobStore::Open(dir.path()).value();
  SetSchemaVersion(dir.path(), "3");
  const auto store = RocksdbJobStore::Open(dir.path());
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(store.status().message().find("version 3"), std::string::npos) << store.status();
}

// With a reserve larger than any disk, everything but what frees space and ends jobs is refused.
TEST(RocksdbJobStoreTest, AFullDiskRefusesLogsAndSubmitsButNoChangeOfAJob) {
  const TempDir dir;
  constexpr int64_t kHuge = int64_t{1} << 60;
  const Job job = MakeJob("j-1");
  LineWrite write;
  write.sender = {{"j-1", 1, 1}, "w1"};
  write.logs = {{1, 1, 0, LineStream::kStdout, 5, "a line"}};
  {
    const auto store = RocksdbJobStore::Open(dir.path()).value();
    ASSERT_TRUE(store->CreateJob(job, {"r-1", "", "j-1", kStart}).ok());
    ASSERT_TRUE(store->PutLines(write).ok());
  }
  const auto store = RocksdbJobStore::Open(dir.path(), kHuge).value();
  EXPECT_TRUE(absl::IsResourceExhausted(store->TakesLogs()));
  EXPECT_TRUE(absl::IsResourceExhausted(store->Check(kStart)));
  EXPECT_TRUE(absl::IsResourceExhausted(store->PutLines(write)));
  EXPECT_TRUE(
      absl::IsResourceExhausted(store->CreateJob(MakeJob("j-2"), {"r-2", "", "j-2", kStart})));
  EXPECT_TRUE(store->PutJob(job).ok());
  EXPECT_TRUE(store->Sync().ok());
  EXPECT_TRUE(store->PutWorkerMode("w1", {WorkerMode::Kind::kDraining, ""}).ok());
  EXPECT_TRUE(store->ReplaceLogs("j-1", {1, 1, -1, LineStream::kGap, 5, "gap"}, {}).ok());
  EXPECT_TRUE(store->DropEventsBefore("j-1", 5).ok());
  EXPECT_TRUE(store->DropAuditBefore(5).ok());
  EXPECT_TRUE(store->ForgetRequestsBefore(kStart, "", 10).ok());
  EXPECT_TRUE(store->RemoveJob("j-1").ok());
  EXPECT_EQ(store->Space().at(1), (std::pair<std::string, double>{"logs_refused", 1}));
}

TEST(RocksdbJobStoreTest, LogsGiveWayBeforeSubmits) {
  const TempDir dir;
  struct statvfs fs {};
  ASSERT_EQ(statvfs(dir.path().c_str(), &fs), 0);
  const auto free = static_cast<int64_t>(fs.f_bavail) * static_cast<int64_t>(fs.f_frsize);
  const auto store = RocksdbJobStore::Open(dir.path(), free / 4 * 3).value();
  EXPECT_TRUE(absl::IsResourceExhausted(store->TakesLogs()));
  EXPECT_TRUE(store->Check(kStart).ok());
  EXPECT_TRUE(store->CreateJob(MakeJob("j-1"), {"r-1", "", "j-1", kStart}).ok());
}

}  // namespace
}  // namespace fpo::coordinator
