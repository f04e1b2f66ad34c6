// fpo-cache is killed at a named place while a builder works, and started again. What was
// acknowledged is there, what is there is right and in order, and at most one claimed batch is
// computed again. FPO_CHAOS_RUNS: runs per place.
#include <set>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/cache/rpc/cache_fixture.h"
#include "tests/chaos/cache/cache_chaos.h"
#include "tests/support/cache_process.h"

namespace fpo::cache {
namespace {

namespace pb = fpo::v1;
using ::fpo::testing::CacheProcess;

constexpr int kKeys = 48;
constexpr int kClaim = 16;  // records of a claim
constexpr int kBatch = 4;   // records of an upload

struct Place {
  const char* name;
  int hits;  // in an undisturbed run
};

constexpr Place kPlaces[] = {
    {"cache.manifest.begin", 1},
    {"cache.manifest.after_keys", 1},
    {"cache.manifest.after_header", 1},
    {"cache.manifest.before_reply", 1},
    {"cache.claim.begin", 4},
    {"cache.claim.granted", 4},
    {"cache.claim.renew", 3},
    {"cache.claim.release", 3},
    {"cache.put.begin", 12},
    {"cache.put.before_write", 12},
    {"cache.put.after_write", 12},
    {"cache.put.before_ack", 12},
};

// A builder of one manifest that continues until it is complete or a call fails.
class Builder : public CacheCalls {
 public:
  explicit Builder(const Recipe& recipe) : recipe_(recipe) {}

  // OK: the manifest is complete.
  absl::Status Build() {
    const auto put = PutManifest(recipe_, TestKeys(kKeys));
    if (!put.ok()) return put.status();
    id_ = put->manifest_id();
    manifest_acknowledged_ = true;
    for (;;) {
      const auto claim = Claim(id_, kClaim);
      if (!claim.ok()) return claim.status();
      if (claim->complete()) return absl::OkStatus();
      if (claim->claim_id() == 0)
        return absl::InternalError("not claimed by others, and no claim granted");
      const absl::Status worked = WorkOff(*claim);
      if (!worked.ok()) return worked;
    }
  }

  const std::string& id() const { return id_; }
  bool manifest_acknowledged() const { return manifest_acknowledged_; }
  const std::vector<int64_t>& sent() const { return sent_; }  // in order
  const std::set<int64_t>& acknowledged() const { return acknowledged_; }
  int computed() const { return computed_; }
  std::set<int64_t> Missing() {
    pb::FindMissingRequest request;
    request.set_recipe_id(ToBytes(RecipeId(recipe_)));
    for (const Digest& key : TestKeys(kKeys)) request.mutable_keys()->append(ToBytes(key));
    pb::FindMissingResponse response;
    EXPECT_TRUE(stub().FindMissing(Context().get(), request, &response).ok());
    return {response.missing().begin(), response.missing().end()};
  }

 private:
  absl::Status WorkOff(const pb::ClaimResponse& claim) {
    const auto context = Context();
    const auto stream = stub().PutRecords(context.get());
    pb::PutRecordsRequest request;
    request.set_manifest_id(id_);
    request.set_claim_id(claim.claim_id());
    for (int first = 0; first < claim.ordinals_size(); first += kBatch) {
      std::vector<PackedRecord> records;
      std::vector<int64_t> ordinals;
      for (int i = first; i < std::min(first + kBatch, claim.ordinals_size()); ++i) {
        ordinals.push_back(claim.ordinals(i));
        records.push_back(TestRecord(recipe_, static_cast<int>(claim.ordinals(i))));
        ++computed_;
      }
      request.set_seq(request.seq() + 1);
      request.set_packed(Pack(records));
      sent_.insert(sent_.end(), ordinals.begin(), ordinals.end());
      pb::PutRecordsResponse ack;
      if (!stream->Write(request) || !stream->Read(&ack)) {
        stream->WritesDone();
        return FromGrpcStatus(stream->Finish());
      }
      acknowledged_.insert(ordinals.begin(), ordinals.end());
      if (first != kBatch) continue;
      pb::RenewClaimRequest renew;
      renew.set_claim_id(claim.claim_id());
      renew.set_records_done(first + kBatch);
      pb::RenewClaimResponse renewed;
      const grpc::Status status = stub().RenewClaim(Context().get(), renew, &renewed);
      if (!status.ok()) return FromGrpcStatus(status);
    }
    stream->WritesDone();
    const grpc::Status ended = stream->Finish();
    if (!ended.ok()) return FromGrpcStatus(ended);
    pb::ReleaseClaimRequest release;
    release.set_claim_id(claim.claim_id());
    pb::ReleaseClaimResponse released;
    return FromGrpcStatus(stub().ReleaseClaim(Context().get(), release, &released));
  }

  const Recipe recipe_;
  std::string id_;
  bool manifest_acknowledged_ = false;
  std::vector<int64_t> sent_;
  std::set<int64_t> acknowledged_;
  int computed_ = 0;
};

class CacheKillTest : public ::testing::TestWithParam<Place> {
 protected:
  std::unique_ptr<CacheProcess> Serve(const std::string& failpoint, CacheCalls* client) {
    unlink((folder_ / "ports").c_str());
    std::vector<std::string> args = {
        "--data",      folder_ / "store", "--listen",        "127.0.0.1:0",    "--http",
        "127.0.0.1:0", "--port-file",     folder_ / "ports", "--free-mib-min", "0"};
    if (!failpoint.empty()) args.insert(args.end(), {"--failpoint", failpoint});
    auto process = std::make_unique<CacheProcess>(FPO_CACHE_PROGRAM, args, folder_ / "log");
    const std::string address = process->AwaitAddress(folder_ / "ports");
    EXPECT_NE(address, "") << fpo::testing::ReadWhole(folder_ / "log");
    client->ConnectWithoutRetries(address);
    return process;
  }

  // Everything as its builder made it, in order.
  void ExpectComplete(Builder& builder) {
    pb::PullManifestRequest request;
    request.set_manifest_id(builder.id());
    const auto context = Builder::Context();
    const auto stream = builder.stub().PullManifest(context.get(), request);
    int next = 0;
    for (pb::PullManifestResponse frame; stream->Read(&frame);) {
      const auto records = Unpack(frame.packed());
      ASSERT_TRUE(records.ok()) << records.status();
      for (const PackedRecord& record : *records) {
        ASSERT_EQ(record, TestRecord(recipe_, next++));
      }
    }
    ASSERT_TRUE(stream->Finish().ok());
    EXPECT_EQ(next, kKeys);
  }

  void Run(const std::string& failpoint) {
    SCOPED_TRACE(failpoint);
    std::filesystem::remove_all(folder_ / "store");
    Builder builder(recipe_);
    {
      const auto process = Serve(failpoint, &builder);
      EXPECT_FALSE(builder.Build().ok()) << "the place was not met";
      ASSERT_EQ(process->Stop(0), -SIGKILL);
    }
    const auto process = Serve("", &builder);
    const std::set<int64_t> missing = builder.Missing();
    for (const int64_t ordinal : builder.acknowledged()) {
      EXPECT_FALSE(missing.contains(ordinal)) << ordinal << " was acknowledged and is gone";
    }
    // Of what was sent, a prefix is there; of the rest, nothing.
    bool gap = false;
    std::set<int64_t> sent;
    for (const int64_t ordinal : builder.sent()) {
      sent.insert(ordinal);
      gap |= missing.contains(ordinal);
      EXPECT_EQ(gap, missing.contains(ordinal)) << ordinal << " is there and one before it is not";
    }
    EXPECT_EQ(missing.size() + sent.size() -
                  static_cast<size_t>(std::count_if(
                      sent.begin(), sent.end(), [&](int64_t o) { return missing.contains(o); })),
              static_cast<size_t>(kKeys));
    if (builder.manifest_acknowledged()) {
      pb::GetManifestRequest request;
      request.set_manifest_id(builder.id());
      pb::GetManifestResponse response;
      ASSERT_TRUE(builder.stub().GetManifest(Builder::Context().get(), request, &response).ok());
      EXPECT_EQ(response.manifest().total(), kKeys);
      EXPECT_EQ(response.manifest().present(), kKeys - static_cast<int64_t>(missing.size()));
    }
    const absl::Status finished = builder.Build();
    ASSERT_TRUE(finished.ok()) << finished;
    EXPECT_LE(builder.computed(), kKeys + kClaim);
    ExpectComplete(builder);
    EXPECT_EQ(process->Stop(SIGKILL), -SIGKILL);
  }

  const fpo::testing::TempFolder folder_{fpo::testing::FastFolder()};
  const Recipe recipe_ = FeatureTestRecipe();
};

INSTANTIATE_TEST_SUITE_P(Places, CacheKillTest, ::testing::ValuesIn(kPlaces),
                         [](const auto& place) {
                           std::string name = place.param.name;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST_P(CacheKillTest, NothingAcknowledgedIsLostAndAtMostOneClaimIsComputedAgain) {
  std::mt19937_64 random = fpo::testing::SeededRandom();
  const int runs = fpo::testing::Rounds("FPO_CHAOS_RUNS", 2);
  for (int run = 0; run < runs && !HasFailure(); ++run) {
    const int hit = 1 + static_cast<int>(random() % static_cast<uint64_t>(GetParam().hits));
    Run(absl::StrCat(GetParam().name, "=kill@", hit));
  }
}

}  // namespace
}  // namespace fpo::cache
