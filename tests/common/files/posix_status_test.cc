#include "common/files/posix_status.h"

#include <errno.h>

#include <filesystem>

#include "common/error_info.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(PosixStatus, NamesTheCallAndThePath) {
  const absl::Status status = PosixError(ENOENT, "open", "/data/x");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("open"), absl::string_view::npos);
  EXPECT_NE(status.message().find("/data/x"), absl::string_view::npos);
  EXPECT_EQ(PosixError(ENOSPC, "write", "x").code(), absl::StatusCode::kResourceExhausted);
}

TEST(PosixStatus, SaysWhatToDo) {
  EXPECT_EQ(GetErrorInfo(PosixError(ENOSPC, "write", "x"))->reason, ErrorReason::kDiskFull);
  EXPECT_EQ(GetErrorInfo(PosixError(EACCES, "open", "x"))->reason, ErrorReason::kFileDenied);
  EXPECT_EQ(GetErrorInfo(PosixError(ENOENT, "open", "x"))->reason, ErrorReason::kNoFile);
  EXPECT_FALSE(GetErrorInfo(PosixError(EINTR, "open", "x")).has_value());
}

TEST(PosixStatus, AnErrorNamesTheFileThatWasAskedFor) {
  const std::string path = ::testing::TempDir() + "/no-such-folder/file";
  EXPECT_EQ(WriteFileAtomically(path, "x").message(),
            "write " + path + ": No such file or directory");
}

TEST(PosixStatus, FilesAreWrittenWholeAndReadWithinALimit) {
  const std::string folder = ::testing::TempDir() + "/posix_status_test";
  std::filesystem::create_directories(folder);
  const std::string path = folder + "/file";
  ASSERT_TRUE(WriteFileAtomically(path, "old").ok());
  ASSERT_TRUE(WriteFileAtomically(path, "new bytes").ok());
  EXPECT_EQ(*ReadFile(path, 100), "new bytes");
  EXPECT_EQ(ReadFile(path, 3).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  EXPECT_FALSE(WriteFileAtomically(folder + "/none/file", "x").ok());
}

}  // namespace
}  // namespace fpo
