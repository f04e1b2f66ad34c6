// The cache commands against a real cache in this process.
#include <filesystem>

#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/ctl/cache_site.h"
#include "tests/ctl/command_run.h"

namespace fpo::ctl {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class CacheCommandsTest : public CommandRun {
 protected:
  CacheCommandsTest() { environment_.cache_server = site_.address(); }

  Site site_{200};
  const fpo::testing::TempFolder files_;
};

TEST_F(CacheCommandsTest, PinAndUnpinShowTheirEffect) {
  const std::string prefix = site_.hex().substr(0, 6);
  EXPECT_THAT(Run({"cache", "pin", prefix}).out, HasSubstr("pinned until it is unpinned"));
  EXPECT_THAT(Run({"cache", "ls"}).out, HasSubstr("is pinned"));
  EXPECT_THAT(Run({"cache", "pin", prefix, "--for", "48h"}).out, HasSubstr("pinned until 20"));
  const Result unpinned = Run({"cache", "unpin", prefix});
  EXPECT_EQ(unpinned.code, 0);
  EXPECT_THAT(unpinned.out, HasSubstr("is not pinned"));
  EXPECT_EQ(json::parse(Run({"cache", "pin", prefix, "--json"}).out)["manifest"]["pinned"], true);
  EXPECT_EQ(Run({"cache", "pin", "77"}).code, 4);
}

TEST_F(CacheCommandsTest, VerifyAndQuarantine) {
  const Result whole = Run({"cache", "verify", site_.hex()});
  EXPECT_EQ(whole.code, 0) << whole.err;
  EXPECT_THAT(whole.out, HasSubstr("checked 200 records"));
  EXPECT_THAT(whole.out, HasSubstr("all intact"));
  EXPECT_THAT(Run({"cache", "verify"}).out, HasSubstr("checked 400 records"));
  EXPECT_THAT(Run({"cache", "quarantine"}).out, HasSubstr("no record is out of use"));
  const std::string key = ToHex(cache::TestKey(3));
  EXPECT_THAT(Run({"cache", "quarantine", site_.hex(), key, "--reason", "GPU 3"}).out,
              HasSubstr("1 records are out of use"));
  EXPECT_THAT(Run({"cache", "quarantine"}).out, HasSubstr("GPU 3"));
  EXPECT_EQ(Run({"cache", "quarantine", "-q"}).out, key + "\n");
  EXPECT_THAT(Run({"cache", "quarantine", site_.hex(), "xyz"}).err, HasSubstr("64"));
  EXPECT_THAT(Run({"cache", "info", site_.hex()}).out, HasSubstr("199 of 200 present"));
}

TEST_F(CacheCommandsTest, GcExplainsItself) {
  const Result dry = Run({"cache", "gc", "--dry-run"});
  EXPECT_EQ(dry.code, 0) << dry.err;
  EXPECT_THAT(dry.out, HasSubstr("stay"));
  EXPECT_THAT(dry.out, HasSubstr("retained by a job until"));
  EXPECT_THAT(dry.out, HasSubstr("would remove 0 records"));
  EXPECT_EQ(Run({"cache", "gc", "-q"}).out, "");
  EXPECT_EQ(json::parse(Run({"cache", "gc", "--dry-run", "--json"}).out)["dry_run"], true);
}

TEST_F(CacheCommandsTest, AnExportedFileFillsAnotherSite) {
  const std::string file = files_ / "set.fpr";
  const Result out = Run({"cache", "export", site_.hex().substr(0, 8), file});
  ASSERT_EQ(out.code, 0) << out.err;
  EXPECT_THAT(out.out, HasSubstr("exported 200 records"));
  Site other;
  environment_.cache_server = other.address();
  const Result in = Run({"cache", "import", file, "--name", "from site a"});
  ASSERT_EQ(in.code, 0) << in.err;
  EXPECT_THAT(in.out, HasSubstr("imported 200 of 200 records"));
  EXPECT_THAT(in.out, HasSubstr(site_.hex())) << "the same manifest at both sites";
  EXPECT_THAT(Run({"cache", "ls"}).out, HasSubstr("from site a"));
  EXPECT_THAT(Run({"cache", "import", file}).out,
              HasSubstr("imported 0 of 200 records into manifest " + site_.hex() +
                        "; 200 were there already"));
  EXPECT_THAT(Run({"cache", "verify", site_.hex()}).out, HasSubstr("all intact"));
  // And back: both files are the same, byte for byte.
  ASSERT_EQ(Run({"cache", "export", site_.hex(), files_ / "again.fpr"}).code, 0);
  EXPECT_EQ(fpo::testing::ReadWhole(file), fpo::testing::ReadWhole(files_ / "again.fpr"));
}

TEST_F(CacheCommandsTest, AnExportDoesNotWriteOverAFileUnasked) {
  const std::string file = files_ / "set.fpr";
  fpo::testing::WriteWhole(file, "mine");
  const Result refused = Run({"cache", "export", site_.hex(), file});
  EXPECT_EQ(refused.code, 7);
  EXPECT_THAT(refused.err, HasSubstr("set.fpr already exists; hint: name another file, or "
                                     "overwrite it: fpoctl cache export"));
  EXPECT_EQ(fpo::testing::ReadWhole(file), "mine");
  EXPECT_EQ(Run({"cache", "export", site_.hex(), file, "--force"}).code, 0);
  EXPECT_NE(fpo::testing::ReadWhole(file), "mine");
  EXPECT_THAT(Run({"cache", "export", site_.hex(), files_.path()}).err,
              HasSubstr("Is a directory"));
  EXPECT_THAT(Run({"cache", "export", site_.hex(), files_ / "none/set.fpr"}).err,
              HasSubstr("No such file or directory; hint: is the path right?"));
}

TEST_F(CacheCommandsTest, ADamagedFileIsNotImported) {
  const std::string file = files_ / "set.fpr";
  ASSERT_EQ(Run({"cache", "export", site_.hex(), file}).code, 0);
  std::string bytes = fpo::testing::ReadWhole(file);
  bytes[bytes.size() / 2] ^= 1;
  fpo::testing::WriteWhole(file, bytes);
  Site other;
  environment_.cache_server = other.address();
  const Result in = Run({"cache", "import", file});
  EXPECT_NE(in.code, 0);
  EXPECT_THAT(in.err, HasSubstr("SHA-256"));
  EXPECT_THAT(Run({"cache", "ls", "-q"}).out, "");
  EXPECT_EQ(Run({"cache", "import", files_ / "none.fpr"}).code, 4);
}

TEST_F(CacheCommandsTest, AnIncompleteManifestIsNotExported) {
  ASSERT_EQ(Run({"cache", "quarantine", site_.hex(), ToHex(cache::TestKey(3))}).code, 0);
  const Result out = Run({"cache", "export", site_.hex(), files_ / "set.fpr"});
  EXPECT_EQ(out.code, 7);
  EXPECT_THAT(out.err, HasSubstr("1 of 200 records are missing"));
  EXPECT_FALSE(std::filesystem::exists(files_ / "set.fpr"));
}

TEST_F(CacheCommandsTest, BackupNamesTheCopy) {
  const Result result = Run({"cache", "backup"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("copied 400 records"));
  EXPECT_THAT(Run({"cache", "backup", "-q"}).out, HasSubstr("backups/cache-"));
}

TEST_F(CacheCommandsTest, InfoShowsLimitsAndOwners) {
  const std::string text = Run({"cache", "info"}).out;
  EXPECT_THAT(text, HasSubstr("limits       evict above none"));
  EXPECT_THAT(text, HasSubstr("OWNER"));
  EXPECT_THAT(text, HasSubstr("ann"));
  EXPECT_THAT(text, Not(HasSubstr("read-only")));
}

}  // namespace
}  // namespace fpo::ctl
