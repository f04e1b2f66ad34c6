#include "worker/rpc/grpc_coordinator_link.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/error_info.h"
#include "common/rpc/server.h"
#include "common/waits/steady_wait.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"
#include "tests/worker/rpc/fake_worker_control.h"

namespace fpo::worker {
namespace {

namespace pb = fpo::v1;
using fpo::testing::FakeWorkerControl;
using fpo::testing::Welcome;
using Stream = FakeWorkerControl::Stream;

// Writes down what the client tells it. Thread-safe.
class FakeListener final : public CoordinatorListener {
 public:
  std::vector<AttemptRef> RunningAttempts() override { return {{"job", 1, 2}}; }
  void OnConnected(const std::vector<AttemptRef>& kill, absl::Duration lease) override {
    Note("connected kill=" + std::to_string(kill.size()) + " lease=" + absl::FormatDuration(lease));
  }
  void OnStillAway() override {}
  bool IsIdle() override { return idle; }
  void OnWrongStore(const std::string& why) override { Note("wrong store: " + why); }
  void OnRefused(const std::string& why) override { Note("refused " + why); }
  void OnCheckpointOrder(const KeepCheckpointsCommand&) override {}
  void OnDisconnected() override { Note("disconnected"); }
  void OnAssign(const AssignCommand& assignment) override {
    Note("assign " + AttemptName(assignment.attempt));
  }
  void OnStop(const AttemptRef& attempt, absl::Duration grace, const std::string& why) override {
    Note("stop " + AttemptName(attempt) + " " + absl::FormatDuration(grace) + " " + why);
  }
  void OnAck(const AttemptRef& attempt, uint64_t events_seq, uint64_t logs_seq) override {
    Note("ack " + AttemptName(attempt) + " " + std::to_string(events_seq) + " " +
         std::to_string(logs_seq));
  }
  void OnResendLogs(const AttemptRef& attempt, uint64_t from_seq) override {
    Note("resend " + AttemptName(attempt) + " " + std::to_string(from_seq));
  }
  void OnDismissed() override { Note("dismissed"); }
  void OnHeartbeatSent(uint64_t) override {}
  void OnHeartbeatAnswered(uint64_t seq, absl::Time sent) override {
    EXPECT_LE(sent, absl::Now());
    Note("answered " + std::to_string(seq));
  }
  std::optional<Outgoing> Next(absl::Duration patience) override {
    absl::MutexLock lock(&mutex_);
    const auto ready = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !outgoing_.empty(); };
    if (!AwaitFor(&mutex_, absl::Condition(&ready), patience)) return std::nullopt;
    Outgoing next = std::move(outgoing_.front());
    outgoing_.pop_front();
    return next;
  }

  std::atomic<bool> idle = true;

  void Say(Outgoing outgoing) {
    absl::MutexLock lock(&mutex_);
    outgoing_.push_back(std::move(outgoing));
  }
  // Waits until something like this was noted; false after 20 s.
  bool Await(const std::string& note, int times = 1) {
    const auto noted = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return std::count(notes_.begin(), notes_.end(), note) >= times;
    };
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&noted), absl::Seconds(20));
  }

 private:
  void Note(const std::string& text) {
    absl::MutexLock lock(&mutex_);
    notes_.push_back(text);
  }
  absl::Mutex mutex_;
  std::vector<std::string> notes_ ABSL_GUARDED_BY(mutex_);
  std::deque<Outgoing> outgoing_ ABSL_GUARDED_BY(mutex_);
};

class GrpcCoordinatorLinkTest : public ::testing::Test {
 protected:
  GrpcCoordinatorLinkTest() { StartServer("127.0.0.1:0"); }

  void StartServer(const std::string& address) {
    RpcServerOptions options;
    options.listen = address;
    options.services = {{pb::WorkerControl::service_full_name(), &coordinator_}};
    auto server = RpcServer::Start(std::move(options));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::unique_ptr<GrpcCoordinatorLink> Start() {
    return *GrpcCoordinatorLink::Start(MakeOptions(), &listener_);
  }
  GrpcCoordinatorLink::Options MakeOptions() {
    GrpcCoordinatorLink::Options options;
    options.address = server_->address();
    options.hello.worker_id = "w1";
    options.hello.instance_id = "i1";
    options.hello.host = "h1";
    options.hello.version = "1";
    options.hello.slots = 2;
    options.hello.device = DeviceKind::kCpu;
    options.hello.home_id = "home";
    options.hello.boot_id = "boot";
    options.store = store_.get();
    options.backoff_first = absl::Milliseconds(5);
    options.backoff_most = absl::Milliseconds(20);
    options.welcome_time = absl::Milliseconds(300);
    options.on_refused = [this](const absl::Status& status) {
      refusal_ = status;
      refused_.Notify();
    };
    return options;
  }
  // Reads until the stream ends, answering heartbeats if asked to.
  static void Serve(Stream* stream, bool answer_heartbeats) {
    for (pb::WorkerMessage message; stream->Read(&message);) {
      if (!answer_heartbeats || !message.has_beat()) continue;
      pb::CoordinatorMessage ack;
      ack.mutable_beat_ack()->set_seq(message.beat().seq());
      stream->Write(ack);
    }
  }

  fpo::testing::TempFolder folder_;
  std::unique_ptr<KnownStore> store_ = KnownStore::Open(folder_.path()).value();
  FakeWorkerControl coordinator_;
  FakeListener listener_;
  std::unique_ptr<RpcServer> server_;
  absl::Status refusal_;
  absl::Notification refused_;
};

struct FinalCase {
  absl::Status status;
  const char* says;
};

TEST_F(GrpcCoordinatorLinkTest, WhatWaitingDoesNotMendEndsTheDialling) {
  const FinalCase cases[] = {
      {WithErrorInfo(absl::AlreadyExistsError("worker w1 is connected from h2; use --name"),
                     {.reason = ErrorReason::kWorkerNameTaken}),
       "use --name"},
      {WithErrorInfo(absl::FailedPreconditionError("another agent took the name"),
                     {.reason = ErrorReason::kWorkerReplaced}),
       "took the name"},
      {WithErrorInfo(absl::InvalidArgumentError("hello: its slots"),
                     {.reason = ErrorReason::kBadHello}),
       "its slots"},
      {WithErrorInfo(absl::UnauthenticatedError("no such token"),
                     {.reason = ErrorReason::kUnauthenticated}),
       "does not take this worker: no such token"},
      {WithErrorInfo(absl::PermissionDeniedError("ana has the role user"),
                     {.reason = ErrorReason::kRole}),
       "does not take this worker: ana has the role user"},
      {absl::UnimplementedError("no such method"), "is not an fpo-coordinator"}};
  for (const FinalCase& one : cases) {
    coordinator_.Refuse(one.status);
    absl::Notification refused;
    GrpcCoordinatorLink::Options options = MakeOptions();
    options.on_refused = [&](const absl::Status& status) {
      refusal_ = status;
      refused.Notify();
    };
    const auto client = *GrpcCoordinatorLink::Start(options, &listener_);
    ASSERT_TRUE(refused.WaitForNotificationWithTimeout(absl::Seconds(20))) << one.status;
    EXPECT_THAT(std::string(refusal_.message()), ::testing::HasSubstr(one.says));
    EXPECT_TRUE(listener_.Await("refused " + std::string(refusal_.message())));
  }
}

TEST_F(GrpcCoordinatorLinkTest, ACoordinatorWithAnotherStoreIsNotObeyed) {
  store_->Saw({"right", 5});
  std::atomic<int> named = 0;
  for (const StoreMark& mark :
       {StoreMark{"wrong", 9}, StoreMark{"right", 4}, StoreMark{"right", 6}}) {
    coordinator_.Play([&, mark](Stream* stream) {
      pb::WorkerMessage first;
      stream->Read(&first);
      named += first.hello().store_id() == "right" && first.hello().store_revision() == 5;
      pb::CoordinatorMessage message;
      message.mutable_welcome()->set_lease_ms(5000);
      message.mutable_welcome()->set_beat_interval_ms(20);
      message.mutable_welcome()->set_store_id(mark.id);
      message.mutable_welcome()->set_store_revision(mark.revision);
      stream->Write(message);
      Serve(stream, true);
    });
  }
  {
    const auto link = Start();
    EXPECT_TRUE(listener_.Await(
        "wrong store: the coordinator has the jobs' store wrong, and this worker works for store "
        "right"));
    EXPECT_TRUE(listener_.Await(
        "wrong store: the coordinator has an older copy of the jobs' store: it ends at revision 4, "
        "and this worker has seen 5"));
    EXPECT_TRUE(listener_.Await("connected kill=0 lease=5s"));
  }
  EXPECT_EQ(named, 3);
  EXPECT_EQ(KnownStore::Open(folder_.path()).value()->mark(), (StoreMark{"right", 6}));
}

TEST_F(GrpcCoordinatorLinkTest, ANameThatIsBusyIsAskedForAgain) {
  coordinator_.Refuse(WithErrorInfo(absl::UnavailableError("not free yet"),
                                    {.reason = ErrorReason::kWorkerNameBusy}));
  coordinator_.Play([](Stream* stream) {
    Welcome(stream);
    Serve(stream, true);
  });
  const auto client = Start();
  EXPECT_TRUE(listener_.Await("connected kill=0 lease=5s"));
}

TEST_F(GrpcCoordinatorLinkTest, ARevokedTokenEndsNothingThatRuns) {
  const absl::Status revoked = WithErrorInfo(absl::UnauthenticatedError("no such token"),
                                             {.reason = ErrorReason::kUnauthenticated});
  listener_.idle = false;
  coordinator_.Play([](Stream* stream) { Welcome(stream); });
  coordinator_.Refuse(revoked);
  coordinator_.Refuse(revoked);
  coordinator_.Play([](Stream* stream) {
    Welcome(stream);
    Serve(stream, true);
  });
  {
    const auto client = Start();
    EXPECT_TRUE(listener_.Await("connected kill=0 lease=5s", 2)) << "the token was put back";
    EXPECT_FALSE(refused_.HasBeenNotified());
  }
  listener_.idle = true;
  coordinator_.Refuse(revoked);
  const auto client = Start();
  EXPECT_TRUE(refused_.WaitForNotificationWithTimeout(absl::Seconds(20)));
}

TEST_F(GrpcCoordinatorLinkTest, SaysHelloSendsHeartbeatsAndPassesCommandsOn) {
  pb::WorkerMessage hello;
  coordinator_.Play([&](Stream* stream) {
    stream->Read(&hello);
    Welcome(stream);
    pb::CoordinatorMessage message;
    message.mutable_assign()->mutable_attempt()->set_job_id("new");
    stream->Write(message);
    message.mutable_stop()->mutable_attempt()->set_job_id("new");
    message.mutable_stop()->set_grace_ms(1500);
    message.mutable_stop()->set_reason("why");
    stream->Write(message);
    message.mutable_ack()->mutable_attempt()->set_job_id("new");
    message.mutable_ack()->set_events_seq(3);
    message.mutable_ack()->set_logs_seq(4);
    stream->Write(message);
    Serve(stream, true);
  });
  const auto client = Start();
  EXPECT_TRUE(listener_.Await("connected kill=0 lease=5s"));
  EXPECT_TRUE(listener_.Await("assign new/0/0"));
  EXPECT_TRUE(listener_.Await("stop new/0/0 1.5s why"));
  EXPECT_TRUE(listener_.Await("ack new/0/0 3 4"));
  EXPECT_TRUE(listener_.Await("answered 3"));
  EXPECT_EQ(hello.hello().worker_id(), "w1");
  EXPECT_EQ(hello.hello().slots(), 2);
  EXPECT_EQ(hello.hello().home_id(), "home");
  EXPECT_EQ(hello.hello().boot_id(), "boot");
  ASSERT_EQ(hello.hello().running_size(), 1);
  EXPECT_EQ(hello.hello().running(0).epoch(), 2u);
}

TEST_F(GrpcCoordinatorLinkTest, SendsWhatTheListenerHasToSay) {
  absl::Notification got;
  pb::WorkerMessage said;
  coordinator_.Play([&](Stream* stream) {
    Welcome(stream);
    for (pb::WorkerMessage message; stream->Read(&message);) {
      if (!message.has_report()) continue;
      said = message;
      got.Notify();
    }
  });
  Report report;
  report.attempt = {"job", 1, 2};
  report.message = "hi";
  listener_.Say(report);
  const auto client = Start();
  ASSERT_TRUE(got.WaitForNotificationWithTimeout(absl::Seconds(20)));
  EXPECT_EQ(said.report().message(), "hi");
}

TEST_F(GrpcCoordinatorLinkTest, DialsAgainAfterABrokenSession) {
  coordinator_.Play([](Stream* stream) { Welcome(stream); });
  coordinator_.Play([](Stream* stream) {
    Welcome(stream);
    Serve(stream, true);
  });
  const auto client = Start();
  EXPECT_TRUE(listener_.Await("disconnected"));
  EXPECT_TRUE(listener_.Await("connected kill=0 lease=5s", 2));
}

TEST_F(GrpcCoordinatorLinkTest, DialsUntilTheCoordinatorIsThere) {
  const std::string address = server_->address();
  server_.reset();
  StartServer(address);
  server_->Shutdown(absl::ZeroDuration());
  coordinator_.Play([](Stream* stream) {
    Welcome(stream);
    Serve(stream, true);
  });
  const auto client = Start();
  StartServer(address);
  EXPECT_TRUE(listener_.Await("connected kill=0 lease=5s"));
}

TEST_F(GrpcCoordinatorLinkTest, GivesUpASessionThatAnswersNoHeartbeat) {
  coordinator_.Play([](Stream* stream) {
    Welcome(stream, /*lease_ms=*/100);
    Serve(stream, /*answer_heartbeats=*/false);
  });
  coordinator_.Play([](Stream* stream) {
    Welcome(stream);
    Serve(stream, true);
  });
  const auto client = Start();
  EXPECT_TRUE(listener_.Await("connected kill=0 lease=100ms"));
  EXPECT_TRUE(listener_.Await("disconnected"));
  EXPECT_TRUE(listener_.Await("connected kill=0 lease=5s"));
}

TEST_F(GrpcCoordinatorLinkTest, GivesUpASessionWithoutAWelcome) {
  coordinator_.Play([](Stream* stream) { Serve(stream, false); });
  coordinator_.Play([](Stream* stream) {
    Welcome(stream);
    Serve(stream, true);
  });
  const auto client = Start();
  EXPECT_TRUE(listener_.Await("connected kill=0 lease=5s"));
}

// A leader that is suspended keeps its connections and accepts calls that it never answers.
TEST_F(GrpcCoordinatorLinkTest, OfSeveralCoordinatorsOneThatStandsStillIsPassedOver) {
  FakeWorkerControl standby;
  RpcServerOptions other;
  other.listen = "127.0.0.1:0";
  other.services = {{pb::WorkerControl::service_full_name(), &standby}};
  const auto second = *RpcServer::Start(std::move(other));
  coordinator_.Play([](Stream* stream) {
    Welcome(stream, /*lease_ms=*/100);
    Serve(stream, /*answer_heartbeats=*/false);
  });
  for (int i = 0; i < 100; ++i) {
    coordinator_.Play([](Stream* stream) { Serve(stream, /*answer_heartbeats=*/false); });
  }
  // It does not lead yet when it is asked first.
  standby.Refuse(WithErrorInfo(absl::UnavailableError("the leader is another"),
                               {.reason = ErrorReason::kNotLeader}));
  standby.Play([](Stream* stream) {
    Welcome(stream);
    Serve(stream, true);
  });
  GrpcCoordinatorLink::Options options = MakeOptions();
  options.address += "," + second->address();
  options.welcome_time = absl::Hours(1);
  options.welcome_time_of_several = absl::Milliseconds(200);
  const auto client = *GrpcCoordinatorLink::Start(options, &listener_);
  EXPECT_TRUE(listener_.Await("connected kill=0 lease=100ms"));
  EXPECT_TRUE(listener_.Await("connected kill=0 lease=5s"));
}

TEST_F(GrpcCoordinatorLinkTest, EndsAtOnceWhenDestroyed) {
  coordinator_.Play([](Stream* stream) {
    Welcome(stream);
    Serve(stream, true);
  });
  auto client = Start();
  EXPECT_TRUE(listener_.Await("answered 1"));
  const absl::Time start = absl::Now();
  client.reset();
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  EXPECT_TRUE(listener_.Await("disconnected"));
}

}  // namespace
}  // namespace fpo::worker
