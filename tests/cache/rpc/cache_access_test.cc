// A cache that wants to know who calls.
#include <fstream>

#include "common/access_list.h"
#include "common/error_info.h"
#include "gmock/gmock.h"
#include "tests/cache/rpc/cache_fixture.h"

namespace fpo::cache {
namespace {

namespace pb = fpo::v1;

class CacheAccessTest : public CacheServerTest {
 protected:
  void SetUp() override {
    const std::vector<Principal> people = {{"ana", Role::kUser},
                                           {"bob", Role::kUser, {"align"}},
                                           {"eve", Role::kReader},
                                           {"host-1", Role::kWorker},
                                           {"root", Role::kAdmin}};
    for (const Principal& each : people) {
      list_.mutable_entries().push_back({.principal = each, .token_sha256 = Sha256Of(each.name)});
    }
    config_.listen.access = folder_ / "access.json";
    std::ofstream(config_.listen.access) << list_.ToJson();
    CacheServerTest::SetUp();
  }
  // Tokens are the names.
  void As(const std::string& name) { Connect(server_->address(), name); }
  // As an agent does for a job of ann.
  std::string Shared(const Recipe& recipe, const std::string& share) {
    As("host-1");
    share_ = share;
    return Filled(recipe, 8);
  }
  template <typename Method, typename Request>
  ErrorReason Ask(Method method, const Request& request) {
    const auto context = Context();
    const auto call = [&](auto response) {
      return (stub().*method)(context.get(), request, &response);
    };
    return ReasonOf(FromGrpcStatus(call(ResponseOf(method))));
  }
  ErrorReason PullReason(const std::string& id) {
    pb::PullManifestRequest request;
    request.set_manifest_id(id);
    const auto context = Context();
    const auto stream = stub().PullManifest(context.get(), request);
    for (pb::PullManifestResponse frame; stream->Read(&frame);) {
    }
    return ReasonOf(FromGrpcStatus(stream->Finish()));
  }
  ErrorReason VerifyReason(const std::string& id) {
    pb::VerifyRequest request;
    request.set_manifest_id(id);
    const auto context = Context();
    const auto stream = stub().Verify(context.get(), request);
    for (pb::VerifyResponse report; stream->Read(&report);) {
    }
    return ReasonOf(FromGrpcStatus(stream->Finish()));
  }
  ErrorReason PinReason(const std::string& id) {
    pb::PinRequest request;
    request.set_manifest_id(id);
    return Ask(&pb::ReferenceCache::Stub::Pin, request);
  }
  int Listed() {
    pb::ListManifestsResponse list;
    EXPECT_TRUE(stub().ListManifests(Context().get(), {}, &list).ok());
    return list.manifests_size();
  }

  AccessList list_;

 private:
  template <typename Request, typename Response>
  static Response ResponseOf(grpc::Status (pb::ReferenceCache::Stub::*)(grpc::ClientContext*,
                                                                        const Request&,
                                                                        Response*)) {
    return Response();
  }
};

TEST_F(CacheAccessTest, StrangersGetNothing) {
  As("");
  EXPECT_EQ(Ask(&pb::ReferenceCache::Stub::Stats, pb::StatsRequest()),
            ErrorReason::kUnauthenticated);
  EXPECT_EQ(ReasonOf(PutManifest(FeatureTestRecipe(), TestKeys(2)).status()),
            ErrorReason::kUnauthenticated);
  EXPECT_EQ(PullReason(std::string(32, 'x')), ErrorReason::kUnauthenticated);
  As("nobody");
  EXPECT_EQ(Ask(&pb::ReferenceCache::Stub::Stats, pb::StatsRequest()),
            ErrorReason::kUnauthenticated);
}

TEST_F(CacheAccessTest, AManifestIsVerifiedByThoseWhoMayReadIt) {
  const std::string open = Shared(FeatureTestRecipe(), "");
  const std::string own = Shared(MarginTestRecipe(), "private");
  As("eve");
  EXPECT_EQ(VerifyReason(open), ErrorReason::kUnspecified);
  EXPECT_EQ(VerifyReason(own), ErrorReason::kNotShared) << "its size and damage are not shown";
  EXPECT_EQ(VerifyReason(""), ErrorReason::kRole);
  As("root");
  EXPECT_EQ(VerifyReason(own), ErrorReason::kUnspecified);
}

TEST_F(CacheAccessTest, RecordsAreReadByThoseTheyAreSharedWith) {
  const std::string open = Shared(FeatureTestRecipe(), "");
  const std::string own = Shared(MarginTestRecipe(), "private");
  Recipe other = FeatureTestRecipe();
  other.forward = "other";
  const std::string group = Shared(other, "group:align");
  for (const auto& [name, listed] : {std::pair("eve", 1), {"ana", 1}, {"bob", 2}, {"root", 3}}) {
    As(name);
    EXPECT_EQ(Listed(), listed) << name;
    EXPECT_EQ(PullReason(open), ErrorReason::kUnspecified) << name;
    EXPECT_EQ(PullReason(own), listed == 3 ? ErrorReason::kUnspecified : ErrorReason::kNotShared)
        << name;
    EXPECT_EQ(PullReason(group), listed >= 2 ? ErrorReason::kUnspecified : ErrorReason::kNotShared)
        << name;
  }
  As("eve");
  pb::GetRecordsRequest request;
  request.set_manifest_id(own);
  request.set_keys(ToBytes(TestKey(1)));
  EXPECT_EQ(Ask(&pb::ReferenceCache::Stub::GetRecords, request), ErrorReason::kNotShared)
      << "knowing a key gives no right";
}

TEST_F(CacheAccessTest, RolesDoWhatTheyAreFor) {
  const std::string id = Shared(FeatureTestRecipe(), "");
  As("bob");
  EXPECT_EQ(PinReason(id), ErrorReason::kNotYours);
  EXPECT_EQ(ReasonOf(Claim(id, 1).status()), ErrorReason::kRole);
  EXPECT_EQ(ReasonOf(PutManifest(FeatureTestRecipe(), TestKeys(2)).status()), ErrorReason::kRole);
  EXPECT_EQ(Ask(&pb::ReferenceCache::Stub::Gc, pb::GcRequest()), ErrorReason::kRole);
  EXPECT_EQ(Ask(&pb::ReferenceCache::Stub::Backup, pb::BackupRequest()), ErrorReason::kRole);
  As("eve");
  EXPECT_EQ(PinReason(id), ErrorReason::kRole);
  EXPECT_EQ(Ask(&pb::ReferenceCache::Stub::GetCapabilities, pb::GetCapabilitiesRequest()),
            ErrorReason::kUnspecified);
  As("root");
  EXPECT_EQ(PinReason(id), ErrorReason::kUnspecified);
  EXPECT_EQ(Ask(&pb::ReferenceCache::Stub::Gc, pb::GcRequest()), ErrorReason::kUnspecified);
}

TEST_F(CacheAccessTest, WhoRegistersForHimselfOwnsIt) {
  As("root");
  const std::string id = PutManifest(FeatureTestRecipe(), TestKeys(2))->manifest_id();
  pb::GetManifestRequest request;
  request.set_manifest_id(id);
  pb::GetManifestResponse answer;
  ASSERT_TRUE(stub().GetManifest(Context().get(), request, &answer).ok());
  EXPECT_EQ(answer.manifest().owner(), "root") << "what the header says does not count";
  pb::StatsResponse stats;
  As("bob");
  ASSERT_TRUE(stub().Stats(Context().get(), {}, &stats).ok());
  EXPECT_EQ(stats.owners_size(), 0) << "others' use is theirs";
}

TEST_F(CacheAccessTest, CapabilitiesAreTrue) {
  As("eve");
  pb::GetCapabilitiesResponse can;
  ASSERT_TRUE(stub().GetCapabilities(Context().get(), {}, &can).ok());
  EXPECT_EQ(can.version(), "1.2.3");
  EXPECT_TRUE(can.wants_tokens());
  EXPECT_EQ(can.claim_keys_max(), kClaimKeysMax);
  EXPECT_EQ(can.lease_ms(), 30'000);
  EXPECT_THAT(can.record_versions(), ::testing::ElementsAre(1, 2));
}

}  // namespace
}  // namespace fpo::cache
