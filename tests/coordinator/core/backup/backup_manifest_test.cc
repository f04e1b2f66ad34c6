#include "coordinator/core/backup/backup_manifest.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::coordinator {
namespace {

using ::testing::HasSubstr;

BackupManifest Example(const std::string& folder) {
  fpo::testing::WriteWhole(folder + "/a", "aaa");
  fpo::testing::WriteWhole(folder + "/b", "");
  BackupManifest manifest;
  manifest.store_id = "s1";
  manifest.revision = 7;
  manifest.time = absl::FromUnixMillis(1'800'000'000'123);
  manifest.jobs = 2;
  manifest.files = DigestFiles(folder).value();
  return manifest;
}

TEST(BackupManifest, IsReadAsItWasWritten) {
  fpo::testing::TempFolder folder;
  const BackupManifest manifest = Example(folder.path());
  ASSERT_TRUE(WriteBackupManifest(folder.path(), manifest).ok());
  EXPECT_EQ(ReadBackupManifest(folder.path()).value(), manifest);
  EXPECT_EQ(manifest.bytes(), 3);
  EXPECT_EQ(DigestFiles(folder.path()).value().size(), 2u) << "it does not list itself";
}

TEST(BackupManifest, AnyChangeOrCutIsFound) {
  fpo::testing::TempFolder folder;
  ASSERT_TRUE(WriteBackupManifest(folder.path(), Example(folder.path())).ok());
  const std::string text = fpo::testing::ReadWhole(folder / "BACKUP");
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    fpo::testing::WriteWhole(folder / "BACKUP", changed);
    EXPECT_TRUE(absl::IsDataLoss(ReadBackupManifest(folder.path()).status())) << i;
    fpo::testing::WriteWhole(folder / "BACKUP", text.substr(0, i));
    EXPECT_TRUE(absl::IsDataLoss(ReadBackupManifest(folder.path()).status())) << i;
  }
}

TEST(BackupManifest, ACopyIsComparedWithItsDigests) {
  fpo::testing::TempFolder folder;
  const BackupManifest manifest = Example(folder.path());
  fpo::testing::TempFolder targets;
  ASSERT_TRUE(CopyBackup(folder.path(), manifest, targets / "good").ok());
  EXPECT_EQ(fpo::testing::ReadWhole(targets / "good/a"), "aaa");
  fpo::testing::WriteWhole(folder / "a", "aab");
  const absl::Status changed = CopyBackup(folder.path(), manifest, targets / "changed");
  EXPECT_TRUE(absl::IsDataLoss(changed));
  EXPECT_THAT(std::string(changed.message()), HasSubstr(folder / "a"));
}

}  // namespace
}  // namespace fpo::coordinator
