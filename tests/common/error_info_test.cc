#include "common/error_info.h"

#include "gtest/gtest.h"

namespace fpo {
namespace {

const ErrorInfo kInfo{
    ErrorReason::kStaleEpoch, "epoch", "retry with the new one", {"job-1", "", "job\n2"}};

TEST(ErrorInfo, RoundTripsInsideAStatus) {
  const absl::Status status = WithErrorInfo(absl::AbortedError("no"), kInfo);
  EXPECT_EQ(GetErrorInfo(status), kInfo);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kStaleEpoch);
  EXPECT_EQ(status.message(), "no");
}

TEST(ErrorInfo, ReplacesEveryFieldOfAnEarlierOne) {
  absl::Status status = WithErrorInfo(absl::AbortedError("no"), kInfo);
  const ErrorInfo other{.reason = ErrorReason::kBusy, .ids = {"job-3"}};
  AttachErrorInfo(&status, other);
  EXPECT_EQ(GetErrorInfo(status), other);
  AttachErrorInfo(&status, {});
  EXPECT_EQ(GetErrorInfo(status), ErrorInfo());
}

TEST(ErrorInfo, IsAbsentFromPlainStatuses) {
  EXPECT_EQ(GetErrorInfo(absl::AbortedError("no")), std::nullopt);
  EXPECT_EQ(ReasonOf(absl::AbortedError("no")), ErrorReason::kUnspecified);
  EXPECT_EQ(ReasonOf(absl::OkStatus()), ErrorReason::kUnspecified);
  absl::Status ok;
  AttachErrorInfo(&ok, kInfo);
  EXPECT_TRUE(ok.ok());
}

}  // namespace
}  // namespace fpo
