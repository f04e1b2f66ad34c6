#include "coordinator/store_commands.h"

#include "coordinator/core/backup/store_backups.h"
#include "coordinator/core/store/rocksdb_job_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/coordinator/core/temp_dir.h"

namespace fpo::coordinator {
namespace {

using ::testing::HasSubstr;

class StoreCommandsTest : public ::testing::Test {
 protected:
  StoreCommandsTest() { flags_.config.data = dir_.path() + "/data"; }
  std::string Run() { return RunStoreCommand(flags_).value().value(); }
  std::string Refused() { return std::string(RunStoreCommand(flags_).value().status().message()); }
  TempDir dir_;
  CoordinatorFlags flags_;
};

TEST_F(StoreCommandsTest, WithoutOneTheProgramServes) {
  EXPECT_EQ(RunStoreCommand(flags_), std::nullopt);
}

TEST_F(StoreCommandsTest, InitConfirmsANewStoreOnce) {
  flags_.init = true;
  EXPECT_THAT(Run(), HasSubstr("made store "));
  EXPECT_TRUE(RocksdbJobStore::Open(flags_.config.data).value()->LoadIdentity().value().confirmed);
  EXPECT_THAT(Refused(), HasSubstr("holds store "));
}

TEST_F(StoreCommandsTest, ABackupIsRestoredAndAnOlderCopyAccepted) {
  std::string backup;
  {
    const auto store = RocksdbJobStore::Open(flags_.config.data).value();
    ASSERT_TRUE(store->CreateJob(RunningJob("a"), {"r", "d", "a", kStart}).ok());
    StoreBackups backups({.folder = dir_.path() + "/backups"}, store.get());
    backup = backups.Make(kStart).value().path;
  }
  flags_.restore = backup;
  EXPECT_THAT(Refused(), HasSubstr("is not empty"));
  flags_.config.data = dir_.path() + "/new";
  EXPECT_THAT(Run(), HasSubstr("as of 2027-01-15T08:00:00+00:00"));
  flags_.restore.clear();
  flags_.accept_older = true;
  EXPECT_THAT(Run(), HasSubstr("jobs whose processes are stopped before they go on: 1\n  a\n"));
  flags_.accept_older = false;
  flags_.repair = true;
  EXPECT_THAT(Run(), HasSubstr("jobs held until fpoctl release: 1\n  a\n"));
  flags_.config.data.clear();
  EXPECT_THAT(Refused(), HasSubstr("--copy-store"));
}

}  // namespace
}  // namespace fpo::coordinator
