#include "common/files/durable_file.h"

#include <filesystem>

#include "common/error_info.h"
#include "common/files/posix_status.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;

class DurableFileTest : public ::testing::Test {
 protected:
  DurableFileTest() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  int64_t Files() const { return std::distance(fs::directory_iterator(folder_), {}); }

  const std::string folder_ =
      ::testing::TempDir() + "/" +
      ::testing::UnitTest::GetInstance()->current_test_info()->test_suite_name() + "-" +
      ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const std::string path_ = folder_ + "/a";
};

TEST_F(DurableFileTest, AppearsOnlyWhenFinished) {
  auto file = DurableFile::Create(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->Append("one").ok());
  ASSERT_TRUE((*file)->Append(std::string(3 << 20, 'x')).ok());  // larger than the buffer
  EXPECT_FALSE(fs::exists(path_));
  ASSERT_TRUE((*file)->Finish().ok());
  EXPECT_EQ(*ReadFile(path_), "one" + std::string(3 << 20, 'x'));
  EXPECT_EQ((*file)->size(), 3 + (3 << 20));
  EXPECT_EQ(Files(), 1);
}

TEST_F(DurableFileTest, AnUnfinishedFileLeavesNothingAndKeepsTheOldOne) {
  ASSERT_TRUE(WriteFileAtomically(path_, "old").ok());
  {
    auto file = DurableFile::Create(path_);
    ASSERT_TRUE((*file)->Append("new").ok());
    EXPECT_EQ(Files(), 2);
  }
  EXPECT_EQ(*ReadFile(path_), "old");
  EXPECT_EQ(Files(), 1);
}

TEST_F(DurableFileTest, TwoWritersDoNotShareTheUnfinishedFile) {
  auto first = DurableFile::Create(path_);
  auto second = DurableFile::Create(path_);
  ASSERT_TRUE((*first)->Append("first").ok());
  ASSERT_TRUE((*second)->Append("second").ok());
  ASSERT_TRUE((*second)->Finish().ok());
  ASSERT_TRUE((*first)->Finish().ok());
  EXPECT_EQ(*ReadFile(path_), "first") << "the last one wins";
  EXPECT_EQ(Files(), 1);
}

TEST_F(DurableFileTest, WritesWholeFilesAnew) {
  ASSERT_TRUE(WriteFileAtomically(path_, "old").ok());
  ASSERT_TRUE(WriteFileAtomically(path_, "new bytes").ok());
  EXPECT_EQ(*ReadFile(path_), "new bytes");
  EXPECT_EQ(Files(), 1);
}

TEST_F(DurableFileTest, AnErrorNamesTheFileThatWasAskedFor) {
  const std::string path = folder_ + "/no-such-folder/file";
  const absl::Status status = WriteFileAtomically(path, "x");
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(status.message(), "write " + path + ": No such file or directory");
}

TEST_F(DurableFileTest, AFolderInTheWayKeepsItsPlace) {
  fs::create_directories(path_ + "/full");
  const absl::Status status = WriteFileAtomically(path_, "x");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_EQ(Files(), 1) << "no unfinished file is left";
}

TEST_F(DurableFileTest, FoldersAreSynced) {
  EXPECT_TRUE(SyncFolder(folder_).ok());
  EXPECT_TRUE(SyncParentFolder(path_).ok());
  EXPECT_TRUE(SyncFolder("").ok());
  EXPECT_TRUE(absl::IsNotFound(SyncFolder(folder_ + "/none")));
}

}  // namespace
}  // namespace fpo
