#include "common/error_info.h"

#include "absl/strings/cord.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

const ErrorInfo kInfo{"STALE_EPOCH", "epoch", "retry with the new one", {"job-1", "job-2"}};

TEST(ErrorInfo, RoundTripsInsideAStatus) {
  absl::Status status = WithErrorInfo(absl::AbortedError("no"), kInfo);
  EXPECT_EQ(GetErrorInfo(status), kInfo);
  EXPECT_EQ(ErrorReason(status), "STALE_EPOCH");
  AttachErrorInfo(&status, {.reason = "OTHER"});
  EXPECT_EQ(GetErrorInfo(status), (ErrorInfo{.reason = "OTHER"}));
}

TEST(ErrorInfo, IsAbsentFromPlainStatuses) {
  EXPECT_EQ(GetErrorInfo(absl::AbortedError("no")), std::nullopt);
  EXPECT_EQ(ErrorReason(absl::OkStatus()), "");
  absl::Status ok;
  AttachErrorInfo(&ok, kInfo);
  EXPECT_TRUE(ok.ok());
}

TEST(ErrorInfo, NeverReadsBeyondMalformedBytes) {
  const std::string bytes = EncodeErrorInfo(kInfo);
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto decoded = DecodeErrorInfo(bytes.substr(0, size));
    if (decoded) {
      EXPECT_NE(*decoded, kInfo) << size;
    }
  }
  EXPECT_EQ(DecodeErrorInfo("\x0a\xff\xff\xff\xff\x0f"), std::nullopt);  // longer than the bytes
  EXPECT_EQ(DecodeErrorInfo("\x08\x01"), std::nullopt);                  // no string
  EXPECT_EQ(DecodeErrorInfo(std::string(12, '\xff')), std::nullopt);     // endless number
}

TEST(ErrorInfo, IgnoresFieldsOfNewerVersions) {
  const std::string newer = EncodeErrorInfo(kInfo) + "\x7a\x01x";
  EXPECT_EQ(DecodeErrorInfo(newer), kInfo);
}

}  // namespace
}  // namespace fpo
