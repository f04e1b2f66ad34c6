// The relay of files from an agent to a user, with both sides played by hand.
#include <thread>

#include "common/error_info.h"
#include "common/hash.h"
#include "coordinator/rpc/streams/artifact_relay.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/rpc/test_server.h"

namespace fpo::coordinator {
namespace {

using ::testing::HasSubstr;
using Kind = pb::CoordinatorMessage;

pb::ReadArtifactResponse FrameOf(const std::string& data) {
  pb::ReadArtifactResponse frame;
  frame.set_data(data);
  return frame;
}

TEST(ArtifactTransferTest, HoldsOneFrameAndWakesTheOtherSide) {
  ArtifactTransfer transfer;
  int reader = 0;
  int pusher = 0;
  transfer.SetReader([&] { ++reader; });
  ASSERT_TRUE(transfer.SetPusher([&] { ++pusher; }));
  EXPECT_FALSE(transfer.SetPusher([] {})) << "one agent alone answers";
  pb::ReadArtifactResponse a = FrameOf("a");
  pb::ReadArtifactResponse b = FrameOf("b");
  EXPECT_TRUE(transfer.TryPut(&a));
  EXPECT_FALSE(transfer.TryPut(&b));
  EXPECT_EQ(b.data(), "b") << "kept for the next try";
  transfer.EndPush(absl::OkStatus());
  transfer.EndPush(absl::UnavailableError("late"));
  EXPECT_FALSE(transfer.End().has_value()) << "a frame is left";
  EXPECT_EQ(transfer.Take()->data(), "a");
  EXPECT_EQ(reader, 3);
  EXPECT_EQ(pusher, 1);
  EXPECT_TRUE(transfer.End()->ok());
  EXPECT_FALSE(transfer.Take().has_value());
  transfer.SetReader(nullptr);
  EXPECT_FALSE(transfer.HasReader());
  EXPECT_EQ(pusher, 2) << "it learns that there is no reader";
}

TEST(ArtifactRelayTest, KnowsWhoWaitsAndHasALimit) {
  ArtifactRelay relay;
  const auto begun = relay.Begin().value();
  EXPECT_EQ(relay.Find(begun.first), begun.second);
  relay.Forget(begun.first);
  EXPECT_EQ(relay.Find(begun.first), nullptr);
  absl::Status status;
  for (int i = 0; i < 1000 && status.ok(); ++i) status = relay.Begin().status();
  EXPECT_EQ(ReasonOf(status), ErrorReason::kBusy);
}

TEST(ArtifactRelayTest, AHolderThatLeftBeforeItWasNamedEndsTheTransfer) {
  ArtifactRelay relay;
  const auto before = relay.Begin().value();
  relay.HolderLeft("w1");
  const auto after = relay.Begin().value();
  relay.SetHolder(before.first, "w1");
  relay.SetHolder(after.first, "w1");
  ASSERT_TRUE(before.second->End().has_value());
  EXPECT_EQ(ReasonOf(*before.second->End()), ErrorReason::kHolderGone);
  EXPECT_FALSE(after.second->End().has_value()) << "it was asked when it was there again";
}

class ArtifactTest : public ::testing::Test {
 protected:
  ArtifactTest() {
    server_.Start();
    id_ = server_.user().Submit("tiny");
    worker_ = std::make_unique<ScriptedWorker>(&server_.user().worker(), HelloOf("w1"));
    const pb::AttemptRef ref = worker_->Await(Kind::kAssign).assign().attempt();
    worker_->Report(ref, pb::AttemptReport::STATUS_ACCEPTED);
    worker_->Report(ref, pb::AttemptReport::STATUS_RUNNING);
    worker_->Report(ref, pb::AttemptReport::STATUS_SUCCEEDED);
    EXPECT_TRUE(server_.user().Reaches(id_, pb::JOB_STATE_SUCCEEDED));
  }
  // Reads on another thread what the user gets.
  struct Reading {
    grpc::ClientContext context;
    std::string data;
    int messages = 0;
    absl::Status status;
    std::thread thread;
  };
  std::unique_ptr<Reading> Read(const std::string& file, int64_t offset = 0) {
    auto reading = std::make_unique<Reading>();
    pb::ReadArtifactRequest request;
    request.set_job_id(id_);
    request.set_file(file);
    request.set_offset(offset);
    reading->thread = std::thread([this, request, r = reading.get()] {
      const auto reader = server_.user().stub().ReadArtifact(&r->context, request);
      for (pb::ReadArtifactResponse answer; reader->Read(&answer);) {
        r->data += answer.data();
        ++r->messages;
      }
      r->status = FromGrpcStatus(reader->Finish());
    });
    return reading;
  }
  pb::ServeArtifact Order() { return worker_->Await(Kind::kServeArtifact).serve_artifact(); }
  // One PushArtifact call with these messages behind its id.
  absl::Status Push(const std::string& id, const std::vector<pb::PushArtifactRequest>& messages) {
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(20));
    pb::PushArtifactResponse response;
    const auto writer = server_.user().worker().PushArtifact(&context, &response);
    pb::PushArtifactRequest first;
    first.set_transfer_id(id);
    writer->Write(first);
    for (const pb::PushArtifactRequest& message : messages) writer->Write(message);
    writer->WritesDone();
    return FromGrpcStatus(writer->Finish());
  }
  static pb::PushArtifactRequest DataOf(const std::string& data) {
    pb::PushArtifactRequest message;
    message.set_data(data);
    return message;
  }
  static pb::PushArtifactRequest EndOf(const std::string& text) {
    pb::PushArtifactRequest message;
    message.set_sha256(ToBytes(Sha256Of(text)));
    return message;
  }

  TestServer server_;
  std::string id_;
  std::unique_ptr<ScriptedWorker> worker_;
};

TEST_F(ArtifactTest, WhatTheAgentPushesReachesTheUser) {
  const auto reading = Read("model/weights", 7);
  const pb::ServeArtifact order = Order();
  EXPECT_EQ(order.folder(), "/runs/tiny");
  EXPECT_EQ(order.file(), "model/weights");
  EXPECT_EQ(order.offset(), 7);
  EXPECT_FALSE(order.checkpoint());
  EXPECT_TRUE(Push(order.transfer_id(), {DataOf("ab"), DataOf("cd"), EndOf("abcd")}).ok());
  reading->thread.join();
  EXPECT_TRUE(reading->status.ok()) << reading->status;
  EXPECT_EQ(reading->data, "abcd");
  EXPECT_EQ(reading->messages, 3);
  EXPECT_EQ(ReasonOf(Push(order.transfer_id(), {EndOf("")})), ErrorReason::kUnknownTransfer);
}

TEST_F(ArtifactTest, TheAgentsErrorIsTheUsers) {
  const auto reading = Read("gone");
  pb::PushArtifactRequest error;
  error.mutable_error()->set_code(static_cast<int>(absl::StatusCode::kNotFound));
  error.mutable_error()->set_message("is not there");
  error.mutable_error()->set_reason("ARTIFACT_GONE");
  error.mutable_error()->set_hint("look");
  EXPECT_TRUE(Push(Order().transfer_id(), {error}).ok());
  reading->thread.join();
  EXPECT_TRUE(absl::IsNotFound(reading->status));
  EXPECT_EQ(GetErrorInfo(reading->status)->hint, "look");
}

TEST_F(ArtifactTest, AnAgentThatBreaksOffIsNotTakenForTheEnd) {
  const auto reading = Read("model/weights");
  EXPECT_TRUE(Push(Order().transfer_id(), {DataOf("half")}).ok());
  reading->thread.join();
  EXPECT_TRUE(absl::IsUnavailable(reading->status));
  EXPECT_EQ(ReasonOf(reading->status), ErrorReason::kHolderGone);
  EXPECT_EQ(reading->data, "half");
}

TEST_F(ArtifactTest, AnAgentThatGoesBeforeItPushedEndsTheWait) {
  const auto reading = Read("model/weights");
  Order();
  worker_->Break();
  const absl::Time broke = absl::Now();
  reading->thread.join();
  // The channel asks once more after UNAVAILABLE (HOLDER_GONE), and by then no worker holds them.
  EXPECT_EQ(ReasonOf(reading->status), ErrorReason::kNoHolder) << reading->status;
  EXPECT_LT(absl::Now() - broke, absl::Seconds(20)) << "not only for its silence";
}

TEST_F(ArtifactTest, AUserWhoLeavesStopsTheAgent) {
  const auto reading = Read("model/weights");
  const std::string id = Order().transfer_id();
  reading->context.TryCancel();
  reading->thread.join();
  // Sooner or later, depending on what was under way.
  EXPECT_TRUE(Eventually([&] { return !Push(id, {DataOf("x"), EndOf("x")}).ok(); }));
}

TEST_F(ArtifactTest, WithoutItsWorkerTheErrorSaysSo) {
  worker_->Break();
  EXPECT_TRUE(Eventually([&] {
    pb::ListWorkersResponse workers;
    (void)server_.user().Call(&pb::Coordinator::Stub::ListWorkers, pb::ListWorkersRequest(),
                              &workers);
    return workers.workers(0).state() == pb::WORKER_STATE_LOST;
  }));
  const auto reading = Read("");
  reading->thread.join();
  EXPECT_EQ(ReasonOf(reading->status), ErrorReason::kNoHolder);
}

TEST_F(ArtifactTest, AShutdownEndsTransfersAtOnce) {
  const auto reading = Read("model/weights");
  (void)Order();
  const absl::Time begin = absl::Now();
  server_.Stop();
  reading->thread.join();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(4));
  EXPECT_FALSE(reading->status.ok());
}

}  // namespace
}  // namespace fpo::coordinator
