#include "coordinator/core/jobs/job_intake.h"

#include "common/error_info.h"
#include "common/job/job_file.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

class JobIntakeTest : public ::testing::Test {
 protected:
  SubmitRequest Ask(const std::string& request, const std::string& name) {
    return {request, ConfigJson(name), "ada"};
  }
  std::string Submit(const std::string& name) {
    return intake_.Submit(Ask("r-" + name, name), kStart).value().job->job_id;
  }
  std::string ConfigOf(const std::string& id) { return store_.LoadConfig(id).value(); }
  void End(const std::string& id, ReportStatus status) {
    jobs_.ApplyEvent(id, Reserve{{MemberOn("w1")}}, kStart).value();
    const Job& job = *jobs_.Get(id);
    jobs_.ApplyEvent(id, ReportOf(job, "w1", status, EndClass::kInvalid), kStart).value();
  }

  MemoryJobStore store_;
  JobTable jobs_{&store_};
  CoordinatorCounts counts_;
  JobIntake intake_{JobIntake::Options{.owner_jobs_max = 3}, &store_, &jobs_, &counts_};
};

TEST_F(JobIntakeTest, TheSameRequestIsTheSameJobWithAllThatWasAsked) {
  SubmitRequest request = Ask("r-1", "a");
  request.hold = true;
  const std::string id = intake_.Submit(request, kStart).value().job->job_id;
  EXPECT_EQ(jobs_.Get(id)->state, JobState::kHeld);
  EXPECT_EQ(intake_.Submit(request, kStart).value().job->job_id, id);
  request.hold = false;
  EXPECT_EQ(ReasonOf(intake_.Submit(request, kStart).status()), ErrorReason::kRequestIdReused);
  request.hold = true;
  request.after_ok = {id};
  EXPECT_EQ(ReasonOf(intake_.Submit(request, kStart).status()), ErrorReason::kRequestIdReused);
}

TEST_F(JobIntakeTest, AJobIsInTheTraceOfItsCallerOrWhereTracesAreSentInOneOfItsOwn) {
  const TraceContext caller = {std::string(32, 'a'), std::string(16, 'b'), false};
  SubmitRequest request = Ask("r-1", "a");
  request.trace = caller;
  EXPECT_EQ(intake_.Submit(request, kStart).value().job->trace, caller);
  request.trace = {std::string(32, 'c'), std::string(16, 'd'), true};
  EXPECT_EQ(intake_.Submit(request, kStart).value().job->trace, caller) << "a repetition";
  EXPECT_EQ(intake_.Submit(Ask("r-2", "b"), kStart).value().job->trace, TraceContext());
  JobIntake tracing{JobIntake::Options{.traces = true}, &store_, &jobs_, &counts_};
  const TraceContext own = tracing.Submit(Ask("r-3", "c"), kStart).value().job->trace;
  EXPECT_EQ(own.trace_id.size(), 32u);
  EXPECT_EQ(own.span_id, "");
  EXPECT_TRUE(own.sampled);
}

TEST_F(JobIntakeTest, DependenciesAreNamedByAnyWordAndStoredAsIds) {
  const std::string first = Submit("first");
  SubmitRequest request = Ask("r-2", "second");
  request.after_ok = {"first", first};
  EXPECT_EQ(intake_.Submit(request, kStart).value().job->after_ok, std::vector<std::string>{first});
  request.request_id = "r-3";
  request.after_ok = {"nobody"};
  EXPECT_EQ(ReasonOf(intake_.Submit(request, kStart).status()), ErrorReason::kJobNotFound);
  End(first, ReportStatus::kFailed);
  request.after_ok = {first};
  EXPECT_EQ(ReasonOf(intake_.Submit(request, kStart).status()), ErrorReason::kDependencyFailed);
}

// Jobs stay until they are removed: nobody may fill the store.
TEST_F(JobIntakeTest, TheConfigurationsOfAllJobsAreLimited) {
  Submit("first");
  const int64_t one = jobs_.config_bytes();
  EXPECT_GT(one, 0);
  JobIntake intake({.config_bytes_max = 2 * one + one / 2}, &store_, &jobs_, &counts_);
  const std::string second = intake.Submit(Ask("r-2", "secon"), kStart).value().job->job_id;
  const absl::Status full = intake.Submit(Ask("r-3", "third"), kStart).status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(full), ErrorReason::kQuota);
  End(second, ReportStatus::kFailed);
  ASSERT_TRUE(jobs_.Remove(second).ok());
  EXPECT_EQ(jobs_.config_bytes(), one);
  EXPECT_TRUE(intake.Submit(Ask("r-3", "third"), kStart).ok());
}

TEST_F(JobIntakeTest, AnOwnersJobsAreLimited) {
  for (const char* name : {"a", "b", "c"}) Submit(name);
  const absl::Status full = intake_.Submit(Ask("r-d", "d"), kStart).status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(full), ErrorReason::kQuota);
  EXPECT_TRUE(intake_.Submit(Ask("r-a", "a"), kStart).ok()) << "a repetition is no new job";
  jobs_.ApplyEvent(jobs_.Find("a").value()->job_id, CancelRequest{}, kStart).value();
  EXPECT_TRUE(intake_.Submit(Ask("r-d", "d"), kStart).ok());
}

TEST_F(JobIntakeTest, ARetryGoesOnFromTheCheckpointsInTheSameFolder) {
  const std::string old = Submit("a");
  EXPECT_EQ(ReasonOf(intake_.Retry({"r-2", old}, kStart).status()),
            ErrorReason::kIllegalTransition);
  End(old, ReportStatus::kFailed);
  Job job = *jobs_.Get(old);
  job.checkpoints = {Checkpoint{.step = 10}, Checkpoint{.step = 20}};
  jobs_.Put(job).value();

  const JobPtr newest = intake_.Retry({"r-2", old}, kStart).value().job;
  EXPECT_NE(newest->job_id, old);
  EXPECT_EQ(newest->retry_of, old);
  EXPECT_EQ(newest->checkpoint_step, 20);
  EXPECT_EQ(ConfigOf(newest->job_id), ConfigOf(old));
  EXPECT_EQ(jobs_.Get(old)->state, JobState::kFailed) << "terminal is final";
  EXPECT_EQ(intake_.Retry({"r-2", old}, kStart).value().job, newest) << "once per request id";

  jobs_.ApplyEvent(newest->job_id, CancelRequest{}, kStart).value();
  const JobPtr older = intake_.Retry({"r-3", old, 10}, kStart).value().job;
  EXPECT_EQ(older->checkpoint_step, 10);
  EXPECT_EQ(older->checkpoints.size(), 1u);
  EXPECT_EQ(ReasonOf(intake_.Retry({"r-4", old, 15}, kStart).status()), ErrorReason::kNoCheckpoint);
  EXPECT_EQ(ReasonOf(intake_.Retry({"r-5", old, 0, ConfigJson("b")}, kStart).status()),
            ErrorReason::kInvalidRetry)
      << "another output folder";
}

TEST_F(JobIntakeTest, ARetryDoesNotChangeTheNumbersOfTheRunInItsFolder) {
  const std::string old = Submit("a");
  End(old, ReportStatus::kFailed);
  JobConfig config = ReadJobJson(ConfigOf(old)).value();
  config.optimizer.lr = 1e-5;
  const std::string other = WriteJobJson(config);
  const JobPtr untrained = intake_.Retry({"r-2", old, 0, other}, kStart).value().job;
  EXPECT_EQ(ConfigOf(untrained->job_id), other) << "it failed before it trained: no run is there";
  End(untrained->job_id, ReportStatus::kFailed);

  Job job = *jobs_.Get(old);
  job.phase_reached = Phase::kTrain;
  jobs_.Put(job).value();
  const absl::Status refused = intake_.Retry({"r-3", old, 0, other}, kStart).status();
  EXPECT_EQ(ReasonOf(refused), ErrorReason::kInvalidRetry);
  EXPECT_EQ(GetErrorInfo(refused)->field, "optimizer.lr");
  EXPECT_NE(refused.message().find("optimizer.lr: 1e-05 here, 5e-07 in job " + old),
            absl::string_view::npos)
      << refused;
  config.seed = 7;
  EXPECT_EQ(
      ReasonOf(intake_.Retry({"r-4", untrained->job_id, 0, WriteJobJson(config)}, kStart).status()),
      ErrorReason::kInvalidRetry)
      << "the job that it tried again had trained there";

  config = ReadJobJson(ConfigOf(old)).value();
  config.max_steps = 9;
  config.retry.max_restarts = 1;
  config.labels = {{"team", "x"}};
  EXPECT_TRUE(intake_.Retry({"r-5", old, 0, WriteJobJson(config)}, kStart).ok())
      << "none of these decides a number of the steps so far";
}

// After an out-of-memory, or with the model moved to another disk.
TEST_F(JobIntakeTest, ARetryMayChangeHowItComputesAndWhereThingsAre) {
  const std::string old = Submit("a");
  End(old, ReportStatus::kFailed);
  Job job = *jobs_.Get(old);
  job.phase_reached = Phase::kTrain;
  jobs_.Put(job).value();
  JobConfig config = ReadJobJson(ConfigOf(old)).value();
  config.batch.tokens_per_microbatch = 4096;
  config.activation_checkpointing = true;
  const auto smaller = intake_.Retry({"r-2", old, 0, WriteJobJson(config)}, kStart);
  ASSERT_TRUE(smaller.ok()) << smaller.status();
  ASSERT_FALSE(smaller->warnings.empty());
  EXPECT_NE(smaller->warnings.back().find(
                "continues with batch.tokens_per_microbatch: 4096 now, 16384 before; "
                "activation_checkpointing: true now, false before"),
            std::string::npos)
      << smaller->warnings.back();
  End(smaller->job->job_id, ReportStatus::kFailed);
  config.model.path = "/moved/model";
  const auto moved = intake_.Retry({"r-3", old, 0, WriteJobJson(config)}, kStart);
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_NE(moved->warnings.back().find("it stops if a path leads to other content"),
            std::string::npos)
      << moved->warnings.back();
}

TEST_F(JobIntakeTest, AJobThatSucceededIsNotTriedAgain) {
  const std::string id = Submit("a");
  End(id, ReportStatus::kSucceeded);
  EXPECT_EQ(ReasonOf(intake_.Retry({"r-2", id}, kStart).status()), ErrorReason::kIllegalTransition);
}

class OutputInUseTest : public JobIntakeTest {
 protected:
  SubmitRequest To(const std::string& name, const std::string& output) {
    JobConfig config = ReadJobJson(ConfigJson(name)).value();
    config.output = output;
    return {"r-" + name, WriteJobJson(config), "bea"};
  }
  void ExpectInUse(const absl::Status& status, const std::string& holder) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_EQ(ReasonOf(status), ErrorReason::kOutputInUse) << status;
    EXPECT_EQ(GetErrorInfo(status).value_or(ErrorInfo{}).ids, std::vector<std::string>{holder});
  }
};

TEST_F(OutputInUseTest, OneFolderHasOneJobThatHasNotEnded) {
  const std::string first = Submit("a");
  const SubmitRequest second = To("b", "/runs/x/../a/");
  ExpectInUse(intake_.Submit(second, kStart).status(), first);
  ExpectInUse(intake_.Submit(To("c", "/runs/a/below"), kStart).status(), first);
  ExpectInUse(intake_.Submit(To("d", "/runs"), kStart).status(), first);
  EXPECT_TRUE(intake_.Submit(To("e", "/runs/ab"), kStart).ok());
  EXPECT_TRUE(intake_.Submit(Ask("r-a", "a"), kStart).ok()) << "a repetition is no new job";
  End(first, ReportStatus::kFailed);
  EXPECT_TRUE(intake_.Submit(second, kStart).ok());
}

TEST_F(OutputInUseTest, AHeldJobHoldsItsFolderAndSoDoesARetry) {
  SubmitRequest held = Ask("r-h", "held");
  held.hold = true;
  const std::string id = intake_.Submit(held, kStart).value().job->job_id;
  ExpectInUse(intake_.Submit(To("b", "/runs/held"), kStart).status(), id);

  const std::string old = Submit("a");
  End(old, ReportStatus::kFailed);
  const std::string again = intake_.Retry({"r-1", old}, kStart).value().job->job_id;
  ExpectInUse(intake_.Retry({"r-2", old}, kStart).status(), again);
  ExpectInUse(intake_.Submit(To("c", "/runs/a"), kStart).status(), again);
}

TEST_F(OutputInUseTest, AJobMayTakeTheFolderOfOneThatItWaitsFor) {
  const std::string first = Submit("a");
  SubmitRequest second = To("b", "/runs/a/scores");
  second.after_ok = {first};
  const std::string id = intake_.Submit(second, kStart).value().job->job_id;
  SubmitRequest third = To("c", "/runs/a");
  third.after_end = {id};
  EXPECT_TRUE(intake_.Submit(third, kStart).ok()) << "through the other";
  End(first, ReportStatus::kFailed);
  EXPECT_EQ(ReasonOf(intake_.Retry({"r-9", first}, kStart).status()), ErrorReason::kOutputInUse);
}

TEST_F(OutputInUseTest, ARestartedCoordinatorKnowsTheFolders) {
  const std::string first = Submit("a");
  Job stored_before = *jobs_.Get(first);
  stored_before.demand.output.clear();  // by a version that did not store these
  stored_before.demand.config_bytes = 0;
  jobs_.Put(stored_before).value();
  JobTable table(&store_);
  ASSERT_TRUE(table.Load().ok());
  JobIntake intake({}, &store_, &table, &counts_);
  ExpectInUse(intake.Submit(To("b", "/runs/a"), kStart).status(), first);
}

}  // namespace
}  // namespace fpo::coordinator
