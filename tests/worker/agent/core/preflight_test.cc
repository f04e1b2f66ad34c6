#include "worker/agent/core/preflight.h"

#include <chrono>
#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::agent {
namespace {

using fpo::testing::TempFolder;
using ::testing::HasSubstr;

TEST(PreflightTest, FreeSpaceIsThatOfTheNearestFolder) {
  TempFolder folder;
  EXPECT_TRUE(CheckFreeBytes(folder / "not/yet/there", 1).ok());
  const absl::Status status = CheckFreeBytes(folder / "not/yet/there", int64_t{1} << 60);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(folder.path()));
}

TEST(PreflightTest, OutputNeedsAFolder) {
  TempFolder folder;
  EXPECT_TRUE(CheckCanWrite(folder / "runs/1").ok());
  fpo::testing::WriteWhole(folder / "file", "x");
  const absl::Status status = CheckCanWrite(folder / "file/runs");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is not a folder"));
}

TEST(PreflightTest, OldWorkGoesNewWorkStays) {
  namespace fs = std::filesystem;
  TempFolder work;
  for (const char* name : {"/jobs/old", "/jobs/new"}) {
    fs::create_directories(work.path() + name);
  }
  fs::last_write_time(work / "jobs/old",
                      fs::file_time_type::clock::now() - std::chrono::hours(24 * 8));
  RemoveOldWork(work.path());
  EXPECT_FALSE(fs::exists(work / "jobs/old"));
  EXPECT_TRUE(fs::exists(work / "jobs/new"));
}

TEST(PreflightTest, SharedMemoryTooSmallForTheRanksIsNamed) {
  EXPECT_TRUE(CheckSharedMemory("/dev/shm", 1).ok());
  EXPECT_TRUE(CheckSharedMemory("/no/such/folder", 8).ok());
  const absl::Status small = CheckSharedMemory("/tmp", 1 << 30);
  EXPECT_TRUE(absl::IsUnavailable(small));
  EXPECT_NE(small.message().find("1073741824 ranks need"), absl::string_view::npos) << small;
  EXPECT_NE(small.message().find("--shm-size"), absl::string_view::npos);
}

}  // namespace
}  // namespace fpo::agent
