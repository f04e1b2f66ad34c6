#include "worker/core/reference/reference_phase.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "common/reference/record_key.h"
#include "common/status_macros.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_cache_link.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

using fpo::testing::FakeCacheLink;
using fpo::testing::FakeRecord;
using ::testing::HasSubstr;

// Computes records at once and counts them.
class FakeScorer final : public ResponseScorer {
 public:
  FakeScorer(const std::vector<Digest>& keys, const Recipe& recipe)
      : keys_(keys), recipe_(recipe) {}

  absl::Status Start() override {
    ++starts;
    return start_status;
  }
  absl::StatusOr<double> Score(const std::vector<int64_t>& ordinals, const std::string& file,
                               const std::function<void(int64_t)>& on_tick) override {
    if (before_score) before_score();
    if (!score_status.ok()) return score_status;
    for (int i = 0; i < ticks_before_the_first_record; ++i) on_tick(0);
    on_tick(static_cast<int64_t>(ordinals.size()) / 2);
    auto writer = RecordFileWriter::Create(file, recipe_);
    for (const int64_t ordinal : ordinals) {
      const size_t shift = writes_wrong_keys ? 1 : 0;
      const size_t index = (static_cast<size_t>(ordinal) + shift) % keys_.size();
      FPO_RETURN_IF_ERROR((*writer)->Add(FakeRecord(keys_[index])));
      ++computed;
    }
    FPO_RETURN_IF_ERROR((*writer)->Finish());
    return 1e9 * static_cast<double>(ordinals.size());
  }
  void Finish() override { ++finishes; }

  int starts = 0;
  int finishes = 0;
  int64_t computed = 0;
  bool writes_wrong_keys = false;
  int ticks_before_the_first_record = 0;
  absl::Status start_status;
  absl::Status score_status;
  std::function<void()> before_score;

 private:
  const std::vector<Digest>& keys_;
  const Recipe& recipe_;
};

struct FakeObserver final : ReferenceObserver {
  void OnRecords(int64_t present, int64_t) override { presents.push_back(present); }
  void OnCacheUse(const CacheUse& use) override { uses.push_back(use); }
  void Note(const std::string& text) override { notes += text + "\n"; }
  void OnWaiting(const std::string& what) override { waits.push_back(what); }
  void OnComputed(int64_t records) override { computed += records; }
  void OnPulled(int64_t records) override { pulled += records; }

  std::vector<int64_t> presents;
  std::vector<CacheUse> uses;
  std::string notes;
  std::vector<std::string> waits;
  int64_t computed = 0;
  int64_t pulled = 0;
};

class ReferencePhaseTest : public ::testing::Test {
 protected:
  ReferencePhaseTest() {
    recipe_.model_digest = ToHex(Sha256Of("model"));
    recipe_.forward = "gemma-1";
    recipe_.dtype = "float32";
    recipe_.device = "cpu";
    for (int i = 0; i < 40; ++i) keys_.push_back(Sha256Of("key " + std::to_string(i)));
    EXPECT_TRUE(WriteKeysFile(folder_ / "reference.keys", keys_).ok());
    WritePlan(40);
    options_.first_segment_records = 5;
    options_.claim_records = 16;
    options_.patience = absl::Milliseconds(200);
    options_.backoff = {.first = absl::Milliseconds(1), .most = absl::Milliseconds(5)};
  }

  void WritePlan(int count) {
    std::string recipe = CanonicalRecipe(recipe_);
    std::string quoted;
    for (const char c : recipe) {
      if (c == '"') quoted += '\\';
      quoted += c;
    }
    fpo::testing::WriteWhole(folder_ / "reference.json",
                             "{\"recipe_id\":\"\",\"recipe\":\"" + quoted +
                                 "\",\"count\":" + std::to_string(count) + "}");
  }
  absl::StatusOr<std::string> Run() {
    phase_.emplace(options_, &cache_, &store_, &scorer_, &observer_);
    return phase_->Run({.prepared = folder_.path(),
                        .scratch = folder_.path(),
                        .builder = "job@w1",
                        .owner = "",
                        .name = "job"},
                       stop_.get_token());
  }
  void ExpectComplete(const absl::StatusOr<std::string>& path) {
    ASSERT_TRUE(path.ok()) << path.status() << observer_.notes;
    const auto file = RecordFile::Open(*path);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_EQ((*file)->size(), 40);
    for (int64_t i = 0; i < 40; ++i) {
      EXPECT_EQ((*file)->At(i)->key, keys_[static_cast<size_t>(i)]);
    }
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      EXPECT_EQ(entry.path().string().find("segment"), std::string::npos) << entry.path();
    }
  }

  fpo::testing::TempFolder folder_;
  Recipe recipe_;
  std::vector<Digest> keys_;
  FakeCacheLink cache_;
  RecordStore store_{{.folder = folder_ / "records"}, &cache_};
  FakeScorer scorer_{keys_, recipe_};
  FakeObserver observer_;
  ReferencePhase::Options options_;
  std::stop_source stop_;
  std::optional<ReferencePhase> phase_;
};

TEST_F(ReferencePhaseTest, ComputesEverythingOnceWhenTheCacheIsEmpty) {
  ExpectComplete(Run());
  EXPECT_EQ(scorer_.computed, 40);
  EXPECT_EQ(scorer_.starts, 1);
  EXPECT_EQ(cache_.claims(), 3) << "16 + 16 + 8";
  EXPECT_EQ(phase_->use().records_total, 40);
  EXPECT_EQ(phase_->use().records_hit, 0);
  EXPECT_EQ(phase_->use().records_computed, 40);
  EXPECT_EQ(observer_.computed, 40);
  EXPECT_EQ(observer_.pulled, 40);
  EXPECT_EQ(observer_.presents.front(), 0);
  EXPECT_EQ(observer_.presents.back(), 40);
  EXPECT_TRUE(std::is_sorted(observer_.presents.begin(), observer_.presents.end()));
  EXPECT_EQ(cache_.releases(), 0);
  EXPECT_EQ(cache_.flops(), 40e9);
  EXPECT_EQ(phase_->use().saved_seconds, 0);
}

TEST_F(ReferencePhaseTest, StartsNoProcessWhenNothingIsMissing) {
  cache_.Store(keys_);
  ExpectComplete(Run());
  EXPECT_EQ(scorer_.starts, 0);
  EXPECT_EQ(scorer_.computed, 0);
  EXPECT_EQ(cache_.claims(), 0);
  EXPECT_EQ(phase_->use().records_hit, 40);
  EXPECT_EQ(phase_->use().records_computed, 0);
  EXPECT_EQ(phase_->use().saved_seconds, 40);
  EXPECT_EQ(phase_->use().saved_flops, 40e9);
}

TEST_F(ReferencePhaseTest, ALaterJobUsesTheLocalFile) {
  ExpectComplete(Run());
  ExpectComplete(Run());
  EXPECT_EQ(cache_.pulls(), 1);
  EXPECT_EQ(phase_->use().records_hit, 40);
}

TEST_F(ReferencePhaseTest, ComputesOnlyWhatIsMissingAndWaitsForOthers) {
  cache_.Store({keys_.begin(), keys_.begin() + 10});
  cache_.claimed_by_others = {keys_.begin() + 30, keys_.end()};
  cache_.others_finish_after_waits = 3;
  ExpectComplete(Run());
  EXPECT_EQ(scorer_.computed, 20);
  EXPECT_EQ(phase_->use().records_hit, 10);
  EXPECT_EQ(phase_->use().records_computed, 20);
}

TEST_F(ReferencePhaseTest, ClaimsAgainWhenTheCacheForgotTheClaim) {
  cache_.lost_claims = 2;
  ExpectComplete(Run());
  EXPECT_EQ(cache_.stored(), 40);
  EXPECT_THAT(observer_.notes, HasSubstr("claiming again"));
}

TEST_F(ReferencePhaseTest, EndlesslyLostClaimsEnd) {
  cache_.lost_claims = 1000;
  const auto path = Run();
  EXPECT_EQ(path.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(path.status().message()), HasSubstr("claims in a row"));
}

TEST_F(ReferencePhaseTest, RenewsWhileItComputes) {
  cache_.lease = absl::ZeroDuration();
  ExpectComplete(Run());
  EXPECT_GT(cache_.renewals(), 2);
}

TEST_F(ReferencePhaseTest, ASlowScorerKeepsItsClaimForManyLeases) {
  absl::Time now = absl::UnixEpoch();
  options_.now = [&] {
    now += absl::Milliseconds(500);  // a tick looks at the clock twice at most: half a second each
    return now;
  };
  cache_.now = [&] { return now; };
  scorer_.ticks_before_the_first_record = 600;
  ExpectComplete(Run());
  EXPECT_GT(now, absl::UnixEpoch() + 9 * cache_.lease);
  EXPECT_EQ(scorer_.computed, 40) << "nothing was computed twice";
  EXPECT_EQ(cache_.claims(), 3);
  EXPECT_EQ(observer_.notes, "") << "no claim was lost";
}

TEST_F(ReferencePhaseTest, ASilentCacheIsWaitedFor) {
  cache_.unreachable_calls = 3;
  ExpectComplete(Run());
  EXPECT_THAT(observer_.notes, HasSubstr("127.0.0.1:7080 does not answer PutManifest"));
  ASSERT_EQ(observer_.waits.size(), 2u);
  EXPECT_THAT(observer_.waits[0],
              HasSubstr("waiting for fpo-cache at 127.0.0.1:7080, which has not answered since "));
  EXPECT_EQ(observer_.waits[1], "") << "it answers again";
}

TEST_F(ReferencePhaseTest, ACacheThatBreaksOffWhileItSendsIsNamed) {
  cache_.Store(keys_);
  cache_.broken_pulls = 2;
  ExpectComplete(Run());
  ASSERT_EQ(observer_.waits.size(), 4u);
  EXPECT_THAT(observer_.waits[2], HasSubstr("waiting for fpo-cache at 127.0.0.1:7080"));
  EXPECT_EQ(observer_.waits[3], "");
  EXPECT_EQ(observer_.pulled, 40);
}

TEST_F(ReferencePhaseTest, ACacheThatStaysSilentIsNamed) {
  cache_.unreachable_calls = 1 << 30;
  const auto path = Run();
  EXPECT_EQ(path.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(path.status().message()), HasSubstr("fpo-cache at 127.0.0.1:7080"));
}

TEST_F(ReferencePhaseTest, NothingIsClaimedWithoutALease) {
  int asked = 0;
  options_.may_claim = [&] {
    EXPECT_TRUE(asked >= 2 || cache_.claims() == 0);
    return ++asked > 2;
  };
  ExpectComplete(Run());
  EXPECT_GE(asked, 3);
}

TEST_F(ReferencePhaseTest, AStopReleasesTheClaim) {
  scorer_.before_score = [&] { stop_.request_stop(); };
  EXPECT_EQ(Run().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(cache_.releases(), 1);
  EXPECT_GE(scorer_.finishes, 1);
}

TEST_F(ReferencePhaseTest, TheScorersFailureIsPassedOnAndTheClaimReleased) {
  scorer_.score_status = absl::AbortedError("out of memory");
  const auto path = Run();
  EXPECT_EQ(path.status(), scorer_.score_status);
  EXPECT_EQ(cache_.releases(), 1);
}

TEST_F(ReferencePhaseTest, RecordsThatWereNotAskedForAreNotStored) {
  scorer_.writes_wrong_keys = true;
  EXPECT_EQ(Run().status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(cache_.stored(), 0);
}

TEST_F(ReferencePhaseTest, APlanThatDoesNotFitItsKeysIsRefused) {
  WritePlan(39);
  EXPECT_EQ(Run().status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace fpo::worker
