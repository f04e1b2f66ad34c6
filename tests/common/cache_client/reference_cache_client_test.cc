#include "common/cache_client/reference_cache_client.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/error_info.h"
#include "common/reference/packed_record.h"
#include "common/rpc/channel.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;

PackedRecord MakeRecord(int number, size_t bytes) {
  PackedRecord record;
  record.key = Sha256Of(std::to_string(number));
  record.bytes = std::string(bytes, 'x');
  record.sha256 = Sha256Of(record.bytes);
  return record;
}

// Answers like a cache and keeps what it was asked; `fail` is the answer to every call when set.
class ScriptedCache final : public pb::ReferenceCache::Service {
 public:
  grpc::Status fail;
  int64_t keys = 0;
  int key_messages = 0;
  std::vector<int64_t> ordinals;
  std::vector<uint64_t> claims;
  std::vector<double> seconds;
  std::vector<double> flops;
  int64_t records = 0;
  bool closes_upload_early = false;
  absl::Notification waiting;

  grpc::Status PutManifest(grpc::ServerContext*, grpc::ServerReader<pb::PutManifestRequest>* reader,
                           pb::PutManifestResponse* response) override {
    pb::PutManifestRequest message;
    if (!reader->Read(&message) || !message.has_header()) {
      return {grpc::StatusCode::INVALID_ARGUMENT, "no header"};
    }
    response->set_total(message.header().keys());
    response->set_missing(7);
    response->set_manifest_id(std::string(32, 'm'));
    response->set_recipe_id(std::string(32, 'r'));
    while (reader->Read(&message)) {
      ++key_messages;
      keys += static_cast<int64_t>(message.keys().size() / 32);
    }
    return fail;
  }
  grpc::Status Claim(grpc::ServerContext*, const pb::ClaimRequest* request,
                     pb::ClaimResponse* response) override {
    response->set_claim_id(5);
    response->add_ordinals(request->limit());
    return fail;
  }
  grpc::Status RenewClaim(grpc::ServerContext*, const pb::RenewClaimRequest*,
                          pb::RenewClaimResponse*) override {
    return fail;
  }
  grpc::Status ReleaseClaim(grpc::ServerContext*, const pb::ReleaseClaimRequest*,
                            pb::ReleaseClaimResponse*) override {
    return fail;
  }
  grpc::Status PutRecords(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<pb::PutRecordsResponse, pb::PutRecordsRequest>* stream) override {
    for (pb::PutRecordsRequest message; stream->Read(&message);) {
      claims.push_back(message.claim_id());
      seconds.push_back(message.seconds());
      flops.push_back(message.flops());
      const auto unpacked = Unpack(message.packed());
      if (!unpacked.ok()) return ToGrpcStatus(unpacked.status());
      records += static_cast<int64_t>(unpacked->size());
      pb::PutRecordsResponse ack;
      ack.set_last_seq(message.seq());
      ack.set_stored(records);
      stream->Write(ack);
      if (closes_upload_early) return grpc::Status::OK;
    }
    return fail;
  }
  grpc::Status WaitManifest(grpc::ServerContext* context, const pb::WaitManifestRequest*,
                            grpc::ServerWriter<pb::WaitManifestResponse>* writer) override {
    pb::WaitManifestResponse response;
    response.set_present(1);
    response.set_total(2);
    writer->Write(response);
    waiting.Notify();
    absl::Notification never;
    while (!context->IsCancelled()) never.WaitForNotificationWithTimeout(absl::Milliseconds(5));
    return grpc::Status::OK;
  }
  grpc::Status PullManifest(grpc::ServerContext*, const pb::PullManifestRequest* request,
                            grpc::ServerWriter<pb::PullManifestResponse>* writer) override {
    ordinals.assign(request->ordinals().begin(), request->ordinals().end());
    for (int64_t i = request->from_ordinal(); i < 5; ++i) {
      pb::PullManifestResponse response;
      response.set_first_ordinal(i);
      response.set_count(1);
      if (i == 4) response.set_sha256_of_digests(std::string(32, 'd'));
      if (!writer->Write(response)) break;
    }
    return fail;
  }
};

class ReferenceCacheClientTest : public ::testing::Test {
 protected:
  ReferenceCacheClientTest() {
    RpcServerOptions options;
    options.listen = "127.0.0.1:0";
    options.services = {{pb::ReferenceCache::service_full_name(), &cache_}};
    server_ = *RpcServer::Start(std::move(options));
    channel_ = *MakeChannel(server_->address());
    client_ = std::make_unique<ReferenceCacheClient>(channel_, channel_);
  }

  ScriptedCache cache_;
  std::unique_ptr<RpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<ReferenceCacheClient> client_;
  const Digest manifest_{};
};

TEST_F(ReferenceCacheClientTest, SendsKeysInChunks) {
  NewManifest request;
  request.keys.resize(10'000);
  const auto count = client_->PutManifest(request, {});
  ASSERT_TRUE(count.ok()) << count.status();
  EXPECT_EQ(count->total, 10'000);
  EXPECT_EQ(count->missing, 7);
  EXPECT_EQ(cache_.keys, 10'000);
  EXPECT_EQ(cache_.key_messages, 3);
}

TEST_F(ReferenceCacheClientTest, SendsBatchesInOneStreamAndReadsTheLastCounts) {
  std::vector<std::string> packed(3);
  for (int i = 0; i < 30; ++i) AppendPacked(MakeRecord(i, 100'000), &packed[i / 10]);
  const std::vector<PutBatch> batches = {{.claim_id = 5, .packed = packed[0], .cost = {1, 2}},
                                         {.claim_id = 6, .packed = packed[1], .cost = {3, 4}},
                                         {.claim_id = 6, .packed = packed[2]}};
  const auto stored = client_->PutRecords(manifest_, batches);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->stored, 30);
  EXPECT_EQ(cache_.records, 30);
  EXPECT_EQ(cache_.claims, (std::vector<uint64_t>{5, 6, 6}));
  EXPECT_EQ(cache_.seconds, (std::vector<double>{1, 3, 0}));
  EXPECT_EQ(cache_.flops, (std::vector<double>{2, 4, 0}));
}

TEST_F(ReferenceCacheClientTest, AnUploadThatIsNotAcknowledgedIsNotStored) {
  cache_.closes_upload_early = true;
  std::string packed;
  AppendPacked(MakeRecord(1, 1000), &packed);
  const std::vector<PutBatch> batches(3, {.claim_id = 5, .packed = packed});
  EXPECT_EQ(client_->PutRecords(manifest_, batches).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(ReferenceCacheClientTest, ErrorsCarryTheirReason) {
  cache_.fail = ToGrpcStatus(
      WithErrorInfo(absl::FailedPreconditionError("gone"), {.reason = ErrorReason::kUnknownClaim}));
  EXPECT_EQ(ReasonOf(client_->RenewClaim(5, 1).status()), ErrorReason::kUnknownClaim);
  EXPECT_EQ(ReasonOf(client_->PutRecords(manifest_, {}).status()), ErrorReason::kUnknownClaim);
  EXPECT_EQ(ReasonOf(client_->Claim({manifest_, 3, "b", "r-1"}).status()),
            ErrorReason::kUnknownClaim);
  cache_.fail = grpc::Status::OK;
  EXPECT_EQ(client_->Claim({manifest_, 3, "b", "r-1"})->ordinals, std::vector<int64_t>{3});
}

TEST_F(ReferenceCacheClientTest, PullsFromACursorUntilTheCallerRefuses) {
  std::vector<int64_t> seen;
  EXPECT_TRUE(client_
                  ->PullManifest({.manifest_id = manifest_, .from_ordinal = 2},
                                 [&](const RecordFrame& frame) {
                                   seen.push_back(frame.first_ordinal);
                                   EXPECT_EQ(frame.sha256_of_digests.has_value(),
                                             frame.first_ordinal == 4);
                                   return absl::OkStatus();
                                 },
                                 {})
                  .ok());
  EXPECT_EQ(seen, (std::vector<int64_t>{2, 3, 4}));
  const absl::Status refused =
      client_->PullManifest({.manifest_id = manifest_},
                            [](const RecordFrame&) { return absl::DataLossError("bad"); }, {});
  EXPECT_EQ(refused, absl::DataLossError("bad"));
}

TEST_F(ReferenceCacheClientTest, AsksForSomeOrdinals) {
  EXPECT_TRUE(client_
                  ->PullManifest({.manifest_id = manifest_, .ordinals = {1, 4}},
                                 [](const RecordFrame&) { return absl::OkStatus(); }, {})
                  .ok());
  EXPECT_EQ(cache_.ordinals, (std::vector<int64_t>{1, 4}));
}

TEST_F(ReferenceCacheClientTest, AWaitEndsWithItsTime) {
  int64_t present = 0;
  const auto keep_waiting = [&](const ManifestProgress& progress) {
    present = progress.present;
    return true;
  };
  EXPECT_TRUE(client_->WaitManifest(manifest_, absl::Milliseconds(100), keep_waiting, {}).ok());
  EXPECT_EQ(present, 1);
}

TEST_F(ReferenceCacheClientTest, AWaitEndsWhenTheCallerSaw) {
  const auto enough = [](const ManifestProgress&) { return false; };
  const absl::Time start = absl::Now();
  EXPECT_TRUE(client_->WaitManifest(manifest_, absl::Minutes(5), enough, {}).ok());
  EXPECT_LT(absl::Now() - start, absl::Seconds(20));
}

TEST_F(ReferenceCacheClientTest, AWaitEndsWithAStop) {
  std::stop_source stop;
  std::thread stopper([&] {
    cache_.waiting.WaitForNotification();
    stop.request_stop();
  });
  const auto keep_waiting = [](const ManifestProgress&) { return true; };
  EXPECT_EQ(
      client_->WaitManifest(manifest_, absl::Minutes(5), keep_waiting, stop.get_token()).code(),
      absl::StatusCode::kCancelled);
  stopper.join();
}

TEST_F(ReferenceCacheClientTest, ACacheThatIsAwayIsUnavailable) {
  server_.reset();
  EXPECT_EQ(client_->Claim({manifest_, 3, "b", "r-1"}).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(client_->PutManifest({}, {}).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ReferenceCacheClientTest, ThePolicySaysHowAUnaryCallIsMadeAndExplained) {
  cache_.fail = {grpc::StatusCode::UNAVAILABLE, "busy"};
  int tries = 0;
  CacheCallPolicy policy;
  policy.make = [&](const CacheCallPolicy::Call& call) {
    call();
    if (++tries == 2) cache_.fail = grpc::Status::OK;
    return call();
  };
  policy.explain = [](const grpc::Status& status) {
    return absl::InternalError("explained: " + status.error_message());
  };
  ReferenceCacheClient client(channel_, channel_, policy);
  const absl::Status explained = client.ReleaseClaim(5);
  EXPECT_EQ(explained, absl::InternalError("explained: busy"));
  EXPECT_TRUE(client.ReleaseClaim(5).ok()) << "made again";
  cache_.fail = {grpc::StatusCode::UNAVAILABLE, "busy"};
  EXPECT_EQ(client.PutManifest({}).status(), explained) << "streams are explained too";
  EXPECT_EQ(client.PutRecords(manifest_, {}).status(), explained);
}

TEST_F(ReferenceCacheClientTest, AStopOfThePolicyEndsEveryCall) {
  std::stop_source stop;
  ReferenceCacheClient client(channel_, channel_, {.stop = stop.get_token()});
  EXPECT_TRUE(client.ReleaseClaim(5).ok());
  stop.request_stop();
  const auto take = [](const RecordFrame&) { return absl::OkStatus(); };
  EXPECT_TRUE(absl::IsCancelled(client.ReleaseClaim(5)));
  EXPECT_TRUE(absl::IsCancelled(client.PutManifest({}).status()));
  EXPECT_TRUE(absl::IsCancelled(client.PutRecords(manifest_, {}).status()));
  EXPECT_TRUE(absl::IsCancelled(client.PullManifest({.manifest_id = manifest_}, take)));
  EXPECT_TRUE(absl::IsCancelled(
      client.WaitManifest(manifest_, absl::Minutes(5), [](const auto&) { return true; })));
}

}  // namespace
}  // namespace fpo
