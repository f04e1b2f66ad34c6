#include "worker/rpc/grpc_cache_link.h"

#include <string>
#include <vector>

#include "common/rpc/server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::worker {
namespace {

namespace pb = fpo::v1;

using ::testing::HasSubstr;

PackedRecord MakeRecord(int number, size_t bytes) {
  PackedRecord record;
  record.key = Sha256Of(std::to_string(number));
  record.bytes = std::string(bytes, 'x');
  record.sha256 = Sha256Of(record.bytes);
  return record;
}

// Takes every upload and keeps what it was sent.
class UploadSink final : public pb::ReferenceCache::Service {
 public:
  std::vector<size_t> frame_sizes;
  std::vector<double> seconds;
  std::vector<double> flops;
  int64_t records = 0;

  grpc::Status PutRecords(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<pb::PutRecordsResponse, pb::PutRecordsRequest>* stream) override {
    for (pb::PutRecordsRequest message; stream->Read(&message);) {
      frame_sizes.push_back(message.packed().size());
      seconds.push_back(message.seconds());
      flops.push_back(message.flops());
      records += static_cast<int64_t>(Unpack(message.packed())->size());
      pb::PutRecordsResponse ack;
      ack.set_last_seq(message.seq());
      ack.set_stored(records);
      stream->Write(ack);
    }
    return grpc::Status::OK;
  }
};

class GrpcCacheLinkTest : public ::testing::Test {
 protected:
  GrpcCacheLinkTest() {
    RpcServerOptions options;
    options.listen = "127.0.0.1:0";
    options.services = {{pb::ReferenceCache::service_full_name(), &cache_}};
    server_ = *RpcServer::Start(std::move(options));
    link_ =
        *GrpcCacheLink::Create({.address = server_->address(), .tls = {}, .registry = &registry_});
  }

  MetricsRegistry registry_;
  UploadSink cache_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<GrpcCacheLink> link_;
};

TEST_F(GrpcCacheLinkTest, SendsRecordsInFramesOfAMegabyte) {
  std::vector<PackedRecord> records;
  for (int i = 0; i < 30; ++i) records.push_back(MakeRecord(i, 100'000));
  const auto stored = link_->PutRecords({Digest{}, 5, records, {.seconds = 1.5}}, {});
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->stored, 30);
  EXPECT_EQ(cache_.records, 30);
  EXPECT_EQ(cache_.frame_sizes.size(), 3u);
  for (const size_t size : cache_.frame_sizes) EXPECT_LE(size, size_t{1} << 20);
}

TEST_F(GrpcCacheLinkTest, TellsWhatTheRecordsOfAFrameCost) {
  std::vector<PackedRecord> records;
  for (int i = 0; i < 3; ++i) records.push_back(MakeRecord(i, 600 << 10));  // one to a frame
  ASSERT_TRUE(link_->PutRecords({Digest{}, 5, records, {6.0, 9e9}}, {}).ok());
  EXPECT_EQ(cache_.seconds, (std::vector<double>{2, 2, 2}));
  EXPECT_EQ(cache_.flops, (std::vector<double>{3e9, 3e9, 3e9}));
}

TEST_F(GrpcCacheLinkTest, ACacheThatIsAwayIsUnavailable) {
  server_.reset();
  EXPECT_EQ(link_->Claim({.limit = 3}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(registry_.Text(), HasSubstr("fpo_agent_cache_calls_total{result=\"unreachable\"} 1"));
  EXPECT_THAT(registry_.Text(), HasSubstr("fpo_agent_cache_calls_total{result=\"answered\"} 0"));
}

TEST_F(GrpcCacheLinkTest, ACacheThatRefusesWasReached) {
  EXPECT_FALSE(link_->Claim({.limit = 3}).ok()) << "this one has no such method";
  EXPECT_THAT(registry_.Text(), HasSubstr("fpo_agent_cache_calls_total{result=\"answered\"} 1"));
}

}  // namespace
}  // namespace fpo::worker
