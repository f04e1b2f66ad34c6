#include "common/files/posix_status.h"

#include <errno.h>

#include <fstream>
#include <string>

#include "common/error_info.h"
#include "gtest/gtest.h"
#include "tests/train/support/scratch_folder.h"

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

TEST(PosixStatus, FilesAreReadWholeWithinALimit) {
  const train::ScratchFolder folder;
  const std::string path = folder / "file";
  std::ofstream(path) << "new bytes";
  EXPECT_EQ(*ReadFile(path), "new bytes");
  EXPECT_EQ(*ReadFile(path, 9), "new bytes");
  EXPECT_EQ(ReadFile(path, 3).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::IsNotFound(ReadFile(path + "-none").status()));
  EXPECT_EQ(GetErrorInfo(ReadFile(folder.path()).status())->reason, ErrorReason::kIsFolder);
}

}  // namespace
}  // namespace fpo
