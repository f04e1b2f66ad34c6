// A replica and the cache it belongs to, both in this process.
#include <thread>

#include "common/error_info.h"
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
    StartReplica();
  }
  void StartReplica() {
    CacheConfig config;
    config.listen.listen = "127.0.0.1:0";
    config.listen.http = "";
    config.data = replica_folder_ / "store";
    config.free_mib_min = 0;
    config.replica_of = server_->address();
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

}  // namespace
}  // namespace fpo::cache
