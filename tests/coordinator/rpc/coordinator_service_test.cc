#include "coordinator/rpc/coordinator_service.h"

#include <thread>

#include "common/error_info.h"
#include "common/job/job_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/rpc/test_server.h"

namespace fpo::coordinator {
namespace {

using Stub = pb::Coordinator::Stub;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CoordinatorServiceTest : public ::testing::Test {
 protected:
  CoordinatorServiceTest() { server_.Start(); }

  // The texts that a Logs call delivers.
  std::vector<std::string> ReadLogs(const pb::LogsRequest& request, absl::Status* status) {
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(30));
    auto stream = server_.user().stub().Logs(&context, request);
    std::vector<std::string> texts;
    pb::LogsResponse response;
    while (stream->Read(&response)) {
      for (const pb::LogLine& line : response.lines()) texts.push_back(line.text());
    }
    *status = FromGrpcStatus(stream->Finish());
    return texts;
  }
  // Runs the job on a worker up to RUNNING.
  pb::AttemptRef Run(ScriptedWorker* worker) {
    const pb::AttemptRef ref = worker->Await(pb::CoordinatorMessage::kAssign).assign().attempt();
    worker->Report(ref, pb::AttemptReport::STATUS_ACCEPTED);
    worker->Report(ref, pb::AttemptReport::STATUS_RUNNING);
    return ref;
  }

  TestServer server_;
};

TEST_F(CoordinatorServiceTest, SubmitGivesOneJobForOneRequest) {
  const std::string id = server_.user().Submit("tiny");
  EXPECT_EQ(id.rfind("j-", 0), 0u) << id;
  EXPECT_EQ(server_.user().Submit("tiny"), id);
  EXPECT_THAT(server_.user().Submit("other", "r-tiny"), HasSubstr("was used for another job"));
  EXPECT_EQ(server_.user().Get("tiny").job_id(), id);
  EXPECT_EQ(server_.user().Get(id).spec().owner(), "ada");
}

TEST_F(CoordinatorServiceTest, TheTraceOfASubmitIsKeptAndPassedToTheAgent) {
  const std::string trace_id(32, 'a');
  pb::SubmitRequest request;
  request.set_request_id("r-traced");
  request.mutable_spec()->set_config_json(ConfigJson("traced"));
  pb::SubmitResponse response;
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(30));
  context.AddMetadata("traceparent", "00-" + trace_id + "-00f067aa0ba902b7-01");
  ASSERT_TRUE(server_.user().stub().Submit(&context, request, &response).ok());
  EXPECT_EQ(server_.user().Get("traced").trace_id(), trace_id);
  ScriptedWorker worker(&server_.user().worker(), HelloOf("w1"));
  const std::string told = worker.Await(pb::CoordinatorMessage::kAssign).assign().traceparent();
  EXPECT_EQ(told.rfind("00-" + trace_id + "-", 0), 0u) << told;
  EXPECT_EQ(told.find("00f067aa0ba902b7"), std::string::npos) << "it is below the attempt's span";
}

// Tokens are the names.
class GuardedCoordinatorTest : public ::testing::Test {
 protected:
  GuardedCoordinatorTest() {
    AccessList list;
    const std::vector<Principal> people = {{"ana", Role::kUser},
                                           {"bob", Role::kUser},
                                           {"eve", Role::kReader},
                                           {"host-1", Role::kWorker},
                                           {"root", Role::kAdmin}};
    for (const Principal& each : people) {
      list.mutable_entries().push_back({.principal = each, .token_sha256 = Sha256Of(each.name)});
    }
    server_.Guard(list);
    server_.Start();
  }
  ErrorReason CancelReason(const std::string& who, const std::string& job) {
    pb::CancelJobRequest request;
    request.set_job_id(job);
    pb::CancelJobResponse response;
    return ReasonOf(server_.As(who)->Call(&pb::Coordinator::Stub::CancelJob, request, &response));
  }
  ErrorReason DrainReason(const std::string& who) {
    pb::SetWorkerModeRequest request;
    request.set_worker_id("w");
    pb::SetWorkerModeResponse response;
    return ReasonOf(
        server_.As(who)->Call(&pb::Coordinator::Stub::SetWorkerMode, request, &response));
  }

  TestServer server_;
};

TEST_F(GuardedCoordinatorTest, JobsBelongToThoseWhoSentThem) {
  const std::string id = server_.As("ana")->Submit("tiny");
  EXPECT_EQ(server_.As("eve")->Get(id).spec().owner(), "ana") << "not who the request names";
  EXPECT_EQ(CancelReason("bob", id), ErrorReason::kNotYours);
  EXPECT_EQ(CancelReason("eve", id), ErrorReason::kRole);
  EXPECT_EQ(CancelReason("", id), ErrorReason::kUnauthenticated);
  EXPECT_EQ(CancelReason("ana", id), ErrorReason::kUnspecified);
  const std::string other = server_.As("ana")->Submit("other");
  EXPECT_EQ(CancelReason("root", other), ErrorReason::kUnspecified);
  EXPECT_EQ(DrainReason("ana"), ErrorReason::kRole);
  EXPECT_NE(DrainReason("root"), ErrorReason::kRole);
}

TEST_F(GuardedCoordinatorTest, AWorkerHasTheNameOfItsToken) {
  const auto refusal = [&](const std::string& token, const std::string& name) {
    const auto user = server_.As(token);
    ScriptedWorker worker(&user->worker(), HelloOf(name));
    const auto welcome = pb::CoordinatorMessage::kWelcome;
    if (worker.Await(welcome).kind_case() == welcome) return ErrorReason::kUnspecified;
    return ReasonOf(worker.Finish());
  };
  EXPECT_EQ(refusal("host-1", "host-2"), ErrorReason::kNotYours);
  EXPECT_EQ(refusal("ana", "ana"), ErrorReason::kRole);
  EXPECT_EQ(refusal("host-1", "host-1"), ErrorReason::kUnspecified);
}

TEST_F(GuardedCoordinatorTest, ANameMeansTheCallersOwnJob) {
  const std::string mine = server_.As("ana")->Submit("train");
  pb::SubmitRequest request;
  request.set_request_id("r-2");
  JobConfig config = ReadJobJson(ConfigJson("train")).value();
  config.output = "/runs/of-bob";
  request.mutable_spec()->set_config_json(WriteJobJson(config));
  pb::SubmitResponse response;
  ASSERT_TRUE(server_.As("bob")->Call(&Stub::Submit, request, &response).ok());
  EXPECT_EQ(server_.As("ana")->Get("train").job_id(), mine) << "bob's is newer";
  EXPECT_EQ(server_.As("bob")->Get("train").job_id(), response.job_id());
  EXPECT_EQ(server_.As("eve")->Get("train").job_id(), response.job_id()) << "who has none";
  EXPECT_EQ(CancelReason("ana", "train"), ErrorReason::kUnspecified);
  EXPECT_EQ(server_.As("ana")->Get(mine).state(), pb::JOB_STATE_CANCELLED);
  EXPECT_EQ(server_.As("ana")->Get(response.job_id()).state(), pb::JOB_STATE_QUEUED);
}

TEST_F(GuardedCoordinatorTest, AUserAsksForNoHigherPriorityThanIsAllowed) {
  pb::SubmitRequest request;
  request.set_request_id("r-1");
  request.mutable_spec()->set_config_json(ConfigJson("high", 1, 501));
  pb::SubmitResponse response;
  EXPECT_EQ(ReasonOf(server_.As("ana")->Call(&Stub::Submit, request, &response)),
            ErrorReason::kBadPriority);
  EXPECT_TRUE(server_.As("root")->Call(&Stub::Submit, request, &response).ok());
  const std::string id = server_.As("ana")->Submit("tiny");
  const auto raise = [&](const std::string& who) {
    pb::SetPriorityRequest change;
    change.set_job_id(id);
    change.set_priority(900);
    pb::ChangeJobResponse changed;
    return ReasonOf(server_.As(who)->Call(&Stub::SetPriority, change, &changed));
  };
  EXPECT_EQ(raise("ana"), ErrorReason::kBadPriority);
  EXPECT_EQ(raise("root"), ErrorReason::kUnspecified);
}

TEST_F(GuardedCoordinatorTest, ChangesAndRefusalsAreAudited) {
  const std::string id = server_.As("ana")->Submit("tiny");
  server_.As("ana")->Get(id);
  CancelReason("bob", id);
  CancelReason("", id);
  CancelReason("ana", id);
  DrainReason("eve");
  const auto entries = [&](const std::string& who, const std::string& target) {
    pb::ListAuditRequest request;
    request.set_target(target);
    pb::ListAuditResponse response;
    const absl::Status status = server_.As(who)->Call(&Stub::ListAudit, request, &response);
    if (!status.ok())
      return std::vector<std::string>{std::string(ErrorReasonName(ReasonOf(status)))};
    std::vector<std::string> lines;
    for (const pb::AuditEntry& e : response.entries()) {
      lines.push_back(e.who() + " " + e.method() + " " + e.result());
    }
    return lines;
  };
  EXPECT_THAT(entries("ana", ""), ElementsAre("ROLE"));
  EXPECT_THAT(entries("root", id),
              ElementsAre("ana CancelJob OK", HasSubstr("CancelJob UNAUTHENTICATED"),
                          "bob CancelJob PERMISSION_DENIED", "ana Submit OK"));
  EXPECT_THAT(entries("root", "w"), ElementsAre(HasSubstr("SetWorkerMode PERMISSION_DENIED")));
  EXPECT_THAT(entries("root", ""), ::testing::Contains(HasSubstr("ListAudit PERMISSION_DENIED")));
  server_.Stop();
  server_.Start();
  EXPECT_EQ(entries("root", id).size(), 4u) << "kept over restarts";
}

TEST_F(GuardedCoordinatorTest, ResultsGoToTheirOwnersAndComeFromWorkers) {
  const std::string id = server_.As("ana")->Submit("tiny");
  for (const auto& [who, reason] : {std::pair("", ErrorReason::kUnauthenticated),
                                    {"eve", ErrorReason::kRole},
                                    {"bob", ErrorReason::kNotYours},
                                    {"ana", ErrorReason::kNoResult},
                                    {"root", ErrorReason::kNoResult}}) {
    pb::ReadArtifactRequest request;
    request.set_job_id(id);
    const auto user = server_.As(who);
    grpc::ClientContext context;
    const auto reader = user->stub().ReadArtifact(&context, request);
    pb::ReadArtifactResponse answer;
    EXPECT_FALSE(reader->Read(&answer));
    EXPECT_EQ(ReasonOf(FromGrpcStatus(reader->Finish())), reason) << who;
  }
  for (const auto& [who, reason] :
       {std::pair("ana", ErrorReason::kRole), {"host-1", ErrorReason::kUnknownTransfer}}) {
    const auto user = server_.As(who);
    grpc::ClientContext context;
    pb::PushArtifactResponse response;
    const auto writer = user->worker().PushArtifact(&context, &response);
    writer->Write(pb::PushArtifactRequest());
    writer->WritesDone();
    EXPECT_EQ(ReasonOf(FromGrpcStatus(writer->Finish())), reason) << who;
  }
}

TEST_F(GuardedCoordinatorTest, StreamsAndAgentsAreAskedToo) {
  for (const auto& [who, reason] : {std::pair("", ErrorReason::kUnauthenticated),
                                    {"ana", ErrorReason::kRole},
                                    {"root", ErrorReason::kUnspecified},
                                    {"host-1", ErrorReason::kUnspecified}}) {
    const auto user = server_.As(who);
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(20));
    const auto session = user->worker().Session(&context);
    session->WritesDone();
    pb::CoordinatorMessage message;
    while (session->Read(&message)) {
    }
    const ErrorReason got = ReasonOf(FromGrpcStatus(session->Finish()));
    EXPECT_EQ(got == ErrorReason::kUnauthenticated || got == ErrorReason::kRole
                  ? got
                  : ErrorReason::kUnspecified,
              reason)
        << who;
  }
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(20));
  const auto nobody = server_.As("");
  const auto watch = nobody->stub().WatchJob(&context, pb::WatchJobRequest());
  pb::WatchJobResponse response;
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(ReasonOf(FromGrpcStatus(watch->Finish())), ErrorReason::kUnauthenticated);
}

TEST_F(CoordinatorServiceTest, ACallWithoutDeadlineIsRefused) {
  grpc::ClientContext context;
  pb::GetJobResponse response;
  const absl::Status status = FromGrpcStatus(server_.user().stub().GetJob(&context, {}, &response));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kNoDeadline) << status;
}

TEST_F(CoordinatorServiceTest, ErrorsCarryTheirReason) {
  pb::GetJobRequest request;
  request.set_job_id("nobody");
  pb::GetJobResponse response;
  const absl::Status status = server_.user().Call(&Stub::GetJob, request, &response);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kJobNotFound);
  pb::SubmitResponse submitted;
  pb::SubmitRequest bad;
  bad.set_request_id("r");
  bad.mutable_spec()->set_config_json("{}");
  EXPECT_EQ(ReasonOf(server_.user().Call(&Stub::Submit, bad, &submitted)),
            ErrorReason::kInvalidJob);
}

TEST_F(CoordinatorServiceTest, ValidateStoresNothing) {
  pb::ValidateRequest request;
  request.mutable_spec()->set_config_json(ConfigJson("tiny"));
  pb::ValidateResponse response;
  ASSERT_TRUE(server_.user().Call(&Stub::Validate, request, &response).ok());
  EXPECT_EQ(response.problems_size(), 0) << response.DebugString();
  request.mutable_spec()->set_config_json(R"({"nonsense":1})");
  ASSERT_TRUE(server_.user().Call(&Stub::Validate, request, &response).ok());
  EXPECT_GT(response.problems_size(), 0);
  pb::ListJobsResponse list;
  ASSERT_TRUE(server_.user().Call(&Stub::ListJobs, pb::ListJobsRequest(), &list).ok());
  EXPECT_EQ(list.jobs_size(), 0);
}

TEST_F(CoordinatorServiceTest, ListsPages) {
  for (const char* name : {"a", "b", "c"}) server_.user().Submit(name);
  pb::ListJobsRequest request;
  request.set_page_size(2);
  pb::ListJobsResponse first, second;
  ASSERT_TRUE(server_.user().Call(&Stub::ListJobs, request, &first).ok());
  request.set_page_token(first.next_page_token());
  ASSERT_TRUE(server_.user().Call(&Stub::ListJobs, request, &second).ok());
  ASSERT_EQ(first.jobs_size(), 2);
  ASSERT_EQ(second.jobs_size(), 1);
  EXPECT_EQ(first.jobs(0).name(), "c");
  EXPECT_EQ(second.jobs(0).name(), "a");
  EXPECT_GT(first.revision(), 0u);
  request.add_states(static_cast<pb::JobState>(77));
  EXPECT_FALSE(server_.user().Call(&Stub::ListJobs, request, &second).ok());
}

TEST_F(CoordinatorServiceTest, WatchEndsAfterTheTerminalState) {
  const std::string id = server_.user().Submit("tiny");
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(30));
  pb::WatchJobRequest request;
  request.set_job_id("tiny");
  auto stream = server_.user().stub().WatchJob(&context, request);
  pb::WatchJobResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.job().state(), pb::JOB_STATE_QUEUED);
  pb::CancelJobRequest cancel;
  cancel.set_job_id(id);
  pb::CancelJobResponse cancelled;
  ASSERT_TRUE(server_.user().Call(&Stub::CancelJob, cancel, &cancelled).ok());
  EXPECT_EQ(cancelled.job().state(), pb::JOB_STATE_CANCELLED);
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(response.job().state(), pb::JOB_STATE_CANCELLED);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(CoordinatorServiceTest, WatchOfNobodyIsNotFound) {
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(30));
  pb::WatchJobRequest request;
  request.set_job_id("nobody");
  auto stream = server_.user().stub().WatchJob(&context, request);
  pb::WatchJobResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(ReasonOf(FromGrpcStatus(stream->Finish())), ErrorReason::kJobNotFound);
}

TEST_F(CoordinatorServiceTest, LogsFollowUntilTheJobIsOver) {
  server_.user().Submit("tiny");
  ScriptedWorker worker(&server_.user().worker(), HelloOf("w1"));
  const pb::AttemptRef ref = Run(&worker);
  worker.Log(ref, 1, {"one", "two"});
  worker.Await(pb::CoordinatorMessage::kAck);
  pb::LogsRequest request;
  request.set_job_id("tiny");
  absl::Status status;
  EXPECT_THAT(ReadLogs(request, &status), ElementsAre("one", "two"));
  EXPECT_TRUE(status.ok()) << status;
  request.set_tail(1);
  EXPECT_THAT(ReadLogs(request, &status), ElementsAre("two"));

  request.set_tail(0);
  request.set_follow(true);
  std::vector<std::string> followed;
  std::thread reader([&] { followed = ReadLogs(request, &status); });
  worker.Log(ref, 3, {"three"});
  worker.Report(ref, pb::AttemptReport::STATUS_SUCCEEDED);
  worker.Log(ref, 4, {"behind the report"});
  reader.join();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(followed, ElementsAre("one", "two", "three", "behind the report"));
}

TEST_F(CoordinatorServiceTest, LogsOfNobodyAreNotFound) {
  pb::LogsRequest request;
  request.set_job_id("nobody");
  absl::Status status;
  EXPECT_TRUE(ReadLogs(request, &status).empty());
  EXPECT_EQ(ReasonOf(status), ErrorReason::kJobNotFound);
}

TEST_F(CoordinatorServiceTest, EventsComeFromACursor) {
  const std::string id = server_.user().Submit("tiny");
  ScriptedWorker worker(&server_.user().worker(), HelloOf("w1"));
  const pb::AttemptRef ref = Run(&worker);
  worker.Event(ref, 1, PhaseLine("train"));
  worker.Event(ref, 2, StepLine(3, 10, 0.5));
  ASSERT_TRUE(Eventually([&] { return server_.user().Get(id).progress().step() == 3; }));
  pb::EventsRequest request;
  request.set_job_id(id);
  request.set_after(1);
  pb::EventsResponse response;
  ASSERT_TRUE(server_.user().Call(&Stub::Events, request, &response).ok());
  ASSERT_EQ(response.events_size(), 1);
  EXPECT_EQ(response.events(0).cursor(), 2u);
  EXPECT_EQ(response.events(0).json(), StepLine(3, 10, 0.5));
  request.set_job_id("nobody");
  EXPECT_FALSE(server_.user().Call(&Stub::Events, request, &response).ok());
}

TEST_F(CoordinatorServiceTest, JobsAreHeldReleasedPausedAndResumed) {
  const std::string id = server_.user().Submit("tiny");
  pb::ChangeJobRequest request;
  request.set_job_id("tiny");
  pb::ChangeJobResponse response;
  ASSERT_TRUE(server_.user().Call(&Stub::HoldJob, request, &response).ok());
  EXPECT_EQ(response.job().state(), pb::JOB_STATE_HELD);
  ASSERT_TRUE(server_.user().Call(&Stub::ReleaseJob, request, &response).ok());
  EXPECT_EQ(ReasonOf(server_.user().Call(&Stub::PauseJob, request, &response)),
            ErrorReason::kIllegalTransition);
  ScriptedWorker worker(&server_.user().worker(), HelloOf("w1"));
  const pb::AttemptRef ref = Run(&worker);
  ASSERT_TRUE(server_.user().Reaches(id, pb::JOB_STATE_RUNNING));
  ASSERT_TRUE(server_.user().Call(&Stub::PauseJob, request, &response).ok());
  EXPECT_EQ(response.job().state(), pb::JOB_STATE_PAUSING);
  EXPECT_GT(worker.Await(pb::CoordinatorMessage::kStop).stop().grace_ms(), 0);
  worker.Report(ref, pb::AttemptReport::STATUS_STOPPED);
  ASSERT_TRUE(server_.user().Reaches(id, pb::JOB_STATE_PAUSED));
  pb::ExplainJobRequest explain;
  explain.set_job_id(id);
  pb::ExplainJobResponse why;
  ASSERT_TRUE(server_.user().Call(&Stub::ExplainJob, explain, &why).ok());
  EXPECT_EQ(why.word(), "paused");
  EXPECT_EQ(why.state(), pb::JOB_STATE_PAUSED);
  ASSERT_TRUE(server_.user().Call(&Stub::ResumeJob, request, &response).ok());
  request.set_job_id("nobody");
  EXPECT_EQ(ReasonOf(server_.user().Call(&Stub::ResumeJob, request, &response)),
            ErrorReason::kJobNotFound);
}

TEST_F(CoordinatorServiceTest, PriorityIsCheckedAndTheQueueFollowsIt) {
  server_.user().Submit("first");
  const std::string second = server_.user().Submit("second");
  pb::SetPriorityRequest request;
  request.set_job_id(second);
  request.set_priority(1001);
  pb::ChangeJobResponse response;
  EXPECT_EQ(ReasonOf(server_.user().Call(&Stub::SetPriority, request, &response)),
            ErrorReason::kBadPriority);
  request.set_priority(900);
  ASSERT_TRUE(server_.user().Call(&Stub::SetPriority, request, &response).ok());
  pb::QueueResponse queue;
  ASSERT_TRUE(server_.user().Call(&Stub::Queue, pb::QueueRequest(), &queue).ok());
  ASSERT_EQ(queue.waiting_size(), 2);
  EXPECT_EQ(queue.waiting(0).job().job_id(), second);
}

TEST_F(CoordinatorServiceTest, CheckpointsAreListedAndAFailedJobIsTriedAgainFromOne) {
  const std::string id = server_.user().Submit("tiny");
  ScriptedWorker worker(&server_.user().worker(), HelloOf("w1"));
  const pb::AttemptRef ref = Run(&worker);
  worker.Event(ref, 1, CheckpointLine(10));
  worker.Event(ref, 2, StepLine(11, 20, 0.5));
  worker.Report(ref, pb::AttemptReport::STATUS_FAILED, pb::END_CLASS_INVALID, "bad row");
  ASSERT_TRUE(server_.user().Reaches(id, pb::JOB_STATE_FAILED));
  pb::ListCheckpointsRequest list;
  list.set_job_id(id);
  pb::ListCheckpointsResponse checkpoints;
  ASSERT_TRUE(server_.user().Call(&Stub::ListCheckpoints, list, &checkpoints).ok());
  ASSERT_EQ(checkpoints.checkpoints_size(), 1);
  EXPECT_EQ(checkpoints.checkpoints(0).step(), 10);

  pb::PinCheckpointRequest pin;
  pin.set_job_id(id);
  pin.set_step(10);
  pin.set_pinned(true);
  pb::PinCheckpointResponse pinned;
  ASSERT_TRUE(server_.user().Call(&Stub::PinCheckpoint, pin, &pinned).ok());
  EXPECT_TRUE(pinned.checkpoint().pinned());
  EXPECT_EQ(worker.Await(pb::CoordinatorMessage::kKeepCheckpoints).keep_checkpoints().pin_size(),
            1);
  pb::GcCheckpointsRequest gc;
  gc.set_job_id(id);
  pb::GcCheckpointsResponse decided;
  ASSERT_TRUE(server_.user().Call(&Stub::GcCheckpoints, gc, &decided).ok());
  EXPECT_EQ(decided.decisions(0).why(), "pinned");

  pb::MetricsRequest metrics;
  metrics.set_job_id(id);
  pb::MetricsResponse series;
  ASSERT_TRUE(server_.user().Call(&Stub::Metrics, metrics, &series).ok());
  EXPECT_EQ(series.series(0).values(0), 0.5);

  pb::RetryJobRequest retry;
  retry.set_request_id("again");
  retry.set_job_id(id);
  pb::SubmitResponse made;
  ASSERT_TRUE(server_.user().Call(&Stub::RetryJob, retry, &made).ok());
  EXPECT_EQ(worker.Await(pb::CoordinatorMessage::kAssign).assign().discard_after_step(), 10);
  EXPECT_EQ(server_.user().Get(made.job_id()).retry_of(), id);
}

TEST_F(CoordinatorServiceTest, WorkersAreClosedAndOpened) {
  ScriptedWorker worker(&server_.user().worker(), HelloOf("w1"));
  worker.Await(pb::CoordinatorMessage::kWelcome);
  pb::SetWorkerModeRequest request;
  request.set_worker_id("w1");
  request.set_mode(pb::SetWorkerModeRequest::MODE_CORDON);
  pb::SetWorkerModeResponse response;
  ASSERT_TRUE(server_.user().Call(&Stub::SetWorkerMode, request, &response).ok());
  EXPECT_EQ(response.worker().state(), pb::WORKER_STATE_CORDONED);
  request.set_worker_id("w9");
  EXPECT_EQ(ReasonOf(server_.user().Call(&Stub::SetWorkerMode, request, &response)),
            ErrorReason::kWorkerNotFound);
}

TEST_F(CoordinatorServiceTest, AModeThatIsNotSaidOpensNoWorker) {
  ScriptedWorker worker(&server_.user().worker(), HelloOf("w1"));
  worker.Await(pb::CoordinatorMessage::kWelcome);
  pb::SetWorkerModeRequest drain;
  drain.set_worker_id("w1");
  drain.set_mode(pb::SetWorkerModeRequest::MODE_DRAIN);
  pb::SetWorkerModeResponse response;
  ASSERT_TRUE(server_.user().Call(&Stub::SetWorkerMode, drain, &response).ok());
  pb::SetWorkerModeRequest empty;
  empty.set_worker_id("w1");
  const absl::Status status = server_.user().Call(&Stub::SetWorkerMode, empty, &response);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(ReasonOf(status), ErrorReason::kBadMode);
  pb::ListWorkersResponse workers;
  ASSERT_TRUE(server_.user().Call(&Stub::ListWorkers, pb::ListWorkersRequest(), &workers).ok());
  EXPECT_EQ(workers.workers(0).state(), pb::WORKER_STATE_DRAINED) << "it must not be open again";
}

TEST_F(CoordinatorServiceTest, OnlyLostWorkersAreForgotten) {
  ScriptedWorker worker(&server_.user().worker(), HelloOf("w1"));
  worker.Await(pb::CoordinatorMessage::kWelcome);
  pb::ForgetWorkerRequest request;
  request.set_worker_id("w1");
  pb::ForgetWorkerResponse response;
  EXPECT_EQ(ReasonOf(server_.user().Call(&Stub::ForgetWorker, request, &response)),
            ErrorReason::kWorkerConnected);
  request.set_worker_id("w9");
  EXPECT_EQ(ReasonOf(server_.user().Call(&Stub::ForgetWorker, request, &response)),
            ErrorReason::kWorkerNotFound);
  pb::ListAuditResponse audit;
  ASSERT_TRUE(server_.user().Call(&Stub::ListAudit, pb::ListAuditRequest(), &audit).ok());
  ASSERT_EQ(audit.entries_size(), 2);
  EXPECT_EQ(audit.entries(0).method(), "ForgetWorker");
  EXPECT_EQ(audit.entries(0).target(), "w9");
  EXPECT_EQ(audit.entries(0).result(), "NOT_FOUND");
}

TEST_F(CoordinatorServiceTest, WorkersAreListed) {
  ScriptedWorker worker(&server_.user().worker(), HelloOf("w1", 4));
  worker.Await(pb::CoordinatorMessage::kWelcome);
  pb::ListWorkersResponse response;
  ASSERT_TRUE(server_.user().Call(&Stub::ListWorkers, pb::ListWorkersRequest(), &response).ok());
  ASSERT_EQ(response.workers_size(), 1);
  EXPECT_EQ(response.workers(0).slots(), 4);
  EXPECT_EQ(response.workers(0).state(), pb::WORKER_STATE_READY);
}

TEST_F(CoordinatorServiceTest, ShutdownEndsEveryStreamQuickly) {
  server_.user().Submit("tiny");
  ScriptedWorker worker(&server_.user().worker(), HelloOf("w1", 1));
  worker.Log(Run(&worker), 1, {"a line"});
  grpc::ClientContext watch_context, logs_context;
  pb::WatchJobRequest watch;
  watch.set_job_id("tiny");
  auto watching = server_.user().stub().WatchJob(&watch_context, watch);
  pb::WatchJobResponse job;
  ASSERT_TRUE(watching->Read(&job));
  pb::LogsRequest logs;
  logs.set_job_id("tiny");
  logs.set_follow(true);
  auto following = server_.user().stub().Logs(&logs_context, logs);
  pb::LogsResponse lines;
  ASSERT_TRUE(following->Read(&lines));
  const absl::Time begin = absl::Now();
  std::thread stop([&] { server_.Stop(); });
  while (watching->Read(&job)) {
  }
  while (following->Read(&lines)) {
  }
  EXPECT_EQ(watching->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(following->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(worker.Finish().code(), absl::StatusCode::kUnavailable);
  stop.join();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(4)) << "the grace time is for calls, not streams";
}

}  // namespace
}  // namespace fpo::coordinator
