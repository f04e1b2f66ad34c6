#include "common/store/not_copied.h"

#include <gtest/gtest.h>

#include "common/error_info.h"

namespace fpo {
namespace {

TEST(NotCopied, TheFoldersTroubleIsNotTheProgramsOwn) {
  const absl::Status told = NotCopied(absl::UnavailableError("mkdir: Read-only file system"), "/b");
  EXPECT_EQ(told.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(told.message(), "no copy of the store was made in /b: mkdir: Read-only file system");
  EXPECT_EQ(ReasonOf(told), ErrorReason::kNoBackupFolder);
}

TEST(NotCopied, OtherErrorsStayWhatTheyAre) {
  const absl::Status full = absl::ResourceExhaustedError("full");
  EXPECT_EQ(NotCopied(full, "/b"), full);
  EXPECT_TRUE(NotCopied(absl::OkStatus(), "/b").ok());
}

}  // namespace
}  // namespace fpo
