#include "coordinator/rpc/worker_control_service.h"

#include <atomic>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/error_info.h"
#include "common/rpc/work_pool.h"
#include "common/wire/enums.h"
#include "coordinator/core/store/rocksdb_job_store.h"
#include "coordinator/rpc/convert.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/rpc/test_server.h"

namespace fpo::coordinator {
namespace {

using Kind = pb::CoordinatorMessage;

class WorkerControlServiceTest : public ::testing::Test {
 protected:
  WorkerControlServiceTest() { server_.Start(); }
  std::unique_ptr<ScriptedWorker> Dial(const WorkerHello& hello) {
    return std::make_unique<ScriptedWorker>(&server_.user().worker(), hello);
  }
  // Takes the next assignment up to RUNNING.
  pb::AttemptRef Run(ScriptedWorker* worker) {
    const pb::AttemptRef ref = worker->Await(Kind::kAssign).assign().attempt();
    worker->Report(ref, pb::AttemptReport::STATUS_ACCEPTED);
    worker->Report(ref, pb::AttemptReport::STATUS_RUNNING);
    EXPECT_TRUE(server_.user().Reaches(ref.job_id(), pb::JOB_STATE_RUNNING));
    return ref;
  }
  std::string WorkerState() {
    pb::ListWorkersResponse response;
    (void)server_.user().Call(&pb::Coordinator::Stub::ListWorkers, pb::ListWorkersRequest(),
                              &response);
    return response.workers_size() == 1 ? std::string(TextOf(response.workers(0).state())) : "";
  }

  TestServer server_;
};

TEST_F(WorkerControlServiceTest, WelcomesWithItsTimes) {
  auto worker = Dial(HelloOf("w1"));
  const pb::Welcome welcome = worker->Await(Kind::kWelcome).welcome();
  EXPECT_EQ(welcome.beat_interval_ms(), 100);
  EXPECT_EQ(welcome.lease_ms(), 10'000);
}

TEST_F(WorkerControlServiceTest, AnswersHeartbeats) {
  auto worker = Dial(HelloOf("w1"));
  pb::WorkerMessage heartbeat;
  heartbeat.mutable_beat()->set_seq(41);
  worker->Send(heartbeat);
  EXPECT_EQ(worker->Await(Kind::kBeatAck).beat_ack().seq(), 41u);
}

TEST_F(WorkerControlServiceTest, RunsAJobToItsResult) {
  const std::string id = server_.user().Submit("tiny");
  auto worker = Dial(HelloOf("w1"));
  const pb::Assign assign = worker->Await(Kind::kAssign).assign();
  EXPECT_EQ(assign.attempt().job_id(), id);
  EXPECT_EQ(assign.world_size(), 1);
  EXPECT_TRUE(ReadJobJson(assign.config_json()).ok()) << assign.config_json();
  worker->Report(assign.attempt(), pb::AttemptReport::STATUS_ACCEPTED);
  worker->Report(assign.attempt(), pb::AttemptReport::STATUS_RUNNING);
  worker->Event(assign.attempt(), 1, PhaseLine("train"));
  worker->Event(assign.attempt(), 2, CheckpointLine(5));
  worker->Report(assign.attempt(), pb::AttemptReport::STATUS_SUCCEEDED);
  ASSERT_TRUE(server_.user().Reaches(id, pb::JOB_STATE_SUCCEEDED));
  EXPECT_EQ(server_.user().Get(id).checkpoint_step(), 5);
  EXPECT_EQ(server_.user().Get(id).attempts(0).end_class(), pb::END_CLASS_DONE);
}

TEST_F(WorkerControlServiceTest, AcksAfterTheGroupCommit) {
  server_.user().Submit("tiny");
  auto worker = Dial(HelloOf("w1"));
  const pb::AttemptRef ref = Run(worker.get());
  worker->Log(ref, 1, {"a", "b", "c"});
  const pb::Ack ack = worker->Await(Kind::kAck).ack();
  EXPECT_EQ(ack.attempt().job_id(), ref.job_id());
  EXPECT_EQ(ack.logs_seq(), 3u);
}

TEST_F(WorkerControlServiceTest, CancelReachesTheWorker) {
  const std::string id = server_.user().Submit("tiny");
  auto worker = Dial(HelloOf("w1"));
  const pb::AttemptRef ref = Run(worker.get());
  pb::CancelJobRequest request;
  request.set_job_id(id);
  request.set_now(true);
  pb::CancelJobResponse response;
  ASSERT_TRUE(server_.user().Call(&pb::Coordinator::Stub::CancelJob, request, &response).ok());
  EXPECT_EQ(response.job().state(), pb::JOB_STATE_CANCELLING);
  const pb::Stop stop = worker->Await(Kind::kStop).stop();
  EXPECT_EQ(stop.grace_ms(), 0);
  worker->Report(ref, pb::AttemptReport::STATUS_STOPPED);
  EXPECT_TRUE(server_.user().Reaches(id, pb::JOB_STATE_CANCELLED));
}

TEST_F(WorkerControlServiceTest, AKilledTrainerIsAssignedAgainWithinSeconds) {
  const std::string id = server_.user().Submit("tiny");
  auto worker = Dial(HelloOf("w1"));
  const pb::AttemptRef ref = Run(worker.get());
  const absl::Time begin = absl::Now();
  worker->Report(ref, pb::AttemptReport::STATUS_FAILED, pb::END_CLASS_PROGRAM,
                 "killed by signal 9");
  const pb::Assign again = worker->Await(Kind::kAssign).assign();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(4));
  EXPECT_EQ(again.attempt().attempt(), 2);
  EXPECT_GT(again.attempt().epoch(), ref.epoch());
  EXPECT_TRUE(again.resume());
  EXPECT_EQ(server_.user().Get(id).restarts_used(), 1);
}

TEST_F(WorkerControlServiceTest, ABrokenStreamShowsLostAndTheSameProcessIsAdopted) {
  const std::string id = server_.user().Submit("tiny");
  auto worker = Dial(HelloOf("w1"));
  const pb::AttemptRef ref = Run(worker.get());
  worker->Break();
  EXPECT_TRUE(Eventually([&] { return WorkerState() == "lost"; }));
  EXPECT_EQ(server_.user().Get(id).state(), pb::JOB_STATE_RUNNING);
  worker = Dial(HelloOf("w1", 1, {FromProto(ref)}));
  const pb::Welcome welcome = worker->Await(Kind::kWelcome).welcome();
  ASSERT_EQ(welcome.adopt_size(), 1);
  EXPECT_EQ(welcome.adopt(0).epoch(), ref.epoch());
  EXPECT_EQ(server_.user().Get(id).attempts_size(), 1);
}

TEST_F(WorkerControlServiceTest, ANewProcessTakesOverAndItsLostAttemptRunsAgain) {
  const std::string id = server_.user().Submit("tiny");
  auto old_worker = Dial(HelloOf("w1"));
  const pb::AttemptRef ref = Run(old_worker.get());
  WorkerHello hello = HelloOf("w1");
  hello.instance_id = "new-process";
  old_worker->Break();
  EXPECT_TRUE(Eventually([&] { return WorkerState() == "lost"; }));
  auto worker = Dial(hello);
  const pb::Assign again = worker->Await(Kind::kAssign).assign();
  EXPECT_EQ(again.attempt().job_id(), id);
  EXPECT_GT(again.attempt().epoch(), ref.epoch());
  EXPECT_EQ(server_.user().Get(id).restarts_used(), 0) << "infrastructure is not counted";
}

TEST_F(WorkerControlServiceTest, AnotherAgentOfALiveNameIsRefusedWithWhoHasIt) {
  WorkerHello first = HelloOf("w1");
  first.work_dir = "/srv/a";
  first.home_id = "a";
  const std::string id = server_.user().Submit("tiny");
  auto worker = Dial(first);
  Run(worker.get());
  WorkerHello second = HelloOf("w1");
  second.instance_id = "second";
  second.home_id = "b";
  absl::Status refused;
  EXPECT_TRUE(Eventually([&] {  // on a busy machine the heartbeat may be an old one already
    pb::WorkerMessage heartbeat;
    heartbeat.mutable_beat()->set_seq(1);
    worker->Send(heartbeat);
    worker->Await(Kind::kBeatAck);
    refused = Dial(second)->Finish();
    return ReasonOf(refused) == ErrorReason::kWorkerNameTaken;
  }));
  EXPECT_EQ(refused.message(), "worker w1 is connected from host-w1 (work dir /srv/a); use --name");
  EXPECT_EQ(server_.user().Get(id).state(), pb::JOB_STATE_RUNNING);
}

TEST_F(WorkerControlServiceTest, ASilentSessionIsReplacedByTheRestartedAgent) {
  auto old_worker = Dial(HelloOf("w1"));
  old_worker->Await(Kind::kWelcome);
  WorkerHello hello = HelloOf("w1");
  hello.instance_id = "new-process";
  std::unique_ptr<ScriptedWorker> worker;
  EXPECT_TRUE(Eventually([&] {  // unknown for three heartbeats
    worker = Dial(hello);
    return worker->Await(Kind::kWelcome).has_welcome();
  }));
  EXPECT_EQ(ReasonOf(old_worker->Finish()), ErrorReason::kWorkerReplaced);
}

TEST_F(WorkerControlServiceTest, StaleReportsChangeNothingButTheirLogsAreKept) {
  const std::string id = server_.user().Submit("tiny");
  auto worker = Dial(HelloOf("w1"));
  const pb::AttemptRef old_ref = Run(worker.get());
  worker->Report(old_ref, pb::AttemptReport::STATUS_FAILED, pb::END_CLASS_INFRASTRUCTURE,
                 "preflight");
  const pb::AttemptRef ref = Run(worker.get());
  worker->Report(old_ref, pb::AttemptReport::STATUS_SUCCEEDED);
  worker->Event(old_ref, 1, CheckpointLine(999));
  worker->Log(old_ref, 1, {"last words"});
  worker->Await(Kind::kAck);
  EXPECT_EQ(server_.user().Get(id).state(), pb::JOB_STATE_RUNNING);
  EXPECT_EQ(server_.user().Get(id).checkpoint_step(), 0);
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(10));
  pb::LogsRequest request;
  request.set_job_id(id);
  request.set_attempt(old_ref.attempt());
  auto stream = server_.user().stub().Logs(&context, request);
  pb::LogsResponse lines;
  ASSERT_TRUE(stream->Read(&lines));
  EXPECT_EQ(lines.lines(0).text(), "last words");
  context.TryCancel();
}

TEST_F(WorkerControlServiceTest, TheFirstMessageMustBeHello) {
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(10));
  auto stream = server_.user().worker().Session(&context);
  pb::WorkerMessage heartbeat;
  heartbeat.mutable_beat()->set_seq(1);
  stream->Write(heartbeat);
  pb::CoordinatorMessage message;
  EXPECT_FALSE(stream->Read(&message));
  EXPECT_EQ(ReasonOf(FromGrpcStatus(stream->Finish())), ErrorReason::kBadHello);
}

TEST_F(WorkerControlServiceTest, AnEmptyHelloIsRefused) {
  auto worker = Dial(WorkerHello{});
  EXPECT_EQ(ReasonOf(worker->Finish()), ErrorReason::kBadHello);
}

TEST_F(WorkerControlServiceTest, AnAgentMayLeave) {
  auto worker = Dial(HelloOf("w1"));
  worker->Await(Kind::kWelcome);
  EXPECT_TRUE(worker->Leave().ok());
  EXPECT_TRUE(Eventually([&] { return WorkerState() == "lost"; }));
}

TEST_F(WorkerControlServiceTest, AttemptsAreAdoptedAfterARestartOfTheServer) {
  const std::string id = server_.user().Submit("tiny");
  auto worker = Dial(HelloOf("w1"));
  const pb::AttemptRef ref = Run(worker.get());
  server_.Stop();
  EXPECT_EQ(worker->Finish().code(), absl::StatusCode::kUnavailable);
  server_.Start();
  EXPECT_EQ(server_.user().Get(id).state(), pb::JOB_STATE_RUNNING);
  worker = Dial(HelloOf("w1", 1, {FromProto(ref)}));
  EXPECT_EQ(worker->Await(Kind::kWelcome).welcome().adopt_size(), 1);
  worker->Report(ref, pb::AttemptReport::STATUS_SUCCEEDED);
  EXPECT_TRUE(server_.user().Reaches(id, pb::JOB_STATE_SUCCEEDED));
  EXPECT_EQ(server_.user().Get(id).attempts_size(), 1);
}

// Reads configurations as slowly as a test wants.
class SlowStore final : public KeyedJobStore {
 public:
  explicit SlowStore(const std::string& folder) : KeyedJobStore(*OpenEmptyJobFolder(folder)) {
    EXPECT_TRUE(CheckSchema().ok());
  }
  absl::Status CopyTo(const std::string&) const override { return absl::UnimplementedError(""); }
  absl::StatusOr<std::string> LoadConfig(const std::string& job_id) override {
    if (is_slow) {
      ++readers;
      go.WaitForNotification();
    }
    return KeyedJobStore::LoadConfig(job_id);
  }
  std::atomic<bool> is_slow = false;
  std::atomic<int> readers = 0;
  absl::Notification go;
};

TEST(SessionThreadsTest, NoCallOfAUserDelaysAHeartbeat) {
  const TempDir dir;
  CoordinatorConfig config;
  config.listen.listen = "127.0.0.1:0";
  config.listen.http = "";
  config.options.reattach = absl::ZeroDuration();
  auto owned = std::make_unique<SlowStore>(dir.path() + "/store");
  SlowStore* const store = owned.get();
  const auto server = *CoordinatorServer::Start(config, std::move(owned), {"0.0.0", "test"});
  TestUser user(server->grpc_address());
  const std::string id = user.Submit("tiny");
  ScriptedWorker worker(&user.worker(), HelloOf("w1"));
  worker.Await(Kind::kAssign);
  store->is_slow = true;
  std::vector<std::thread> calls;
  for (int i = 0; i < 12; ++i) {
    calls.emplace_back([&] {
      pb::GetJobRequest request;
      request.set_job_id(id);
      pb::GetJobResponse response;
      EXPECT_TRUE(user.Call(&pb::Coordinator::Stub::GetJob, request, &response).ok());
    });
  }
  while (store->readers < WorkPool::Options().threads) std::this_thread::yield();
  pb::WorkerMessage heartbeat;
  heartbeat.mutable_beat()->set_seq(41);
  worker.Send(heartbeat);
  EXPECT_EQ(worker.Await(Kind::kBeatAck).beat_ack().seq(), 41u);
  store->go.Notify();
  for (std::thread& call : calls) call.join();
}

}  // namespace
}  // namespace fpo::coordinator
