#include "common/object_store/s3_error.h"

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/object_store/s3_xml.h"

namespace fpo {
namespace {

absl::StatusCode CodeOf(int status, const std::string& code) {
  if (code == "RequestTimeout" || code == "InternalError" || code == "SlowDown") {
    return absl::StatusCode::kUnavailable;
  }
  switch (status) {
    case 404:
      return absl::StatusCode::kNotFound;
    case 401:
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 409:
      return absl::StatusCode::kUnavailable;  // another request changes the same thing
    case 412:
      return absl::StatusCode::kFailedPrecondition;
    case 416:
      return absl::StatusCode::kOutOfRange;
    case 429:
      return absl::StatusCode::kUnavailable;
    default:
      return status >= 500 ? absl::StatusCode::kUnavailable : absl::StatusCode::kInvalidArgument;
  }
}

// What the user can do about it.
std::string AdviceOf(const std::string& code, const S3Response& response,
                     const S3Settings& settings) {
  if (code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch" || code == "InvalidToken" ||
      code == "AuthFailure") {
    return "; the credentials of this worker are wrong: its AWS_ACCESS_KEY_ID and "
           "AWS_SECRET_ACCESS_KEY, or the file of AWS_SHARED_CREDENTIALS_FILE";
  }
  if (code == "ExpiredToken") {
    return "; its credentials are temporary ones: renew them in the file of "
           "AWS_SHARED_CREDENTIALS_FILE, which is read anew for each request";
  }
  if (code == "AccessDenied" || response.status == 403) {
    return "; the credentials of this worker may not do this with this object";
  }
  if (code == "RequestTimeTooSkewed") return "; set the clock of this host";
  if (code == "NoSuchBucket") return "; is the bucket's name right, and AWS_ENDPOINT_URL?";
  const auto region = response.headers.find("x-amz-bucket-region");
  if (region != response.headers.end() && region->second != settings.region) {
    return absl::StrCat("; the bucket is in the region ", region->second, ", and this worker uses ",
                        settings.region, ": set AWS_REGION");
  }
  return "";
}

}  // namespace

absl::Status S3Error(const ObjectName& name, const S3Response& response,
                     const S3Settings& settings) {
  const absl::StatusOr<S3Element> answer = ParseS3Xml(response.body);
  const std::string code = answer.ok() ? answer->TextOf("Code") : "";
  std::string what = answer.ok() ? answer->TextOf("Message") : "";
  if (response.status == 412) what = "the object changed while it was read";
  if (what.empty()) what = "the server refuses";
  return absl::Status(
      CodeOf(response.status, code),
      absl::StrCat(name.Url(), ": ", what, " (HTTP ", response.status, code.empty() ? "" : ", ",
                   code, ")", AdviceOf(code, response, settings)));
}

}  // namespace fpo
