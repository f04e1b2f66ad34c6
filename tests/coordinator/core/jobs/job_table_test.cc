#include "coordinator/core/jobs/job_table.h"

#include "common/error_info.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

using ::testing::ElementsAre;

class JobTableTest : public ::testing::Test {
 protected:
  JobPtr Create(const std::string& name, int64_t priority = 500) {
    Job job = MakeJob("", 1, priority);
    job.name = name;
    SubmittedRequest request;
    request.request_id = "r-" + std::to_string(++requests_);
    return table_.Create(job, request, kStart).value();
  }
  JobPtr Run(const JobPtr& job) {
    return table_.ApplyEvent(job->job_id, Reserve{{MemberOn("w1")}}, kStart).value();
  }

  int requests_ = 0;
  MemoryJobStore store_;
  JobTable table_{&store_};
};

std::vector<std::string> Names(const std::vector<JobPtr>& jobs) {
  std::vector<std::string> names;
  for (const JobPtr& job : jobs) names.push_back(job->name);
  return names;
}

TEST_F(JobTableTest, FindsByIdNameAndPrefix) {
  const JobPtr a = Create("a");
  const JobPtr newer = Create("a");
  EXPECT_EQ(table_.Find(a->job_id).value()->job_id, a->job_id);
  EXPECT_EQ(table_.Find("a").value()->job_id, newer->job_id);
  EXPECT_EQ(ReasonOf(table_.Find("j-").status()), ErrorReason::kAmbiguousJob);
  EXPECT_EQ(ReasonOf(table_.Find("j-nope").status()), ErrorReason::kJobNotFound);
  EXPECT_EQ(ReasonOf(table_.Find("").status()), ErrorReason::kJobNotFound);
  std::string prefix = a->job_id;
  while (table_.Find(prefix.substr(0, prefix.size() - 1)).ok()) prefix.pop_back();
  EXPECT_EQ(table_.Find(prefix).value()->job_id, a->job_id);
}

TEST_F(JobTableTest, APrefixOfOneJobIsEnough) {
  const JobPtr job = Create("a");
  EXPECT_EQ(table_.Find("j-").value()->job_id, job->job_id);
}

TEST_F(JobTableTest, EveryChangeHasARevisionOfItsOwn) {
  const JobPtr a = Create("a");
  const JobPtr b = Create("b");
  EXPECT_GT(b->revision, a->revision);
  const JobPtr changed = Run(a);
  EXPECT_GT(changed->revision, b->revision);
  EXPECT_EQ(table_.revision(), changed->revision);
}

TEST_F(JobTableTest, ListsNewestFirstInPages) {
  for (const char* name : {"a", "b", "c", "d", "e"}) Create(name);
  JobFilter filter;
  filter.page_size = 2;
  JobPage page = table_.List(filter);
  EXPECT_THAT(Names(page.jobs), ElementsAre("e", "d"));
  filter.page_token = page.next_page_token;
  Create("f");
  page = table_.List(filter);
  EXPECT_THAT(Names(page.jobs), ElementsAre("c", "b")) << "a new job shifts no page";
  filter.page_token = page.next_page_token;
  page = table_.List(filter);
  EXPECT_THAT(Names(page.jobs), ElementsAre("a"));
  EXPECT_EQ(page.next_page_token, "");
}

TEST_F(JobTableTest, ListsByStateOwnerAndName) {
  const JobPtr a = Create("a");
  Create("b");
  Run(a);
  JobFilter filter;
  filter.states = {JobState::kReserved, JobState::kFailed};
  EXPECT_THAT(Names(table_.List(filter).jobs), ElementsAre("a"));
  filter.owner = "nobody";
  EXPECT_TRUE(table_.List(filter).jobs.empty());
  filter = {};
  filter.name = "b";
  EXPECT_THAT(Names(table_.List(filter).jobs), ElementsAre("b"));
}

TEST_F(JobTableTest, ListsByLabels) {
  const auto add = [&](const std::string& name, std::map<std::string, std::string> labels) {
    Job job = MakeJob("");
    job.name = name;
    job.labels = std::move(labels);
    SubmittedRequest request;
    request.request_id = "label-" + name;
    EXPECT_TRUE(table_.Create(job, request, kStart).ok());
  };
  add("both", {{"team", "a"}, {"run", "1"}});
  add("one", {{"team", "a"}});
  add("none", {});
  const auto count = [&](std::map<std::string, std::string> labels) {
    JobFilter filter;
    filter.labels = std::move(labels);
    return table_.List(filter).jobs.size();
  };
  EXPECT_EQ(count({{"team", "a"}}), 2u);
  EXPECT_EQ(count({{"team", "a"}, {"run", "1"}}), 1u);
  EXPECT_EQ(count({{"team", "b"}}), 0u);
}

TEST_F(JobTableTest, TheQueueFollowsStates) {
  const JobPtr a = Create("a");
  Create("b", 900);
  EXPECT_THAT(Names(table_.Queued()), ElementsAre("b", "a"));
  Run(a);
  EXPECT_THAT(Names(table_.Queued()), ElementsAre("b"));
  EXPECT_THAT(Names(table_.WithAttempt()), ElementsAre("a"));
  EXPECT_EQ(table_.counts()[static_cast<size_t>(JobState::kQueued)], 1);
  EXPECT_EQ(table_.counts()[static_cast<size_t>(JobState::kReserved)], 1);
  ASSERT_TRUE(table_.ApplyEvent(a->job_id, ReservationExpired{}, kStart).ok());
  EXPECT_THAT(Names(table_.Queued()), ElementsAre("b", "a"));
}

TEST_F(JobTableTest, WhatIsNotStoredIsNotSeen) {
  const JobPtr a = Create("a");
  store_.FailWrites(absl::ResourceExhaustedError("disk full"));
  EXPECT_FALSE(table_.ApplyEvent(a->job_id, CancelRequest{}, kStart).ok());
  EXPECT_EQ(table_.Get(a->job_id)->state, JobState::kQueued);
  SubmittedRequest request;
  request.request_id = "r-x";
  EXPECT_FALSE(table_.Create(MakeJob(""), request, kStart).ok());
  EXPECT_EQ(table_.List({}).jobs.size(), 1u);
}

TEST_F(JobTableTest, AnUnchangedJobIsNotWrittenAgain) {
  const JobPtr reserved = Run(Create("a"));
  store_.FailWrites(absl::ResourceExhaustedError("disk full"));
  MemberReport report = ReportOf(*reserved, "w1", ReportStatus::kRunning);
  EXPECT_FALSE(table_.ApplyEvent(reserved->job_id, report, kStart).ok());
  store_.FailWrites(absl::OkStatus());
  const JobPtr running = table_.ApplyEvent(reserved->job_id, report, kStart).value();
  store_.FailWrites(absl::ResourceExhaustedError("disk full"));
  EXPECT_EQ(table_.ApplyEvent(reserved->job_id, report, kStart).value(), running);
}

TEST_F(JobTableTest, LoadsWhatWasStoredAndGoesOnFromThere) {
  const JobPtr a = Create("a");
  const JobPtr reserved = Run(a);
  JobTable again(&store_);
  ASSERT_TRUE(again.Load().ok());
  EXPECT_EQ(*again.Get(a->job_id), *reserved);
  EXPECT_EQ(again.revision(), table_.revision());
  SubmittedRequest request;
  request.request_id = "r-new";
  const JobPtr b = again.Create(MakeJob(""), request, kStart - absl::Hours(1)).value();
  EXPECT_GT(b->job_id, a->job_id);
  EXPECT_GT(b->revision, reserved->revision);
}

TEST_F(JobTableTest, WatchesSeeEveryChangeUntilTheyEnd) {
  const JobPtr a = Create("a");
  std::vector<std::string> seen;
  int lines = 0;
  JobWatch watch;
  watch.on_job = [&](const JobPtr& job) { seen.push_back(std::string(Name(job->state))); };
  watch.on_lines = [&] { ++lines; };
  const WatchId id = table_.Watch(a->job_id, watch);
  table_.SetReason(a->job_id, {Standing::kQuota, "because"});
  table_.SetReason(a->job_id, {Standing::kQuota, "because"});
  Run(a);
  table_.NotifyLines(a->job_id);
  table_.NotifyLinesOfTerminalJobs();
  EXPECT_THAT(seen, ElementsAre("QUEUED", "RESERVED"));
  EXPECT_EQ(lines, 1);
  table_.Unwatch(a->job_id, id);
  table_.Unwatch(a->job_id, id);
  table_.NotifyLines(a->job_id);
  EXPECT_EQ(lines, 1);
}

TEST_F(JobTableTest, FilesOfAKeyAreForgottenWithItsLastJob) {
  const auto finished = [&](const std::string& name) {
    Job job = MakeJob("", 1);
    job.name = name;
    job.demand.data_key = "k";
    SubmittedRequest request;
    request.request_id = "r-" + name;
    const JobPtr created = table_.Create(job, request, kStart).value();
    Job prepared = *Run(created);
    prepared.phase_reached = Phase::kReference;
    prepared.state = JobState::kSucceeded;
    return table_.Put(prepared).value()->job_id;
  };
  const std::string first = finished("a"), second = finished("b");
  EXPECT_THAT(table_.files().at("k"), ElementsAre("w1"));
  ASSERT_TRUE(table_.Remove(first).ok());
  EXPECT_EQ(table_.files().count("k"), 1u) << "another job has these files";
  ASSERT_TRUE(table_.Remove(second).ok());
  EXPECT_EQ(table_.files().count("k"), 0u);
  EXPECT_EQ(table_.LiveJobsOf("ada"), 0);
}

// A10: the configurations of all jobs that ever were need not fit into memory.
TEST_F(JobTableTest, ConfigurationsAreInTheStoreAlone) {
  Job job = MakeJob("");
  job.config_json = std::string(200'000, 'c');
  const JobPtr made = table_.Create(job, {"r-1", "", "", kStart}, kStart).value();
  const auto check = [&](const JobTable& table) {
    EXPECT_EQ(table.Get(made->job_id)->config_json, "");
    EXPECT_EQ(table.WithConfig(table.Get(made->job_id)).value()->config_json, job.config_json);
    EXPECT_EQ(table.config_bytes(), 200'000);
  };
  EXPECT_LT(made->config_json.capacity(), 1000u);
  check(table_);
  Run(made);
  check(table_);
  JobTable again(&store_);
  ASSERT_TRUE(again.Load().ok());
  check(again);
  EXPECT_TRUE(absl::IsNotFound(table_.WithConfig(std::make_shared<const Job>()).status()));
}

}  // namespace
}  // namespace fpo::coordinator
