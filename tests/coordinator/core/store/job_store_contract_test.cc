// What every JobStore promises, run on each implementation.

#include <cstdlib>
#include <memory>
#include <string>

#include "coordinator/core/store/job_store.h"
#include "coordinator/core/store/postgres_job_store.h"
#include "coordinator/core/store/rocksdb_job_store.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/coordinator/core/temp_dir.h"
#include "tests/integration/postgres_server.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

// One server for all tests; each begins with an empty database.
fpo::testing::PostgresServer& Server() {
  static auto* const server = new std::unique_ptr<fpo::testing::PostgresServer>(
      std::make_unique<fpo::testing::PostgresServer>());
  static const int stopped_at_exit = std::atexit([] { server->reset(); });
  (void)stopped_at_exit;
  return **server;
}

std::unique_ptr<JobStore> EmptyPostgresStore() {
  Server().Query("DROP TABLE IF EXISTS fpo_kv, fpo_leader, fpo_beat, fpo_written");
  PostgresOptions options;
  options.address = Server().Url();
  std::shared_ptr<PostgresKeyValues> values = PostgresKeyValues::Open(options).value();
  EXPECT_TRUE(values->TakeLead(values->ReadLead().value(), "a:1").value());
  return PostgresJobStore::Open(std::move(values)).value();
}

class JobStoreContract : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string engine = GetParam();
    if (engine == "memory") {
      store_ = std::make_unique<MemoryJobStore>();
    } else if (engine == "rocksdb") {
      store_ = RocksdbJobStore::Open(dir_.path()).value();
    } else if (const std::string missing = fpo::testing::PostgresServer::Missing();
               !missing.empty()) {
      GTEST_SKIP() << missing;
    } else {
      store_ = EmptyPostgresStore();
    }
  }

  static SubmittedRequest RequestOf(const std::string& id, const std::string& job_id) {
    return {id, "digest-" + id, job_id, kStart};
  }
  LineWrite Logs(const std::string& job_id, uint64_t first, int count, int32_t attempt = 1) {
    LineWrite write;
    write.sender = {{job_id, attempt, 1}, "w1"};
    for (int i = 0; i < count; ++i) {
      const uint64_t cursor = first + static_cast<uint64_t>(i);
      write.logs.push_back(
          {cursor, attempt, 0, LineStream::kStdout, 5, "line " + std::to_string(cursor)});
    }
    write.position.next_log_seq = first + static_cast<uint64_t>(count);
    return write;
  }

  uint64_t TailOf(const std::string& job_id, const LogQuery& query, int32_t lines) {
    const LogTail tail = store_->FindTail(job_id, query, {.lines_left = lines}).value();
    EXPECT_TRUE(tail.found);
    return tail.after;
  }

  TempDir dir_;
  std::unique_ptr<JobStore> store_;
};

TEST_P(JobStoreContract, EachHookHasAMark) {
  EXPECT_TRUE(store_->LoadHookMarks().value().empty());
  ASSERT_TRUE(store_->PutHookMark("ops", 7).ok());
  ASSERT_TRUE(store_->PutHookMark("team", 2).ok());
  ASSERT_TRUE(store_->PutHookMark("ops", 9).ok());
  EXPECT_EQ(store_->LoadHookMarks().value(),
            (std::map<std::string, uint64_t>{{"ops", 9}, {"team", 2}}));
}

TEST_P(JobStoreContract, RequestsForWorkersAreKeptUntilTheyAreOver) {
  ProvisionRequest request;
  request.id = "0a1b";
  request.pool = "gpu";
  request.job_id = "j-1";
  request.owner = "ada";
  request.workers = 3;
  request.attempt = 2;
  request.asked = kStart;
  request.state = ProvisionRequest::State::kAsked;
  ASSERT_TRUE(store_->PutProvisionRequest(request).ok());
  request.reference = "1234";
  request.started = kStart + absl::Seconds(5);
  request.arrived = 1;
  ASSERT_TRUE(store_->PutProvisionRequest(request).ok());
  EXPECT_EQ(store_->LoadProvisionRequests().value(), std::vector<ProvisionRequest>{request});
  ASSERT_TRUE(store_->RemoveProvisionRequest("0a1b").ok());
  ASSERT_TRUE(store_->RemoveProvisionRequest("0a1b").ok());
  EXPECT_TRUE(store_->LoadProvisionRequests().value().empty());
}

TEST_P(JobStoreContract, WorkerModesAreKeptUntilOpen) {
  const WorkerMode drain = {WorkerMode::Kind::kDraining, "new disk"};
  ASSERT_TRUE(store_->PutWorkerMode("w1", drain).ok());
  ASSERT_TRUE(store_->PutWorkerMode("w2", {WorkerMode::Kind::kCordoned, ""}).ok());
  ASSERT_TRUE(store_->PutWorkerMode("w2", {}).ok());
  EXPECT_EQ(store_->LoadWorkerModes().value(), (std::map<std::string, WorkerMode>{{"w1", drain}}));
}

TEST_P(JobStoreContract, KeepsJobsWithTheirConfiguration) {
  Job job = MakeJob("j-1");
  job.config_json = R"({"name":"a"})";
  job.demand.config_bytes = static_cast<int64_t>(job.config_json.size());
  ASSERT_TRUE(store_->CreateJob(job, RequestOf("r-1", "j-1")).ok());
  ASSERT_TRUE(store_->CreateJob(MakeJob("j-2"), RequestOf("r-2", "j-2")).ok());
  job.state = JobState::kFailed;
  job.reason = "because";
  ASSERT_TRUE(store_->PutJob(job).ok());
  const std::vector<Job> jobs = store_->LoadJobs().value();
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(store_->LoadConfig("j-1").value(), std::exchange(job.config_json, ""));
  EXPECT_EQ(jobs[0], job) << "its configuration is asked for by itself";
  EXPECT_TRUE(absl::IsNotFound(store_->LoadConfig("j-3").status()));
  ASSERT_TRUE(store_->RemoveJob("j-1").ok());
  EXPECT_TRUE(absl::IsNotFound(store_->LoadConfig("j-1").status()));
}

TEST_P(JobStoreContract, RemembersRequestsAndForgetsOldOnes) {
  EXPECT_EQ(store_->FindRequest("r-1").value(), std::nullopt);
  ASSERT_TRUE(store_->CreateJob(MakeJob("j-1"), RequestOf("r-1", "j-1")).ok());
  EXPECT_EQ(store_->FindRequest("r-1").value(), RequestOf("r-1", "j-1"));
  EXPECT_EQ(store_->CreateJob(MakeJob("j-2"), RequestOf("r-1", "j-2")).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(store_->LoadJobs().value().size(), 1u) << "the refused job was not written";
  EXPECT_EQ(store_->ForgetRequestsBefore(kStart, "", 10).value(), "");
  EXPECT_TRUE(store_->FindRequest("r-1").value().has_value());
  EXPECT_EQ(store_->ForgetRequestsBefore(kStart + absl::Seconds(1), "", 10).value(), "");
  EXPECT_FALSE(store_->FindRequest("r-1").value().has_value());
}

TEST_P(JobStoreContract, RequestsAreForgottenInBoundedSteps) {
  for (const char* id : {"1", "2", "3", "4", "5"}) {
    ASSERT_TRUE(store_->CreateJob(MakeJob(id), RequestOf(id, id)).ok());
  }
  const absl::Time later = kStart + absl::Seconds(1);
  EXPECT_EQ(store_->ForgetRequestsBefore(later, "", 2).value(), "3");
  EXPECT_FALSE(store_->FindRequest("2").value().has_value());
  EXPECT_TRUE(store_->FindRequest("3").value().has_value());
  EXPECT_EQ(store_->ForgetRequestsBefore(later, "3", 2).value(), "5");
  EXPECT_EQ(store_->ForgetRequestsBefore(later, "5", 2).value(), "");
  EXPECT_FALSE(store_->FindRequest("5").value().has_value());
}

TEST_P(JobStoreContract, ReadsLogsInOrderFromACursor) {
  ASSERT_TRUE(store_->PutLines(Logs("j-1", 1, 300)).ok());
  ASSERT_TRUE(store_->PutLines(Logs("j-10", 1, 1)).ok());
  ASSERT_TRUE(store_->Sync().ok());
  LogQuery query;
  query.lines_max = 100;
  uint64_t expected = 1;
  for (;;) {
    const LogPage page = store_->ReadLogs("j-1", query).value();
    for (const LogLine& line : page.lines) EXPECT_EQ(line.cursor, expected++);
    query.after = page.after;
    if (page.at_end) break;
  }
  EXPECT_EQ(expected, 301u);
  EXPECT_EQ(store_->LastLogCursor("j-1").value(), 300u);
  EXPECT_EQ(store_->LastLogCursor("j-").value(), 0u);
  EXPECT_EQ(store_->LastLogCursor("j-2").value(), 0u);
}

TEST_P(JobStoreContract, PagesEndAtTheByteLimitButAreNeverEmpty) {
  ASSERT_TRUE(store_->PutLines(Logs("j-1", 1, 10)).ok());
  LogQuery query;
  query.bytes_max = 13;  // "line 1" has 6
  EXPECT_EQ(store_->ReadLogs("j-1", query).value().lines.size(), 2u);
  query.bytes_max = 1;
  EXPECT_EQ(store_->ReadLogs("j-1", query).value().lines.size(), 1u);
}

TEST_P(JobStoreContract, FiltersAndTailsByAttempt) {
  ASSERT_TRUE(store_->PutLines(Logs("j-1", 1, 10, 1)).ok());
  ASSERT_TRUE(store_->PutLines(Logs("j-1", 11, 5, 2)).ok());
  ASSERT_TRUE(store_->PutLines(Logs("j-2", 1, 5, 1)).ok());
  LogQuery query;
  query.attempt = 2;
  EXPECT_EQ(store_->ReadLogs("j-1", query).value().lines.size(), 5u);
  EXPECT_EQ(TailOf("j-1", {.attempt = 0}, 3), 12u);
  EXPECT_EQ(TailOf("j-1", {.attempt = 1}, 3), 7u);
  EXPECT_EQ(TailOf("j-1", {.attempt = 0}, 100), 0u);
  EXPECT_EQ(TailOf("j-9", {.attempt = 0}, 3), 0u);
}

// A filter that fits nothing makes a reader look at every line of a long log; it must not do so at
// once, nor begin again from the start.
TEST_P(JobStoreContract, OneReadLooksAtABoundedNumberOfLinesAndTheCursorMoves) {
  ASSERT_TRUE(store_->PutLines(Logs("j-1", 1, 25)).ok());
  LogQuery query{.rank = 99, .looked_lines_max = 10};
  for (const uint64_t after : {10u, 20u, 25u}) {
    const LogPage page = store_->ReadLogs("j-1", query).value();
    EXPECT_TRUE(page.lines.empty());
    EXPECT_EQ(page.after, after);
    EXPECT_EQ(page.at_end, after == 25u);
    query.after = page.after;
  }
  query = {.looked_lines_max = 1000, .looked_bytes_max = 40};
  const LogPage page = store_->ReadLogs("j-1", query).value();
  EXPECT_LT(page.lines.size(), 8u) << "bytes count too";
  EXPECT_EQ(page.after, page.lines.size());
  EXPECT_FALSE(page.at_end);
}

TEST_P(JobStoreContract, ATailIsLookedForInBoundedSteps) {
  ASSERT_TRUE(store_->PutLines(Logs("j-1", 1, 25)).ok());
  LogTail tail{.lines_left = 3};
  for (const uint64_t before : {16u, 6u, 1u}) {
    tail = store_->FindTail("j-1", {.rank = 99, .looked_lines_max = 10}, tail).value();
    EXPECT_EQ(tail.before, before);
    EXPECT_EQ(tail.found, before == 1u);
  }
  EXPECT_EQ(tail.after, 0u);
}

TEST_P(JobStoreContract, LinesPositionAndJobAreOneGroup) {
  Job job = MakeJob("j-1");
  ASSERT_TRUE(store_->CreateJob(job, RequestOf("r-1", "j-1")).ok());
  job.checkpoint_step = 40;
  LineWrite write;
  write.sender = {{"j-1", 1, 7}, "w1"};
  write.position = {12, 3};
  write.events = {{1, 1, 0, "{}"}, {2, 1, 1, "{\"a\":1}"}};
  write.job = &job;
  ASSERT_TRUE(store_->PutLines(write).ok());
  EXPECT_EQ(store_->LoadJobs().value().at(0).checkpoint_step, 40);
  EXPECT_EQ(store_->PositionOf(write.sender).value(), write.position);
  EXPECT_EQ(store_->PositionOf({{"j-1", 1, 7}, "w2"}).value(), SenderPosition{});
  EXPECT_EQ(store_->PositionOf({{"j-1", 1, 8}, "w1"}).value(), SenderPosition{});
  EXPECT_EQ(store_->LastEventCursor("j-1").value(), 2u);
  EXPECT_EQ(store_->ReadEvents("j-1", 1, 10).value(), std::vector<EventLine>{write.events[1]});
  EXPECT_EQ(store_->ReadEvents("j-1", 0, 1).value(), std::vector<EventLine>{write.events[0]});
}

TEST_P(JobStoreContract, LinesOfAnUnchangedJobHaveARevisionToo) {
  LineWrite write = Logs("j-1", 1, 3);
  write.revision = 41;
  ASSERT_TRUE(store_->PutLines(write).ok());
  EXPECT_EQ(store_->LoadIdentity().value().revision, 41u);
}

TEST_P(JobStoreContract, IsHealthy) { EXPECT_TRUE(store_->Check(kStart).ok()); }

TEST_P(JobStoreContract, OldLogsGiveWayToOneGapLine) {
  LineWrite write = Logs("j-1", 1, 6);
  write.stock = LogStock{600, 5, 0, 0, 0};
  ASSERT_TRUE(store_->PutLines(write).ok());
  ASSERT_TRUE(store_->PutLines(Logs("j-2", 1, 2)).ok());
  ASSERT_TRUE(store_->PutLogStock("j-2", {20, 5, 0, 0, 0}).ok());
  const LogLine gap{4, 1, -1, LineStream::kGap, 5, "gap: 4 lines"};
  const LogStock left{200, 5, 4, 4, 24};
  ASSERT_TRUE(store_->ReplaceLogs("j-1", gap, left).ok());
  const std::vector<LogLine> lines = store_->ReadLogs("j-1", {}).value().lines;
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], gap);
  EXPECT_EQ(lines[1].cursor, 5u);
  EXPECT_EQ(store_->LastLogCursor("j-1").value(), 6u);
  EXPECT_EQ(store_->ReadLogs("j-1", {.rank = 7}).value().lines.size(), 1u)
      << "a gap is of all ranks";
  EXPECT_EQ(store_->ReadLogs("j-1", {.attempt = 2}).value().lines.size(), 0u);
  EXPECT_EQ(store_->ReadLogs("j-2", {}).value().lines.size(), 2u);
  EXPECT_EQ(store_->LoadLogStocks().value(),
            (std::map<std::string, LogStock>{{"j-1", left}, {"j-2", {20, 5, 0, 0, 0}}}));
}

TEST_P(JobStoreContract, EventsBeforeACursorAreDropped) {
  LineWrite write;
  write.sender = {{"j-1", 1, 1}, "w1"};
  for (uint64_t cursor = 1; cursor <= 5; ++cursor) write.events.push_back({cursor, 1, 0, "{}"});
  ASSERT_TRUE(store_->PutLines(write).ok());
  ASSERT_TRUE(store_->DropEventsBefore("j-1", 4).ok());
  const std::vector<EventLine> left = store_->ReadEvents("j-1", 0, 10).value();
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].cursor, 4u);
  EXPECT_EQ(store_->LastEventCursor("j-1").value(), 5u);
}

TEST_P(JobStoreContract, ARemovedJobLeavesNothingAndOthersAlone) {
  for (const char* id : {"j-1", "j-10"}) {
    ASSERT_TRUE(store_->CreateJob(MakeJob(id), RequestOf(std::string("r") + id, id)).ok());
    LineWrite write = Logs(id, 1, 3);
    write.events = {{1, 1, 0, "{}"}};
    write.stock = LogStock{30, 5, 0, 0, 0};
    ASSERT_TRUE(store_->PutLines(write).ok());
  }
  ASSERT_TRUE(store_->RemoveJob("j-1").ok());
  ASSERT_TRUE(store_->RemoveJob("j-1").ok()) << "gone already";
  EXPECT_EQ(store_->LastLogCursor("j-1").value(), 0u);
  EXPECT_EQ(store_->LastEventCursor("j-1").value(), 0u);
  EXPECT_EQ(store_->PositionOf({{"j-1", 1, 1}, "w1"}).value(), SenderPosition{});
  const std::vector<Job> left = store_->LoadJobs().value();
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].job_id, "j-10");
  EXPECT_EQ(store_->LastLogCursor("j-10").value(), 3u);
  EXPECT_EQ(store_->LoadLogStocks().value().size(), 1u);
}

TEST_P(JobStoreContract, TheAuditIsReadBackwards) {
  ASSERT_TRUE(store_->PutWorkerMode("w1", {WorkerMode::Kind::kCordoned, ""}).ok());
  for (uint64_t cursor = 1; cursor <= 300; ++cursor) {
    const AuditEntry entry{cursor, kStart, "ana", "CancelJob", "j-1", "OK", "grace 0", "r"};
    ASSERT_TRUE(store_->PutAudit(entry).ok());
  }
  const std::vector<AuditEntry> newest = store_->ReadAudit(0, 2).value();
  ASSERT_EQ(newest.size(), 2u);
  EXPECT_EQ(newest[0], (AuditEntry{300, kStart, "ana", "CancelJob", "j-1", "OK", "grace 0", "r"}));
  EXPECT_EQ(store_->ReadAudit(299, 1).value().at(0).cursor, 298u);
  ASSERT_TRUE(store_->DropAuditBefore(299).ok());
  EXPECT_EQ(store_->ReadAudit(0, 100).value().size(), 2u);
  EXPECT_EQ(store_->LoadWorkerModes().value().size(), 1u) << "kept in the same family";
}

INSTANTIATE_TEST_SUITE_P(Stores, JobStoreContract,
                         ::testing::Values("memory", "rocksdb", "postgres"),
                         [](const auto& param) { return std::string(param.param); });

}  // namespace
}  // namespace fpo::coordinator
