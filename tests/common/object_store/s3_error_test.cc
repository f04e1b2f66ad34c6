#include "common/object_store/s3_error.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"

namespace fpo {
namespace {

absl::Status ErrorOf(int status, const std::string& code) {
  S3Response response;
  response.status = status;
  response.body = "<Error><Code>" + code +
                  "</Code><Message>It says why.</Message><StringToSign>hunter2</StringToSign>"
                  "</Error>";
  response.headers["x-amz-bucket-region"] = "eu-9";
  S3Settings settings;
  settings.region = "us-1";
  return S3Error({"bucket", "a/b"}, response, settings);
}

TEST(S3ErrorStatus, EachAnswerHasItsCode) {
  EXPECT_TRUE(absl::IsNotFound(ErrorOf(404, "NoSuchKey")));
  EXPECT_TRUE(absl::IsPermissionDenied(ErrorOf(403, "AccessDenied")));
  EXPECT_TRUE(absl::IsFailedPrecondition(ErrorOf(412, "PreconditionFailed")));
  EXPECT_TRUE(absl::IsUnavailable(ErrorOf(503, "SlowDown")));
  EXPECT_TRUE(absl::IsUnavailable(ErrorOf(400, "RequestTimeout")));
  EXPECT_TRUE(absl::IsUnavailable(ErrorOf(429, "")));
  EXPECT_TRUE(absl::IsInvalidArgument(ErrorOf(301, "PermanentRedirect")));
}

TEST(S3ErrorStatus, TheMessageNamesTheObjectAndTheRemedyAndNothingThatWasSigned) {
  const absl::Status wrong = ErrorOf(403, "SignatureDoesNotMatch");
  for (const char* word : {"s3://bucket/a/b", "It says why.", "SignatureDoesNotMatch",
                           "AWS_SECRET_ACCESS_KEY", "HTTP 403"}) {
    EXPECT_TRUE(absl::StrContains(wrong.message(), word)) << wrong;
  }
  EXPECT_FALSE(absl::StrContains(wrong.message(), "hunter2"));
  EXPECT_TRUE(absl::StrContains(ErrorOf(301, "PermanentRedirect").message(), "region eu-9"));
}

TEST(S3ErrorStatus, AnAnswerWithoutABodyIsAnErrorToo) {
  S3Response response;
  response.status = 403;
  response.body = "<html>a proxy";
  const absl::Status status = S3Error({"bucket", "a"}, response, {});
  EXPECT_TRUE(absl::IsPermissionDenied(status));
  EXPECT_TRUE(absl::StrContains(status.message(), "may not do this"));
}

}  // namespace
}  // namespace fpo
