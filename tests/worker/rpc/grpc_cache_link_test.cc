#include "worker/rpc/grpc_cache_link.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/error_info.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::worker {
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
class FakeCache final : public pb::ReferenceCache::Service {
 public:
  grpc::Status fail;
  int64_t keys = 0;
  int key_messages = 0;
  std::vector<int64_t> ordinals;
  std::vector<double> seconds;
  std::vector<double> flops;
  std::vector<size_t> frame_sizes;
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
  grpc::Status PutRecords(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<pb::PutRecordsResponse, pb::PutRecordsRequest>* stream) override {
    for (pb::PutRecordsRequest message; stream->Read(&message);) {
      frame_sizes.push_back(message.packed().size());
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

class GrpcCacheLinkTest : public ::testing::Test {
 protected:
  GrpcCacheLinkTest() {
    RpcServerOptions options;
    options.listen = "127.0.0.1:0";
    options.services = {{pb::ReferenceCache::service_full_name(), &cache_}};
    server_ = *RpcServer::Start(std::move(options));
    client_ = *GrpcCacheLink::Create({.address = server_->address(), .tls = {}});
  }

  FakeCache cache_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<GrpcCacheLink> client_;
  const Digest manifest_{};
};

TEST_F(GrpcCacheLinkTest, SendsKeysInChunks) {
  ManifestRequest request;
  request.keys.resize(10'000);
  const auto count = client_->PutManifest(request, {});
  ASSERT_TRUE(count.ok()) << count.status();
  EXPECT_EQ(count->total, 10'000);
  EXPECT_EQ(count->missing, 7);
  EXPECT_EQ(cache_.keys, 10'000);
  EXPECT_EQ(cache_.key_messages, 3);
}

TEST_F(GrpcCacheLinkTest, SendsRecordsInFramesOfAMegabyte) {
  std::vector<PackedRecord> records;
  for (int i = 0; i < 30; ++i) records.push_back(MakeRecord(i, 100'000));
  const auto stored = client_->PutRecords({manifest_, 5, records, 1.5}, {});
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->stored, 30);
  EXPECT_EQ(cache_.records, 30);
  EXPECT_EQ(cache_.frame_sizes.size(), 3u);
  for (const size_t size : cache_.frame_sizes) EXPECT_LE(size, size_t{1} << 20);
}

TEST_F(GrpcCacheLinkTest, AnUploadThatIsNotAcknowledgedIsNotStored) {
  cache_.closes_upload_early = true;
  std::vector<PackedRecord> records;
  for (int i = 0; i < 30; ++i) records.push_back(MakeRecord(i, 100'000));
  EXPECT_EQ(client_->PutRecords({manifest_, 5, records, 1.5}, {}).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(GrpcCacheLinkTest, ErrorsCarryTheirReason) {
  cache_.fail = ToGrpcStatus(
      WithErrorInfo(absl::FailedPreconditionError("gone"), {.reason = ErrorReason::kUnknownClaim}));
  EXPECT_EQ(ReasonOf(client_->RenewClaim(5, 1)), ErrorReason::kUnknownClaim);
  EXPECT_EQ(ReasonOf(client_->PutRecords({manifest_, 5, {}}, {}).status()),
            ErrorReason::kUnknownClaim);
  EXPECT_EQ(ReasonOf(client_->Claim({manifest_, 3, "b", "r-1"}).status()),
            ErrorReason::kUnknownClaim);
  cache_.fail = grpc::Status::OK;
  EXPECT_EQ(client_->Claim({manifest_, 3, "b", "r-1"})->ordinals, std::vector<int64_t>{3});
}

TEST_F(GrpcCacheLinkTest, PullsFromACursorUntilTheCallerRefuses) {
  std::vector<int64_t> seen;
  EXPECT_TRUE(client_
                  ->PullManifest({.manifest = manifest_, .from_ordinal = 2},
                                 [&](const RecordFrame& frame) {
                                   seen.push_back(frame.first_ordinal);
                                   EXPECT_EQ(frame.sha256_of_digests.has_value(),
                                             frame.first_ordinal == 4);
                                   return absl::OkStatus();
                                 },
                                 {})
                  .ok());
  EXPECT_EQ(seen, (std::vector<int64_t>{2, 3, 4}));
  const absl::Status refused = client_->PullManifest(
      {.manifest = manifest_}, [](const RecordFrame&) { return absl::DataLossError("bad"); }, {});
  EXPECT_EQ(refused, absl::DataLossError("bad"));
}

TEST_F(GrpcCacheLinkTest, AsksForSomeOrdinalsAndTellsWhatARecordCost) {
  EXPECT_TRUE(client_
                  ->PullManifest({.manifest = manifest_, .ordinals = {1, 4}},
                                 [](const RecordFrame&) { return absl::OkStatus(); }, {})
                  .ok());
  EXPECT_EQ(cache_.ordinals, (std::vector<int64_t>{1, 4}));
  std::vector<PackedRecord> records;
  for (int i = 0; i < 3; ++i) {
    std::string bytes(600 << 10, 'x');  // one to a frame
    records.push_back({Sha256Of(std::to_string(i)), Sha256Of(bytes), bytes});
  }
  ASSERT_TRUE(client_->PutRecords({manifest_, 5, records, 6.0, 9e9}, {}).ok());
  EXPECT_EQ(cache_.seconds, (std::vector<double>{2, 2, 2}));
  EXPECT_EQ(cache_.flops, (std::vector<double>{3e9, 3e9, 3e9}));
}

TEST_F(GrpcCacheLinkTest, AWaitEndsWithItsTime) {
  int64_t present = 0;
  const auto keep_waiting = [&](const ManifestProgress& progress) {
    present = progress.present;
    return true;
  };
  EXPECT_TRUE(client_->WaitManifest(manifest_, absl::Milliseconds(100), keep_waiting, {}).ok());
  EXPECT_EQ(present, 1);
}

TEST_F(GrpcCacheLinkTest, AWaitEndsWhenTheCallerSaw) {
  const auto enough = [](const ManifestProgress&) { return false; };
  const absl::Time start = absl::Now();
  EXPECT_TRUE(client_->WaitManifest(manifest_, absl::Minutes(5), enough, {}).ok());
  EXPECT_LT(absl::Now() - start, absl::Seconds(20));
}

TEST_F(GrpcCacheLinkTest, AWaitEndsWithAStop) {
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

TEST_F(GrpcCacheLinkTest, ACacheThatIsAwayIsUnavailable) {
  server_.reset();
  EXPECT_EQ(client_->Claim({manifest_, 3, "b", "r-1"}).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(client_->PutManifest({}, {}).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace fpo::worker
