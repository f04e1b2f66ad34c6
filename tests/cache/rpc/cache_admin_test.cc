// The calls of people who look after the cache, on a server in this process.
#include "common/error_info.h"
#include "gmock/gmock.h"
#include "tests/cache/rpc/cache_fixture.h"

namespace fpo::cache {
namespace {

namespace pb = fpo::v1;
using ::testing::HasSubstr;

class CacheAdminTest : public CacheServerTest {
 protected:
  pb::Manifest Manifest(const std::string& id) {
    pb::GetManifestRequest request;
    request.set_manifest_id(id);
    pb::GetManifestResponse response;
    EXPECT_TRUE(stub().GetManifest(Context().get(), request, &response).ok());
    return response.manifest();
  }
  absl::Status Quarantine(const std::string& id, const std::string& keys) {
    pb::QuarantineRequest request;
    request.set_manifest_id(id);
    request.set_keys(keys);
    request.set_reason("suspect");
    pb::QuarantineResponse response;
    return FromGrpcStatus(stub().Quarantine(Context().get(), request, &response));
  }
  pb::VerifyResponse Verify(const std::string& id) {
    pb::VerifyRequest request;
    request.set_manifest_id(id);
    const auto context = Context();
    const auto stream = stub().Verify(context.get(), request);
    pb::VerifyResponse last;
    while (stream->Read(&last)) {
    }
    EXPECT_TRUE(stream->Finish().ok());
    return last;
  }
};

TEST_F(CacheAdminTest, PinUnpinRetain) {
  const std::string id = Filled(MarginTestRecipe(), 3);
  pb::PinRequest pin;
  pin.set_manifest_id(id);
  pb::PinResponse pinned;
  ASSERT_TRUE(stub().Pin(Context().get(), pin, &pinned).ok());
  EXPECT_TRUE(Manifest(id).pinned());
  EXPECT_FALSE(Manifest(id).has_pinned_until());
  pin.mutable_until()->set_seconds(absl::ToUnixSeconds(absl::Now()) + 3600);
  ASSERT_TRUE(stub().Pin(Context().get(), pin, &pinned).ok());
  EXPECT_TRUE(Manifest(id).has_pinned_until());
  pb::UnpinRequest unpin;
  unpin.set_manifest_id(id);
  pb::UnpinResponse unpinned;
  ASSERT_TRUE(stub().Unpin(Context().get(), unpin, &unpinned).ok());
  EXPECT_FALSE(Manifest(id).pinned());
  pb::RetainRequest retain;
  retain.set_manifest_id(id);
  pb::RetainResponse retained;
  ASSERT_TRUE(stub().Retain(Context().get(), retain, &retained).ok());
  EXPECT_GT(retained.until().seconds(), absl::ToUnixSeconds(absl::Now()) + 500);
  pin.set_manifest_id(ToBytes(TestKey(9)));
  EXPECT_EQ(ReasonOf(FromGrpcStatus(stub().Pin(Context().get(), pin, &pinned))),
            ErrorReason::kManifestNotFound);
}

TEST_F(CacheAdminTest, VerifyOneManifestAndTheWholeStore) {
  const std::string id = Filled(FeatureTestRecipe(), 5000);
  const pb::VerifyResponse one = Verify(id);
  EXPECT_EQ(one.records(), 5000);
  EXPECT_EQ(one.damaged(), 0);
  EXPECT_TRUE(one.done());
  const pb::VerifyResponse all = Verify("");
  EXPECT_EQ(all.records(), 10'000);
  EXPECT_EQ(all.damaged_files(), "");
  EXPECT_TRUE(all.done());
  pb::VerifyRequest unknown;
  unknown.set_manifest_id(ToBytes(TestKey(1)));
  const auto context = Context();
  const auto stream = stub().Verify(context.get(), unknown);
  pb::VerifyResponse none;
  EXPECT_FALSE(stream->Read(&none));
  EXPECT_EQ(ReasonOf(FromGrpcStatus(stream->Finish())), ErrorReason::kManifestNotFound);
}

TEST_F(CacheAdminTest, QuarantinedRecordsAreAbsentListedAndComputedAgain) {
  const std::string id = Filled(MarginTestRecipe(), 10);
  ASSERT_TRUE(Quarantine(id, ToBytes(TestKey(2)) + ToBytes(TestKey(5))).ok());
  EXPECT_EQ(Manifest(id).present(), 8);
  pb::ListQuarantinedResponse list;
  ASSERT_TRUE(stub().ListQuarantined(Context().get(), {}, &list).ok());
  ASSERT_EQ(list.records_size(), 2);
  EXPECT_EQ(list.records(0).reason(), "suspect");
  EXPECT_GT(list.records(0).bytes(), 0);
  EXPECT_THAT(Claim(id, 10)->ordinals(), ::testing::ElementsAre(2, 5));
  EXPECT_EQ(ReasonOf(Quarantine(id, ToBytes(TestKey(99)))), ErrorReason::kKeyNotInManifest);
  ASSERT_TRUE(Quarantine(id, "").ok());
  EXPECT_EQ(Manifest(id).present(), 0) << "no keys: all of them";
}

TEST_F(CacheAdminTest, GcSaysWhyEachManifestStays) {
  const std::string id = Filled(MarginTestRecipe(), 3);
  pb::GcRequest request;
  request.set_dry_run(true);
  pb::GcResponse response;
  ASSERT_TRUE(stub().Gc(Context().get(), request, &response).ok());
  ASSERT_EQ(response.manifests_size(), 1);
  EXPECT_EQ(response.manifests(0).manifest_id(), id);
  EXPECT_FALSE(response.manifests(0).remove());
  EXPECT_THAT(response.manifests(0).reason(), HasSubstr("retained by a job until"));
  EXPECT_TRUE(response.dry_run());
}

TEST_F(CacheAdminTest, BackupNeedsAFolder) {
  Filled(MarginTestRecipe(), 3);
  pb::BackupResponse response;
  EXPECT_EQ(ReasonOf(FromGrpcStatus(stub().Backup(Context().get(), {}, &response))),
            ErrorReason::kNoBackupFolder);
  server_.reset();
  config_.backups = folder_ / "backups";
  Start();
  ASSERT_TRUE(stub().Backup(Context().get(), {}, &response).ok());
  EXPECT_EQ(response.records(), 3);
  EXPECT_THAT(response.path(), HasSubstr(config_.backups));
}

TEST_F(CacheAdminTest, PullsOnlyTheOrdinalsAskedFor) {
  const std::string id = Filled(MarginTestRecipe(), 2000);
  pb::PullManifestRequest request;
  request.set_manifest_id(id);
  for (int i = 1; i < 2000; i += 3) request.add_ordinals(i);
  request.set_from_ordinal(500);  // continues there
  const auto context = Context();
  const auto stream = stub().PullManifest(context.get(), request);
  std::vector<PackedRecord> records;
  std::optional<int64_t> first;
  SequenceDigest digest;
  std::string end;
  for (pb::PullManifestResponse frame; stream->Read(&frame);) {
    if (!first) first = frame.first_ordinal();
    const std::vector<PackedRecord> part = *Unpack(frame.packed());
    for (const PackedRecord& record : part) digest.Add(record.key, record.sha256);
    records.insert(records.end(), part.begin(), part.end());
    end = frame.sha256_of_digests();
  }
  ASSERT_TRUE(stream->Finish().ok());
  EXPECT_EQ(first, 502);
  EXPECT_EQ(end, ToBytes(digest.Finish()));
  ASSERT_EQ(records.size(), 500u);
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i].key, TestKey(502 + 3 * static_cast<int>(i)));
  }
  for (const std::vector<int64_t>& bad : {std::vector<int64_t>{5, 5}, {7, 3}, {2000}, {-1}}) {
    request.clear_ordinals();
    for (const int64_t ordinal : bad) request.add_ordinals(ordinal);
    const auto again = Context();
    const auto refused = stub().PullManifest(again.get(), request);
    pb::PullManifestResponse frame;
    EXPECT_FALSE(refused->Read(&frame));
    EXPECT_EQ(refused->Finish().error_code(), grpc::INVALID_ARGUMENT);
  }
}

TEST_F(CacheAdminTest, StatsShowOwnersLimitsAndWhatWasSaved) {
  server_.reset();
  config_.evict_mib = 100;
  config_.reject_mib = 200;
  Start();
  const Recipe recipe = MarginTestRecipe();
  const std::string id = PutManifest(recipe, TestKeys(4))->manifest_id();
  const auto claim = Claim(id, 4);
  const auto context = Context();
  const auto stream = stub().PutRecords(context.get());
  pb::PutRecordsRequest put;
  put.set_seq(1);
  put.set_manifest_id(id);
  put.set_claim_id(claim->claim_id());
  put.set_packed(Pack(TestRecords(recipe, 4)));
  put.set_seconds(8);
  pb::PutRecordsResponse ack;
  ASSERT_TRUE(stream->Write(put) && stream->Read(&ack));
  stream->WritesDone();
  ASSERT_TRUE(stream->Finish().ok());
  const auto again = PutManifest(recipe, TestKeys(3));
  EXPECT_DOUBLE_EQ(again->saved_seconds(), 6);
  pb::StatsResponse stats;
  ASSERT_TRUE(stub().Stats(Context().get(), {}, &stats).ok());
  EXPECT_DOUBLE_EQ(stats.saved_seconds(), 6);
  EXPECT_EQ(stats.evict_bytes(), int64_t{100} << 20);
  EXPECT_EQ(stats.reject_bytes(), int64_t{200} << 20);
  EXPECT_EQ(stats.read_only(), "");
  ASSERT_EQ(stats.owners_size(), 1);
  EXPECT_EQ(stats.owners(0).owner(), "ann");
  EXPECT_EQ(stats.owners(0).manifests(), 2);
}

}  // namespace
}  // namespace fpo::cache
