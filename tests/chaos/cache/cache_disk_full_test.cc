// A file system of a few MiB fills up under a running fpo-cache: writes are refused with
// RESOURCE_EXHAUSTED, reads go on, and writes come back by themselves when there is space.
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "gmock/gmock.h"
#include "tests/cache/rpc/cache_fixture.h"
#include "tests/chaos/cache/cache_chaos.h"
#include "tests/support/cache_process.h"

namespace fpo::cache {
namespace {

namespace pb = fpo::v1;
using ::fpo::testing::CacheProcess;

class CacheDiskFullTest : public ::testing::Test, protected CacheCalls {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(folder_ / "small");
    mounted_ = mount("tmpfs", (folder_ / "small").c_str(), "tmpfs", 0, "size=24m") == 0;
    if (!mounted_) GTEST_SKIP() << "no small file system: mounting one needs root";
  }
  void TearDown() override {
    if (HasFailure()) std::cout << fpo::testing::ReadWhole(folder_ / "log");
    process_.reset();
    if (mounted_) umount((folder_ / "small").c_str());
  }
  void Serve(const std::string& free_mib_min) {
    process_ = std::make_unique<CacheProcess>(
        FPO_CACHE_PROGRAM,
        std::vector<std::string>{"--data", folder_ / "small/store", "--listen", "127.0.0.1:0",
                                 "--http", "127.0.0.1:0", "--port-file", folder_ / "ports",
                                 "--free-mib-min", free_mib_min},
        folder_ / "log");
    const std::string address = process_->AwaitAddress(folder_ / "ports");
    ASSERT_NE(address, "") << fpo::testing::ReadWhole(folder_ / "log");
    Connect(address);
  }
  // Takes all but `left` KiB of the file system.
  void Fill(int64_t left_kib) {
    std::ofstream filler(folder_ / "small/filler", std::ios::binary | std::ios::app);
    const std::string block(4096, 'x');
    while (std::filesystem::space(folder_ / "small").available >
           static_cast<uint64_t>(left_kib) * 1024) {
      if (!filler.write(block.data(), 4096).flush()) break;
    }
  }
  // Records of 20 KiB; the next one that is not yet stored.
  absl::Status PutOne() {
    Recipe recipe = FeatureTestRecipe();
    const auto claim = Claim(id_, 1);
    if (!claim.ok()) return claim.status();
    if (claim->claim_id() == 0) return absl::InternalError("nothing to claim");
    const PackedRecord record = LargeRecord(static_cast<int>(claim->ordinals(0)));
    const auto put = PutRecords(id_, claim->claim_id(), {Pack({record})});
    if (put.ok()) {
      stored_ = static_cast<int>(claim->ordinals(0)) + 1;
      return absl::OkStatus();
    }
    pb::ReleaseClaimRequest release;
    release.set_claim_id(claim->claim_id());
    pb::ReleaseClaimResponse released;
    stub().ReleaseClaim(Context().get(), release, &released);
    return put.status();
  }
  static PackedRecord LargeRecord(int i) {
    Record record;
    record.sum_logp = -i;
    record.tokens = 9;
    record.features.emplace_back();
    for (uint32_t f = 0; f < 4000; ++f) {
      record.features[0].emplace_back(f * 3 + 1, 0.5f + static_cast<float>((f * 7 + 13 * i) % 91));
    }
    return fpo::Pack(TestKey(i), record);
  }
  // Reads what is stored and compares it.
  void ExpectReadable() {
    pb::GetRecordsRequest request;
    request.set_manifest_id(id_);
    for (int i = 0; i < stored_; i += 7) request.mutable_keys()->append(ToBytes(TestKey(i)));
    pb::GetRecordsResponse response;
    const grpc::Status status = stub().GetRecords(Context().get(), request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.missing_size(), 0);
    const auto records = Unpack(response.packed());
    ASSERT_TRUE(records.ok());
    for (size_t n = 0; n < records->size(); ++n) {
      EXPECT_EQ((*records)[n], LargeRecord(static_cast<int>(n) * 7));
    }
  }
  // Writes until one is refused, which must happen within `most` records.
  void WriteUntilRefused(int most) {
    for (int i = 0; i < most; ++i) {
      const absl::Status status = PutOne();
      if (status.ok()) continue;
      EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
      return;
    }
    FAIL() << "never refused";
  }
  void ExpectWritesComeBack() {
    std::filesystem::remove(folder_ / "small/filler");
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    absl::Status status = PutOne();
    while (!status.ok() && absl::Now() < deadline) {
      poll(nullptr, 0, 50);
      status = PutOne();
    }
    EXPECT_TRUE(status.ok()) << status;
  }

  const fpo::testing::TempFolder folder_;
  bool mounted_ = false;
  std::unique_ptr<CacheProcess> process_;
  std::string id_;
  int stored_ = 0;
};

TEST_F(CacheDiskFullTest, WritesStopAtTheReserveAndComeBack) {
  Serve("4");
  id_ = PutManifest(FeatureTestRecipe(), TestKeys(2000))->manifest_id();
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(PutOne().ok());
  Fill(6 * 1024);
  WriteUntilRefused(400);
  ExpectReadable();
  EXPECT_TRUE(PutManifest(FeatureTestRecipe(), TestKeys(2000)).ok())
      << "a job that needs nothing new starts";
  ExpectWritesComeBack();
  ExpectReadable();
}

TEST_F(CacheDiskFullTest, AFileSystemFullToTheLastBlockIsSurvived) {
  Serve("0");  // no reserve of ours: RocksDB itself meets ENOSPC
  id_ = PutManifest(FeatureTestRecipe(), TestKeys(2000))->manifest_id();
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(PutOne().ok());
  Fill(8);
  WriteUntilRefused(2000);
  ExpectReadable();
  ExpectWritesComeBack();
  ExpectReadable();
  // And after a restart.
  EXPECT_EQ(process_->Stop(SIGKILL), -SIGKILL);
  unlink((folder_ / "ports").c_str());
  Serve("0");
  ExpectReadable();
}

}  // namespace
}  // namespace fpo::cache
