#include "coordinator/core/backup/store_backups.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "common/error_info.h"
#include "coordinator/core/backup/store_restore.h"
#include "coordinator/core/store/rocksdb_job_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/coordinator/core/temp_dir.h"

namespace fpo::coordinator {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// A store with a running, a queued, a paused and a succeeded job, and a folder for its backups.
class StoreBackupsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = RocksdbJobStore::Open(dir_.path() + "/data").value();
    Create(RunningJob("a"), JobState::kRunning, 5);
    Create(MakeJob("b"), JobState::kQueued, 6);
    Create(RunningJob("c"), JobState::kPaused, 7);
    Create(RunningJob("d"), JobState::kSucceeded, 8);
  }
  void Create(Job job, JobState state, uint64_t revision) {
    job.state = state;
    job.revision = revision;
    ASSERT_TRUE(store_->CreateJob(job, {"r-" + job.job_id, "d", job.job_id, kStart}).ok());
  }
  StoreBackups Backups(int keep = 24) { return {{folder_, keep}, store_.get()}; }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  static void Damage(const std::string& path) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(20);
    const int byte = file.get();
    file.seekp(20);
    file.put(static_cast<char>(byte ^ 1));
  }
  TempDir dir_;
  const std::string folder_ = dir_.path() + "/backups";
  const std::string target_ = dir_.path() + "/restored";
  std::unique_ptr<RocksdbJobStore> store_;
};

TEST_F(StoreBackupsTest, ABackupIsMadeWhileTheStoreIsInUseAndListsItsFiles) {
  StoreBackups backups = Backups();
  const StoreBackup made = backups.Make(kStart).value();
  EXPECT_THAT(made.path, EndsWith("/jobs-20270115T080000.000Z"));
  EXPECT_EQ(made.manifest.jobs, 4);
  EXPECT_EQ(made.manifest.revision, 8u);
  EXPECT_EQ(made.manifest.store_id, store_->LoadIdentity().value().id);
  EXPECT_EQ(ReadBackupManifest(made.path).value(), made.manifest);
  EXPECT_EQ(StoreBackups::NewestIn(folder_), made.path);
  Create(MakeJob("e"), JobState::kQueued, 9);
  EXPECT_EQ(backups.Make(kStart + absl::Hours(1)).value().manifest.jobs, 5);
}

TEST_F(StoreBackupsTest, TheNewestFewAreKeptAndUnfinishedOnesDoNotCount) {
  fs::create_directories(folder_ + "/jobs-20990101T000000.000Z.part");
  StoreBackups backups = Backups(2);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(backups.Make(kStart + i * absl::Hours(1)).ok());
  EXPECT_THAT(Names(), ElementsAre("jobs-20270115T100000.000Z", "jobs-20270115T110000.000Z",
                                   "jobs-20990101T000000.000Z.part"));
  EXPECT_THAT(StoreBackups::NewestIn(folder_), EndsWith("jobs-20270115T110000.000Z"));
}

TEST_F(StoreBackupsTest, WithoutAFolderNoneIsMade) {
  StoreBackups none({.folder = ""}, store_.get());
  EXPECT_EQ(ReasonOf(none.Make(kStart).status()), ErrorReason::kNoBackupFolder);
}

// "Unavailable" would read as a coordinator that is down.
TEST_F(StoreBackupsTest, AFolderThatCannotBeWrittenIsNamed) {
  StoreBackups closed({.folder = "/proc/sys"}, store_.get());
  const absl::Status refused = closed.Make(kStart).status();
  EXPECT_EQ(ReasonOf(refused), ErrorReason::kNoBackupFolder);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("in /proc/sys: "));
}

TEST_F(StoreBackupsTest, ARestoredStoreIsBeyondAllThatWasSeen) {
  const StoreBackup backup = Backups().Make(kStart).value();
  const std::string id = store_->LoadIdentity().value().id;
  const RestoreReport report =
      RestoreJobStore(backup.path, target_, kStart + absl::Hours(1)).value();
  EXPECT_THAT(report.fenced_jobs, ElementsAre("a"));
  EXPECT_THAT(report.waiting_jobs, ElementsAre("b", "c"));
  EXPECT_THAT(report.terminal_jobs, ElementsAre("d"));
  EXPECT_FALSE(fs::exists(target_ + "/BACKUP"));
  const auto restored = RocksdbJobStore::Open(target_).value();
  EXPECT_EQ(restored->LoadIdentity().value(),
            (StoreIdentity{.id = id, .restored = true, .revision = 8 + kBeyondTheSeen}));
  const std::vector<Job> jobs = restored->LoadJobs().value();
  for (const Job& job : jobs) {
    EXPECT_GE(job.epoch, kBeyondTheSeen) << job.job_id;
  }
  const Job a = restored->LoadJobs().value().at(0);
  EXPECT_EQ(a.state, JobState::kRecovering);
  EXPECT_FALSE(IsCurrent(a, LastAttemptRef(a)));
  EXPECT_FALSE(a.attempts.back().AllEnded()) << "its processes must be seen to end";
  EXPECT_EQ(restored->FindRequest("r-a").value()->job_id, "a");
}

TEST_F(StoreBackupsTest, AnyDamagedFileOfABackupIsFoundBeforeAnythingIsRestored) {
  const StoreBackup backup = Backups().Make(kStart).value();
  std::vector<std::string> names = {"BACKUP"};
  for (const BackupManifest::File& file : backup.manifest.files) {
    if (file.bytes > 20) names.push_back(file.name);
  }
  ASSERT_THAT(names, ::testing::SizeIs(::testing::Ge(5u)));
  for (const std::string& name : names) {
    const std::string copy = dir_.path() + "/copy";
    fs::copy(backup.path, copy, fs::copy_options::recursive);
    Damage(copy + "/" + name);
    const auto restored = RestoreJobStore(copy, target_, kStart);
    EXPECT_TRUE(absl::IsDataLoss(restored.status())) << name << ": " << restored.status();
    EXPECT_THAT(std::string(restored.status().message()), HasSubstr(name));
    EXPECT_FALSE(fs::exists(target_));
    fs::remove_all(copy);
  }
}

TEST_F(StoreBackupsTest, WhatIsNoBackupOrHasNoPlaceIsNotRestored) {
  const StoreBackup backup = Backups().Make(kStart).value();
  EXPECT_TRUE(absl::IsNotFound(RestoreJobStore(dir_.path(), target_, kStart).status()));
  fs::create_directories(target_);
  std::ofstream(target_ + "/x") << "y";
  EXPECT_TRUE(absl::IsAlreadyExists(RestoreJobStore(backup.path, target_, kStart).status()));
  EXPECT_TRUE(fs::exists(target_ + "/x"));
}

}  // namespace
}  // namespace fpo::coordinator
