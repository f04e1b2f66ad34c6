// The real program: flags, signals, and what survives kill -9.
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "gmock/gmock.h"
#include "tests/cache/rpc/cache_fixture.h"
#include "tests/support/cache_process.h"

namespace fpo::cache {
namespace {

using ::fpo::testing::CacheProcess;
using ::fpo::testing::ReadWhole;
using ::testing::HasSubstr;

class FpoCacheTest : public ::testing::Test, protected CacheCalls {
 protected:
  std::vector<std::string> Args() const {
    return {"--data",      folder_ / "store", "--listen",        "127.0.0.1:0",    "--http",
            "127.0.0.1:0", "--port-file",     folder_ / "ports", "--free-mib-min", "0"};
  }
  std::unique_ptr<CacheProcess> Run(const std::vector<std::string>& args) {
    return std::make_unique<CacheProcess>(FPO_CACHE_PROGRAM, args, folder_ / "stderr");
  }
  std::unique_ptr<CacheProcess> Serve() {
    unlink((folder_ / "ports").c_str());
    auto process = Run(Args());
    const std::string address = process->AwaitAddress(folder_ / "ports");
    EXPECT_NE(address, "") << ReadWhole(folder_ / "stderr");
    Connect(address);
    return process;
  }

  const fpo::testing::TempFolder folder_;
};

// Whatever the shell's umask is.
TEST_F(FpoCacheTest, NoOtherUserCanReadTheStore) {
  const mode_t before = umask(0);
  const auto process = Serve();
  ASSERT_TRUE(PutManifest(FeatureTestRecipe(), TestKeys(10)).ok());
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "store")) {
    struct stat of = {};
    if (lstat(entry.path().c_str(), &of) != 0) continue;  // RocksDB's own, gone again
    ++files;
    EXPECT_EQ(of.st_mode & 077, 0U) << entry.path();
  }
  EXPECT_GT(files, 3);
  umask(before);
}

TEST_F(FpoCacheTest, EveryAcknowledgedRecordSurvivesKillNine) {
  const Recipe recipe = FeatureTestRecipe();
  constexpr int kBuilders = 4;
  constexpr int kKeys = 20'000;
  auto process = Serve();
  const std::string id = PutManifest(recipe, TestKeys(kKeys))->manifest_id();
  absl::Mutex mutex;
  std::vector<int> acknowledged;
  const auto build = [&] {
    const auto claim = Claim(id, 1024);
    if (!claim.ok()) return;
    const auto context = Context();
    const auto stream = stub().PutRecords(context.get());
    fpo::v1::PutRecordsRequest request;
    request.set_manifest_id(id);
    request.set_claim_id(claim->claim_id());
    fpo::v1::PutRecordsResponse ack;
    for (const int64_t ordinal : claim->ordinals()) {
      request.set_seq(request.seq() + 1);
      request.set_packed(Pack({TestRecord(recipe, static_cast<int>(ordinal))}));
      if (!stream->Write(request) || !stream->Read(&ack)) break;
      absl::MutexLock lock(&mutex);
      acknowledged.push_back(static_cast<int>(ordinal));
    }
    stream->Finish();
  };
  std::vector<std::thread> builders;
  for (int b = 0; b < kBuilders; ++b) builders.emplace_back(build);
  {
    const auto enough = [&] { return acknowledged.size() >= 200; };
    absl::MutexLock lock(&mutex);
    EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(60)));
  }
  EXPECT_EQ(process->Stop(SIGKILL), -SIGKILL);
  for (std::thread& builder : builders) builder.join();
  ASSERT_LT(acknowledged.size(), static_cast<size_t>(kBuilders) * 1024) << "killed too late";

  process = Serve();
  for (size_t from = 0; from < acknowledged.size(); from += 256) {
    fpo::v1::GetRecordsRequest request;
    request.set_manifest_id(id);
    for (size_t i = from; i < std::min(acknowledged.size(), from + 256); ++i) {
      request.mutable_keys()->append(ToBytes(TestKey(acknowledged[i])));
    }
    fpo::v1::GetRecordsResponse response;
    ASSERT_TRUE(stub().GetRecords(Context().get(), request, &response).ok());
    EXPECT_EQ(response.missing_size(), 0);
    EXPECT_TRUE(Unpack(response.packed()).ok());
  }
  EXPECT_GT(Claim(id, 1)->claim_id() >> 40, 1u) << "a restart has a larger boot number";
  EXPECT_EQ(process->Stop(SIGTERM), 0);
}

TEST_F(FpoCacheTest, TermDrainsAndEndsWithZero) {
  auto process = Serve();
  EXPECT_EQ(process->Stop(SIGTERM), 0);
  EXPECT_THAT(ReadWhole(folder_ / "stderr"), HasSubstr("\"message\":\"shutting down\""));
}

TEST_F(FpoCacheTest, RefusesAnOpenListenerWithoutTls) {
  EXPECT_EQ(Run({"--data", folder_ / "d", "--listen", "0.0.0.0:0"})->Stop(0), 2);
  EXPECT_THAT(ReadWhole(folder_ / "stderr"), HasSubstr("--insecure"));
}

TEST_F(FpoCacheTest, ChecksItsConfigFileStrictly) {
  const std::string file = folder_ / "c.toml";
  fpo::testing::WriteWhole(file, "data = \"/tmp/x\"\nlease = \"10s\"\n");
  EXPECT_EQ(Run({"--config", file, "--check-config"})->Stop(0), 0);
  fpo::testing::WriteWhole(file, "data = \"/tmp/x\"\nlaese = \"10s\"\n");
  EXPECT_EQ(Run({"--config", file, "--check-config"})->Stop(0), 2);
  EXPECT_THAT(ReadWhole(folder_ / "stderr"), HasSubstr("laese"));
}

}  // namespace
}  // namespace fpo::cache
