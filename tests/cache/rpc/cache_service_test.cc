// Each call of the service, once well and once not, on a server in this process.
#include <thread>

#include "common/error_info.h"
#include "gmock/gmock.h"
#include "tests/cache/rpc/cache_fixture.h"

namespace fpo::cache {
namespace {

namespace pb = fpo::v1;

TEST_F(CacheServerTest, PutManifestAnswersWhatIsMissing) {
  const Recipe recipe = MarginTestRecipe();
  const auto first = PutManifest(recipe, TestKeys(5000));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->total(), 5000);
  EXPECT_EQ(first->missing(), 5000);
  EXPECT_EQ(first->recipe_id(), ToBytes(RecipeId(recipe)));
  EXPECT_EQ(first->manifest_id(), ToBytes(ManifestId(RecipeId(recipe), TestKeys(5000))));
  EXPECT_EQ(PutManifest(recipe, TestKeys(5000))->manifest_id(), first->manifest_id());
}

TEST_F(CacheServerTest, PutManifestRefusesAnotherCountThanPromised) {
  for (const int64_t promised : {2, 4, 0}) {
    const absl::Status status = PutManifest(MarginTestRecipe(), TestKeys(3), promised).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << promised << ": " << status;
    EXPECT_EQ(ReasonOf(status), ErrorReason::kInvalidRequest);
  }
}

TEST_F(CacheServerTest, GetManifest) {
  const std::string id = Filled(FeatureTestRecipe(), 3);
  pb::GetManifestRequest request;
  request.set_manifest_id(id);
  pb::GetManifestResponse response;
  ASSERT_TRUE(stub().GetManifest(Context().get(), request, &response).ok());
  EXPECT_EQ(response.manifest().present(), 3);
  EXPECT_EQ(response.manifest().owner(), "ann");
  EXPECT_EQ(response.manifest().recipe(), CanonicalRecipe(FeatureTestRecipe()));
  EXPECT_GT(response.manifest().created().seconds(), 1'600'000'000);
  request.set_manifest_id("short");
  const auto bad = stub().GetManifest(Context().get(), request, &response);
  EXPECT_EQ(bad.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(GetErrorInfo(FromGrpcStatus(bad))->field, "manifest_id");
  request.set_manifest_id(ToBytes(TestKey(1)));
  const auto unknown = stub().GetManifest(Context().get(), request, &response);
  EXPECT_EQ(ReasonOf(FromGrpcStatus(unknown)), ErrorReason::kManifestNotFound);
}

TEST_F(CacheServerTest, ListManifests) {
  pb::ListManifestsResponse response;
  ASSERT_TRUE(stub().ListManifests(Context().get(), {}, &response).ok());
  EXPECT_EQ(response.manifests_size(), 0);
  Filled(MarginTestRecipe(), 2);
  ASSERT_TRUE(stub().ListManifests(Context().get(), {}, &response).ok());
  ASSERT_EQ(response.manifests_size(), 1);
  EXPECT_EQ(response.manifests(0).present(), 2);
}

TEST_F(CacheServerTest, ACallWithoutADeadlineIsRefused) {
  grpc::ClientContext context;
  pb::ListManifestsResponse response;
  const grpc::Status status = stub().ListManifests(&context, {}, &response);
  EXPECT_EQ(ReasonOf(FromGrpcStatus(status)), ErrorReason::kNoDeadline);
}

TEST_F(CacheServerTest, FindMissing) {
  Filled(MarginTestRecipe(), 2);
  pb::FindMissingRequest request;
  request.set_recipe_id(ToBytes(RecipeId(MarginTestRecipe())));
  for (const Digest& key : TestKeys(4)) request.mutable_keys()->append(ToBytes(key));
  pb::FindMissingResponse response;
  ASSERT_TRUE(stub().FindMissing(Context().get(), request, &response).ok());
  EXPECT_THAT(response.missing(), ::testing::ElementsAre(2, 3));
  request.mutable_keys()->pop_back();
  EXPECT_EQ(stub().FindMissing(Context().get(), request, &response).error_code(),
            grpc::INVALID_ARGUMENT);
}

TEST_F(CacheServerTest, ClaimRenewRelease) {
  const std::string id = PutManifest(MarginTestRecipe(), TestKeys(3))->manifest_id();
  const auto claim = Claim(id, 2);
  ASSERT_TRUE(claim.ok());
  EXPECT_THAT(claim->ordinals(), ::testing::ElementsAre(0, 1));
  EXPECT_EQ(claim->lease_ms(), 30'000);
  EXPECT_EQ(Claim(id, 9)->ordinals_size(), 1);
  const auto none = Claim(id, 9);
  EXPECT_EQ(none->claim_id(), 0u);
  EXPECT_GT(none->retry_after_ms(), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(Claim(id, 0).status()));

  pb::RenewClaimRequest renew;
  renew.set_claim_id(claim->claim_id());
  renew.set_records_done(1);
  pb::RenewClaimResponse renewed;
  ASSERT_TRUE(stub().RenewClaim(Context().get(), renew, &renewed).ok());
  EXPECT_EQ(renewed.lease_ms(), 30'000);

  pb::ReleaseClaimRequest release;
  release.set_claim_id(claim->claim_id());
  pb::ReleaseClaimResponse released;
  ASSERT_TRUE(stub().ReleaseClaim(Context().get(), release, &released).ok());
  EXPECT_EQ(ReasonOf(FromGrpcStatus(stub().ReleaseClaim(Context().get(), release, &released))),
            ErrorReason::kStaleClaim);
  EXPECT_EQ(ReasonOf(FromGrpcStatus(stub().RenewClaim(Context().get(), renew, &renewed))),
            ErrorReason::kStaleClaim);
}

TEST_F(CacheServerTest, PutRecordsAcknowledgesEachBatch) {
  const Recipe recipe = FeatureTestRecipe();
  const std::string id = PutManifest(recipe, TestKeys(4))->manifest_id();
  const uint64_t claim = Claim(id, 4)->claim_id();
  const auto ack =
      PutRecords(id, claim, {Pack(TestRecords(recipe, 2)), Pack(TestRecords(recipe, 3, 1))});
  ASSERT_TRUE(ack.ok()) << ack.status();
  EXPECT_EQ(ack->last_seq(), 2u);
  EXPECT_EQ(ack->stored(), 4);
  EXPECT_EQ(ack->present(), 1);
}

TEST_F(CacheServerTest, PutRecordsRefusesAClaimThatIsNotCurrent) {
  const Recipe recipe = MarginTestRecipe();
  const std::string id = PutManifest(recipe, TestKeys(2))->manifest_id();
  const uint64_t claim = Claim(id, 1)->claim_id();
  const absl::Status stale = PutRecords(id, claim, {Pack({TestRecord(recipe, 1)})}).status();
  EXPECT_EQ(ReasonOf(stale), ErrorReason::kStaleClaim);
  EXPECT_EQ(ReasonOf(PutRecords(id, 5, {Pack({TestRecord(recipe, 0)})}).status()),
            ErrorReason::kUnknownClaim);
  EXPECT_TRUE(absl::IsInvalidArgument(PutRecords(id, claim, {"garbage"}).status()));
}

TEST_F(CacheServerTest, ClaimsOfAnEarlierRunAreUnknown) {
  const Recipe recipe = MarginTestRecipe();
  const std::string id = PutManifest(recipe, TestKeys(1))->manifest_id();
  const uint64_t claim = Claim(id, 1)->claim_id();
  server_->Shutdown();
  server_.reset();
  Start();
  const std::string packed = Pack({TestRecord(recipe, 0)});
  EXPECT_EQ(ReasonOf(PutRecords(id, claim, {packed}).status()), ErrorReason::kUnknownClaim);
  const uint64_t again = Claim(id, 1)->claim_id();
  EXPECT_GT(again, claim);
  EXPECT_EQ(PutRecords(id, again, {packed})->stored(), 1);
}

TEST_F(CacheServerTest, WaitManifestEndsWhenSomethingCanBeClaimed) {
  const std::string id = PutManifest(MarginTestRecipe(), TestKeys(2))->manifest_id();
  const uint64_t claim = Claim(id, 2)->claim_id();
  pb::WaitManifestRequest request;
  request.set_manifest_id(id);
  const auto context = Context();
  const auto reader = stub().WaitManifest(context.get(), request);
  pb::WaitManifestResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.claimable(), 0);
  ASSERT_TRUE(PutRecords(id, claim, {Pack({TestRecord(MarginTestRecipe(), 0)})}).ok());
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.present(), 1);
  pb::ReleaseClaimRequest release;
  release.set_claim_id(claim);
  pb::ReleaseClaimResponse released;
  ASSERT_TRUE(stub().ReleaseClaim(Context().get(), release, &released).ok());
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.claimable(), 1);
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(CacheServerTest, WaitManifestSurvivesACancellingClientAndNamesAnUnknownManifest) {
  const std::string id = PutManifest(MarginTestRecipe(), TestKeys(1))->manifest_id();
  Claim(id, 1).IgnoreError();
  pb::WaitManifestRequest request;
  request.set_manifest_id(id);
  for (int i = 0; i < 20; ++i) {
    const auto context = Context();
    const auto reader = stub().WaitManifest(context.get(), request);
    pb::WaitManifestResponse response;
    if (i % 2 == 0) {
      EXPECT_TRUE(reader->Read(&response));
    }
    context->TryCancel();
    EXPECT_EQ(reader->Finish().error_code(), grpc::CANCELLED);
  }
  request.set_manifest_id(ToBytes(TestKey(9)));
  const auto context = Context();
  const auto reader = stub().WaitManifest(context.get(), request);
  EXPECT_EQ(ReasonOf(FromGrpcStatus(reader->Finish())), ErrorReason::kManifestNotFound);
}

TEST_F(CacheServerTest, PullManifestFromAnyCursor) {
  const Recipe recipe = FeatureTestRecipe();
  const std::string id = Filled(recipe, 600);
  for (const int64_t from : {0, 1, 599, 600}) {
    pb::PullManifestRequest request;
    request.set_manifest_id(id);
    request.set_from_ordinal(from);
    const auto context = Context();
    const auto reader = stub().PullManifest(context.get(), request);
    std::string all;
    int64_t next = from;
    std::string digest;
    for (pb::PullManifestResponse frame; reader->Read(&frame);) {
      EXPECT_EQ(frame.first_ordinal(), next);
      next += frame.count();
      all += frame.packed();
      digest = frame.sha256_of_digests();
    }
    ASSERT_TRUE(reader->Finish().ok());
    EXPECT_EQ(next, 600);
    const auto records = Unpack(all);
    SequenceDigest expected;
    for (const PackedRecord& record : *records) expected.Add(record.key, record.sha256);
    EXPECT_EQ(digest, ToBytes(expected.Finish()));
    ASSERT_EQ(records->size(), static_cast<size_t>(600 - from));
    if (from == 1) {
      EXPECT_EQ((*records)[0].bytes, TestRecord(recipe, 1).bytes);
    }
  }
}

TEST_F(CacheServerTest, PullManifestRefusesAnIncompleteOneAndABadCursor) {
  const std::string id = PutManifest(MarginTestRecipe(), TestKeys(2))->manifest_id();
  pb::PullManifestRequest request;
  request.set_manifest_id(id);
  const auto context = Context();
  EXPECT_EQ(ReasonOf(FromGrpcStatus(stub().PullManifest(context.get(), request)->Finish())),
            ErrorReason::kManifestIncomplete);
  request.set_manifest_id(Filled(MarginTestRecipe(), 1));
  request.set_from_ordinal(2);
  const auto other = Context();
  EXPECT_EQ(stub().PullManifest(other.get(), request)->Finish().error_code(),
            grpc::INVALID_ARGUMENT);
}

TEST_F(CacheServerTest, PullsManyFramesOfLargeRecordsToASlowReader) {
  Recipe recipe = FeatureTestRecipe();
  const std::string id = PutManifest(recipe, TestKeys(24))->manifest_id();
  const uint64_t claim = Claim(id, 24)->claim_id();
  std::vector<std::string> batches;
  for (int i = 0; i < 24; ++i) {
    Record record;
    record.tokens = 1;
    record.features.resize(1);
    for (uint32_t f = 0; f < 60'000; ++f) record.features[0].push_back({f, 0.1f * (f + 1)});
    PackedRecord packed{TestKey(i), {}, EncodeRecord(record)};
    packed.sha256 = Sha256Of(packed.bytes);
    batches.push_back(Pack({packed}));
  }
  ASSERT_TRUE(PutRecords(id, claim, batches).ok());
  pb::PullManifestRequest request;
  request.set_manifest_id(id);
  const auto context = Context();
  const auto reader = stub().PullManifest(context.get(), request);
  int frames = 0;
  int64_t records = 0;
  for (pb::PullManifestResponse frame; reader->Read(&frame); ++frames) {
    EXPECT_LE(frame.packed().size(), 1u << 20);
    records += frame.count();
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(records, 24);
  EXPECT_GT(frames, 6);
}

TEST_F(CacheServerTest, GetRecordsListsWhatIsAbsent) {
  const Recipe recipe = MarginTestRecipe();
  const std::string id = PutManifest(recipe, TestKeys(2))->manifest_id();
  const uint64_t claim = Claim(id, 2)->claim_id();
  ASSERT_TRUE(PutRecords(id, claim, {Pack({TestRecord(recipe, 1)})}).ok());
  pb::GetRecordsRequest request;
  request.set_manifest_id(id);
  request.set_keys(ToBytes(TestKey(0)) + ToBytes(TestKey(1)));
  pb::GetRecordsResponse response;
  ASSERT_TRUE(stub().GetRecords(Context().get(), request, &response).ok());
  EXPECT_THAT(response.missing(), ::testing::ElementsAre(0));
  EXPECT_EQ((*Unpack(response.packed()))[0].bytes, TestRecord(recipe, 1).bytes);
  request.set_keys(ToBytes(TestKey(50)));
  EXPECT_EQ(ReasonOf(FromGrpcStatus(stub().GetRecords(Context().get(), request, &response))),
            ErrorReason::kKeyNotInManifest);
}

TEST_F(CacheServerTest, Stats) {
  Filled(FeatureTestRecipe(), 2);
  PutManifest(FeatureTestRecipe(), TestKeys(2)).IgnoreError();
  pb::StatsResponse stats;
  ASSERT_TRUE(stub().Stats(Context().get(), {}, &stats).ok());
  EXPECT_EQ(stats.recipes(), 2);
  EXPECT_EQ(stats.manifests(), 1);
  EXPECT_EQ(stats.records(), 4);
  EXPECT_EQ(stats.stored(), 2);
  EXPECT_EQ(stats.hits(), 2);
  EXPECT_EQ(stats.misses(), 2);
  EXPECT_GT(stats.bytes(), 0);
  EXPECT_EQ(stats.version(), "1.2.3");
  grpc::ClientContext no_deadline;
  EXPECT_FALSE(stub().Stats(&no_deadline, {}, &stats).ok());
}

TEST_F(CacheServerTest, UnaryCallsGoOnBesideManyWaitingStreams) {
  const std::string id = PutManifest(MarginTestRecipe(), TestKeys(1))->manifest_id();
  const uint64_t claim = Claim(id, 1)->claim_id();
  pb::WaitManifestRequest request;
  request.set_manifest_id(id);
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<pb::WaitManifestResponse>>> readers;
  pb::WaitManifestResponse response;
  for (int i = 0; i < config_.streams_max; ++i) {
    contexts.push_back(Context());
    readers.push_back(stub().WaitManifest(contexts.back().get(), request));
    ASSERT_TRUE(readers.back()->Read(&response));
  }
  EXPECT_EQ(Claim(id, 1)->claim_id(), 0u);
  const auto refused = Context();
  const auto status = stub().WaitManifest(refused.get(), request)->Finish();
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED);
  contexts.back()->TryCancel();
  EXPECT_EQ(readers.back()->Finish().error_code(), grpc::CANCELLED);
  readers.pop_back();
  // The server gives the stream's place away a moment after the client saw its end.
  absl::Status put = absl::ResourceExhaustedError("not tried");
  for (int i = 0; i < 1000 && absl::IsResourceExhausted(put); ++i) {
    put = PutRecords(id, claim, {Pack({TestRecord(MarginTestRecipe(), 0)})}).status();
  }
  ASSERT_TRUE(put.ok()) << put;
  for (const auto& reader : readers) {
    ASSERT_TRUE(reader->Read(&response));
    EXPECT_EQ(response.present(), 1);
    EXPECT_TRUE(reader->Finish().ok());
  }
}

}  // namespace
}  // namespace fpo::cache
