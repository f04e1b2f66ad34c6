// One bit is flipped in a table file, in a local record file, or in a message on the wire. It is
// found each time, no reader gets a wrong record, and what was lost is computed again.
// FPO_BIT_FLIPS: in all.
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "cache/core/records/reference_cache.h"
#include "cache/core/store/rocksdb_store.h"
#include "common/observe/log.h"
#include "common/wire/cache_wire.h"
#include "gmock/gmock.h"
#include "proto/fpo/v1/cache.pb.h"
#include "tests/cache/core/fake_clock.h"
#include "tests/cache/core/test_records.h"
#include "tests/chaos/cache/cache_chaos.h"
#include "tests/support/fake_cache_link.h"
#include "tests/support/memory_store.h"
#include "tests/support/temp_folder.h"
#include "worker/core/reference/record_store.h"

namespace fpo::cache {
namespace {

namespace fs = std::filesystem;
namespace pb = fpo::v1;
using ::fpo::testing::FlipBit;
using ::fpo::testing::ReadWhole;
using ::fpo::testing::WriteWhole;

class CacheBitFlipTest : public ::testing::Test {
 protected:
  CacheBitFlipTest() { InitLog("bit flip test", static_cast<LogLevel>(4)); }
  ~CacheBitFlipTest() override { InitLog("", LogLevel::kInfo); }
  static int Flips(double share) {
    return static_cast<int>(share * fpo::testing::Rounds("FPO_BIT_FLIPS", 500));
  }
  static constexpr int kRecords = 200;

  std::mt19937_64 random_ = fpo::testing::SeededRandom();
  const fpo::testing::TempFolder folder_{fpo::testing::FastFolder()};
  const Recipe recipe_ = FeatureTestRecipe();
};

class TableFlipTest : public CacheBitFlipTest {
 protected:
  RocksdbStoreOptions OptionsFor(const std::string& path) const {
    return {.path = path, .free_bytes_min = 0, .free_fraction_min = 0};
  }
  // A store whose records are in several table files.
  void MakePristine() {
    for (int part = 0; part < 4; ++part) {
      auto store = *RocksdbStore::Open(OptionsFor(folder_ / "pristine"));
      auto cache = *ReferenceCache::Open(store.get(), clock_.both());
      const Digest id = Register(cache.get());
      const RecordClaim claim = *cache->Claim({id, kRecords / 4, "b"});
      ASSERT_TRUE(cache->PutRecords(id, claim.claim_id, PackOrdinals(claim.ordinals)).ok());
    }
    RocksdbStore::Open(OptionsFor(folder_ / "pristine")).status().IgnoreError();
  }
  Digest Register(ReferenceCache* cache) {
    auto status = cache->PutManifest({CanonicalRecipe(recipe_), TestKeys(kRecords), "ann", "job"});
    if (absl::IsUnavailable(status.status())) {
      // A compaction met the damage first: the next ticks move the file aside.
      clock_.Advance(absl::Minutes(2));
      cache->Tick();
      status = cache->PutManifest({CanonicalRecipe(recipe_), TestKeys(kRecords), "ann", "job"});
    }
    EXPECT_TRUE(status.ok()) << status.status();
    return status.ok() ? status->manifest_id : Digest{};
  }
  std::string PackOrdinals(const std::vector<int64_t>& ordinals) const {
    std::vector<PackedRecord> records;
    for (const int64_t i : ordinals) records.push_back(TestRecord(recipe_, static_cast<int>(i)));
    return Pack(records);
  }
  std::string FlipInSomeTable() {
    std::vector<std::string> tables;
    for (const auto& entry : fs::directory_iterator(folder_ / "work")) {
      if (entry.path().extension() == ".sst") tables.push_back(entry.path());
    }
    std::sort(tables.begin(), tables.end());
    const std::string& table = tables[random_() % tables.size()];
    std::string bytes = ReadWhole(table);
    const uint64_t bit = random_() % (bytes.size() * 8);
    FlipBit(&bytes, bit);
    WriteWhole(table, bytes);
    return absl::StrCat(fs::path(table).filename().string(), " bit ", bit, " of ",
                        bytes.size() * 8);
  }
  // What a job does: registers, computes what is missing, reads everything.
  void RunJob(ReferenceCache* cache) {
    for (int round = 0; round < 5; ++round) {
      const Digest id = Register(cache);
      for (;;) {
        const auto claim = cache->Claim({id, 1024, "b"});
        if (absl::IsUnavailable(claim.status())) break;
        ASSERT_TRUE(claim.ok()) << claim.status();
        if (claim->complete) break;
        const auto put = cache->PutRecords(id, claim->claim_id, PackOrdinals(claim->ordinals));
        if (absl::IsUnavailable(put.status())) break;
        ASSERT_TRUE(put.ok()) << put.status();
      }
      const auto header = cache->BeginPull(id);
      if (!header.ok()) continue;
      const auto records = cache->ReadRange(*header, 0, kRecords);
      if (!records.ok()) continue;  // found just now: the next round computes it
      ASSERT_EQ(records->size(), static_cast<size_t>(kRecords));
      for (int i = 0; i < kRecords; ++i) {
        ASSERT_EQ((*records)[static_cast<size_t>(i)], TestRecord(recipe_, i));
      }
      return;
    }
    FAIL() << "the job did not end in five rounds";
  }

  FakeClocks clock_;
};

TEST_F(TableFlipTest, EveryFlipInATableFileIsFoundAndMended) {
  MakePristine();
  const int flips = Flips(0.2);
  for (int i = 0; i < flips && !HasFatalFailure(); ++i) {
    fs::remove_all(folder_ / "work");
    fs::copy(folder_ / "pristine", folder_ / "work", fs::copy_options::recursive);
    SCOPED_TRACE(FlipInSomeTable());
    auto store = RocksdbStore::Open(OptionsFor(folder_ / "work"));
    ASSERT_TRUE(store.ok()) << store.status();
    // Found: by opening it, or by comparing the files with their checksums.
    const bool found = (*store)->Totals().repairs > 0 || !(*store)->VerifyFiles().ok();
    EXPECT_TRUE(found);
    auto cache = *ReferenceCache::Open(store->get(), clock_.both());
    RunJob(cache.get());
  }
}

TEST_F(CacheBitFlipTest, EveryFlipInALocalRecordFileIsFound) {
  const std::string path = folder_ / "records.fpr";
  auto writer = *RecordFileWriter::Create(path, recipe_);
  for (const PackedRecord& record : TestRecords(recipe_, 20)) {
    ASSERT_TRUE(writer->Add(record).ok());
  }
  ASSERT_TRUE(writer->Finish().ok());
  const std::string pristine = ReadWhole(path);
  ASSERT_TRUE(RecordFile::Open(path).ok());
  const int flips = Flips(0.4);
  for (int i = 0; i < flips; ++i) {
    const uint64_t bit = random_() % (pristine.size() * 8);
    std::string bytes = pristine;
    FlipBit(&bytes, bit);
    WriteWhole(path, bytes);
    ASSERT_TRUE(absl::IsDataLoss(RecordFile::Open(path).status())) << "bit " << bit;
  }
}

// Sends a manifest's frames as messages, one of them with a flipped bit, then well.
class FlippingLink final : public fpo::testing::FakeCacheLink {
 public:
  FlippingLink(const Recipe& recipe, int records, uint64_t random)
      : recipe_(recipe), records_(records), random_(random) {}

  absl::Status PullManifest(const PullRequest& request,
                            const std::function<absl::Status(const RecordFrame&)>& on_frame,
                            std::stop_token /*stop*/) override {
    SequenceDigest digest;
    for (int64_t next = request.from_ordinal; next < records_;) {
      pb::PullManifestResponse frame;
      frame.set_first_ordinal(next);
      const int64_t count = std::min<int64_t>(kFrame, records_ - next);
      frame.set_packed(Pack(TestRecords(recipe_, static_cast<int>(count), static_cast<int>(next))));
      frame.set_count(static_cast<int32_t>(count));
      const std::vector<PackedRecord> records = *Unpack(frame.packed());
      for (const PackedRecord& record : records) {
        digest.Add(record.key, record.sha256);
      }
      next += count;
      if (next == records_) frame.set_sha256_of_digests(ToBytes(digest.Finish()));
      std::string wire = frame.SerializeAsString();
      if (!flipped_ && next > records_ / 2) {
        flipped_ = true;
        FlipBit(&wire, random_ % (wire.size() * 8));
      }
      pb::PullManifestResponse arrived;
      if (!arrived.ParseFromString(wire)) return absl::InternalError("malformed message");
      const auto converted = FromProto(std::move(arrived));
      if (!converted.ok()) return converted.status();
      const absl::Status taken = on_frame(*converted);
      if (!taken.ok()) return taken;
    }
    return absl::OkStatus();
  }

 private:
  static constexpr int64_t kFrame = 8;
  const Recipe recipe_;
  const int64_t records_;
  const uint64_t random_;
  bool flipped_ = false;
};

TEST_F(CacheBitFlipTest, AFlipInAPulledFrameNeverReachesTheLocalFile) {
  constexpr int kPulled = 32;
  const int flips = Flips(0.2);
  worker::RecordList list{.manifest = ManifestId(RecipeId(recipe_), TestKeys(kPulled)),
                          .recipe = recipe_,
                          .keys = TestKeys(kPulled)};
  for (int i = 0; i < flips && !HasFatalFailure(); ++i) {
    const uint64_t random = random_();
    SCOPED_TRACE(random);
    FlippingLink link(recipe_, kPulled, random);
    worker::RecordStore::Options options;
    options.folder = folder_ / "records";
    options.backoff = {.first = absl::Microseconds(10), .most = absl::Microseconds(10)};
    worker::RecordStore store(options, &link);
    const auto path = store.Pull(list, [](int64_t) {}, {});
    if (!path.ok()) continue;  // refused whole: the agent pulls again
    const auto file = RecordFile::Open(*path);
    ASSERT_TRUE(file.ok()) << file.status();
    for (int r = 0; r < kPulled; ++r) ASSERT_EQ(*(*file)->At(r), TestRecord(recipe_, r));
    fs::remove(*path);
  }
}

TEST_F(CacheBitFlipTest, AFlipInAnUploadNeverReachesTheStore) {
  const int flips = Flips(0.2);
  FakeClocks clock;
  for (int i = 0; i < flips && !HasFatalFailure(); ++i) {
    MemoryStore store;
    auto cache = *ReferenceCache::Open(&store, clock.both());
    const Digest id =
        cache->PutManifest({CanonicalRecipe(recipe_), TestKeys(kRecords), "", ""})->manifest_id;
    pb::PutRecordsRequest request;
    request.set_seq(1);
    request.set_manifest_id(ToBytes(id));
    request.set_claim_id(cache->Claim({id, kRecords, "b"})->claim_id);
    request.set_packed(Pack(TestRecords(recipe_, 8)));
    std::string wire = request.SerializeAsString();
    const uint64_t bit = random_() % (wire.size() * 8);
    FlipBit(&wire, bit);
    pb::PutRecordsRequest arrived;
    if (!arrived.ParseFromString(wire)) continue;
    const auto manifest = DigestFromBytes(arrived.manifest_id());
    if (!manifest.ok()) continue;
    cache->PutRecords(*manifest, arrived.claim_id(), arrived.packed()).status().IgnoreError();
    const auto stored = cache->GetRecords(id, TestKeys(kRecords));
    ASSERT_TRUE(stored.ok()) << stored.status();
    for (int r = 0; r < kRecords; ++r) {
      const auto& record = (*stored)[static_cast<size_t>(r)];
      ASSERT_TRUE(!record || *record == TestRecord(recipe_, r)) << "bit " << bit;
    }
  }
}

}  // namespace
}  // namespace fpo::cache
