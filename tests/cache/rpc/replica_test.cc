// A replica and the cache it belongs to, both in this process.
#include <atomic>
#include <thread>

#include "absl/synchronization/notification.h"
#include "cache/core/store/key_layout.h"
#include "common/clock.h"
#include "common/error_info.h"
#include "common/rpc/server.h"
#include "gmock/gmock.h"
#include "tests/cache/rpc/cache_fixture.h"

namespace fpo::cache {
namespace {

namespace pb = fpo::v1;

// One client of one server.
class Client : public CacheCalls {
 public:
  absl::StatusOr<std::vector<PackedRecord>> Pull(const std::string& id) {
    pb::PullManifestRequest request;
    request.set_manifest_id(id);
    const auto context = Context();
    const auto stream = stub().PullManifest(context.get(), request);
    std::vector<PackedRecord> records;
    for (pb::PullManifestResponse frame; stream->Read(&frame);) {
      const auto part = Unpack(frame.packed());
      if (!part.ok()) return part.status();
      records.insert(records.end(), part->begin(), part->end());
    }
    const absl::Status ended = FromGrpcStatus(stream->Finish());
    if (!ended.ok()) return ended;
    return records;
  }
  pb::StatsResponse Stats() {
    pb::StatsResponse response;
    EXPECT_TRUE(stub().Stats(Context().get(), {}, &response).ok());
    return response;
  }
};

class ReplicaTest : public CacheServerTest {
 protected:
  void SetUp() override {
    CacheServerTest::SetUp();
    Start(server_->address());
  }
  static constexpr int kThreads = 2;
  void Start(const std::string& upstream) {
    CacheConfig config;
    config.listen.listen = "127.0.0.1:0";
    config.listen.http = "";
    config.data = replica_folder_ / "store";
    config.free_mib_min = 0;
    config.threads = kThreads;
    config.grace = absl::ZeroDuration();
    config.replica_of = upstream;
    auto replica = CacheServer::Start(config, "1.2.3", "abc");
    ASSERT_TRUE(replica.ok()) << replica.status();
    replica_ = *std::move(replica);
    client_.Connect(replica_->address());
  }
  void ExpectRecords(const absl::StatusOr<std::vector<PackedRecord>>& records, int count) {
    ASSERT_TRUE(records.ok()) << records.status();
    ASSERT_EQ(records->size(), static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ((*records)[static_cast<size_t>(i)], TestRecord(recipe_, i));
    }
  }

  const Recipe recipe_ = FeatureTestRecipe();
  const fpo::testing::TempFolder replica_folder_;
  std::unique_ptr<CacheServer> replica_;
  Client client_;  // of the replica
};

TEST_F(ReplicaTest, FetchesOnceAndServesFromThenOnAlsoWithoutItsCache) {
  Filled(recipe_, 600);
  const auto put = client_.PutManifest(recipe_, TestKeys(600));
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->missing(), 0) << "nothing is to be computed";
  EXPECT_EQ(client_.Stats().records(), 0);
  ExpectRecords(client_.Pull(put->manifest_id()), 600);
  EXPECT_EQ(client_.Stats().records(), 1200);
  server_.reset();
  ExpectRecords(client_.Pull(put->manifest_id()), 600);
  EXPECT_EQ(client_.PutManifest(recipe_, TestKeys(600))->missing(), 0);
  const auto more = client_.PutManifest(recipe_, TestKeys(601));
  EXPECT_TRUE(absl::IsUnavailable(more.status())) << more.status();
  EXPECT_EQ(ReasonOf(more.status()), ErrorReason::kUpstreamUnavailable);
}

TEST_F(ReplicaTest, WhatABuilderStoresThroughItLandsInTheCache) {
  const std::string id = client_.PutManifest(recipe_, TestKeys(10))->manifest_id();
  const auto claim = client_.Claim(id, 6);
  ASSERT_TRUE(claim.ok()) << claim.status();
  ASSERT_EQ(claim->ordinals_size(), 6);
  EXPECT_EQ(Claim(id, 10)->ordinals_size(), 4) << "one set of claims for both";
  const auto put = client_.PutRecords(
      id, claim->claim_id(), {Pack(TestRecords(recipe_, 3)), Pack(TestRecords(recipe_, 3, 3))});
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->stored(), 6);
  EXPECT_EQ(put->last_seq(), 2u);
  pb::StatsResponse stats;
  ASSERT_TRUE(stub().Stats(Context().get(), {}, &stats).ok());
  EXPECT_EQ(stats.records(), 12);
  const auto incomplete = client_.Pull(id);
  EXPECT_EQ(ReasonOf(incomplete.status()), ErrorReason::kManifestIncomplete);
  pb::ReleaseClaimRequest release;
  release.set_claim_id(claim->claim_id());
  pb::ReleaseClaimResponse released;
  EXPECT_TRUE(client_.stub().ReleaseClaim(Client::Context().get(), release, &released).ok());
}

TEST_F(ReplicaTest, TwoReadersAtOnceCauseOneTransfer) {
  Filled(recipe_, 300);
  const std::string id = client_.PutManifest(recipe_, TestKeys(300))->manifest_id();
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      Client reader;
      reader.Connect(replica_->address());
      ExpectRecords(reader.Pull(id), 300);
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(client_.Stats().records(), 600);
}

TEST_F(ReplicaTest, ADamagedRecordIsFetchedAgain) {
  const std::string id = Filled(recipe_, 5);
  ASSERT_TRUE(client_.PutManifest(recipe_, TestKeys(5)).ok());
  ExpectRecords(client_.Pull(id), 5);
  pb::QuarantineRequest request;
  request.set_manifest_id(id);
  request.set_keys(ToBytes(TestKey(2)));
  pb::QuarantineResponse response;
  ASSERT_TRUE(client_.stub().Quarantine(Client::Context().get(), request, &response).ok());
  ExpectRecords(client_.Pull(id), 5);
}

// A cache that takes manifests and then does not send them.
class HungCache final : public pb::ReferenceCache::Service {
 public:
  grpc::Status PutManifest(grpc::ServerContext*, grpc::ServerReader<pb::PutManifestRequest>* reader,
                           pb::PutManifestResponse* response) override {
    std::string recipe, keys;
    for (pb::PutManifestRequest part; reader->Read(&part);) {
      if (part.has_header()) recipe = part.header().recipe();
      keys += part.keys();
    }
    std::vector<Digest> digests = *DecodeKeys(keys);
    const Digest recipe_id = RecipeId(*ParseRecipe(recipe));
    response->set_recipe_id(ToBytes(recipe_id));
    response->set_manifest_id(ToBytes(ManifestId(recipe_id, digests)));
    response->set_total(static_cast<int64_t>(digests.size()));
    return grpc::Status::OK;
  }
  grpc::Status PullManifest(grpc::ServerContext*, const pb::PullManifestRequest*,
                            grpc::ServerWriter<pb::PullManifestResponse>*) override {
    ++pulls;
    released.WaitForNotification();
    return {grpc::StatusCode::UNAVAILABLE, "hung"};
  }
  std::atomic<int> pulls = 0;
  absl::Notification released;
};

class HungReplicaTest : public ReplicaTest {
 protected:
  HungReplicaTest() {
    RpcServerOptions options;
    options.listen = "127.0.0.1:0";
    options.services = {{pb::ReferenceCache::service_full_name(), &hung_}};
    upstream_ = *RpcServer::Start(std::move(options));
  }
  ~HungReplicaTest() override {
    if (!hung_.released.HasBeenNotified()) hung_.released.Notify();
  }
  void SetUp() override { Start(upstream_->address()); }
  // Registers `count` keys and pulls them on a thread, which fails once the transfer ends.
  std::thread Reader(int count) {
    const auto put = client_.PutManifest(recipe_, TestKeys(count));
    EXPECT_TRUE(put.ok()) << put.status();
    return std::thread([this, id = put->manifest_id()] {
      Client reader;
      reader.Connect(replica_->address());
      EXPECT_FALSE(reader.Pull(id).ok());
    });
  }

  HungCache hung_;
  std::unique_ptr<RpcServer> upstream_;
};

TEST_F(HungReplicaTest, TransfersThatHangKeepNobodyElseWaiting) {
  std::vector<std::thread> readers;
  for (int i = 1; i <= 4; ++i) readers.push_back(Reader(i));
  while (hung_.pulls < kThreads) std::this_thread::yield();
  EXPECT_EQ(client_.Stats().records(), 0) << "answered at once";
  hung_.released.Notify();
  for (std::thread& reader : readers) reader.join();
}

TEST_F(HungReplicaTest, ATransferEndsWithTheReplica) {
  std::thread reader = Reader(1);
  while (hung_.pulls < 1) std::this_thread::yield();
  const absl::Time begin = BootNow();
  replica_->Shutdown();
  EXPECT_LT(BootNow() - begin, absl::Seconds(20)) << "not the hour of a transfer";
  reader.join();
}

}  // namespace
}  // namespace fpo::cache
