#include "coordinator/rpc/pages/page_call.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/text/json.h"

namespace fpo::coordinator {
namespace {

constexpr char kJsonType[] = "application/json";
constexpr size_t kTokenBytesMax = 256;  // as of a token file

int HttpStatusOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kCancelled:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

}  // namespace

HttpReply ErrorReply(const absl::Status& status) {
  JsonObject json;
  json.Add("code", absl::StatusCodeToString(status.code()));
  json.Add("error", std::string(status.message()));
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  if (info && !info->hint.empty()) json.Add("hint", info->hint);
  return {.status = HttpStatusOf(status.code()), .content_type = kJsonType, .body = json.Text()};
}

HttpReply JsonReply(const google::protobuf::Message& message) {
  return {.content_type = kJsonType, .body = WireJson(message, JsonFields::kSet)};
}

absl::Status AddToken(const std::string& token, grpc::ClientContext* context) {
  if (token.empty()) return absl::OkStatus();
  const bool printable = std::all_of(token.begin(), token.end(), absl::ascii_isgraph);
  if (!printable || token.size() > kTokenBytesMax) {
    return WithErrorInfo(absl::UnauthenticatedError("that is not a token"),
                         {.reason = ErrorReason::kUnauthenticated,
                          .hint = "paste the first line of your token file"});
  }
  context->AddMetadata("authorization", absl::StrCat("Bearer ", token));
  return absl::OkStatus();
}

absl::Status ReadMessage(const std::string& json, google::protobuf::Message* message) {
  if (json.empty()) return absl::OkStatus();
  const auto read = google::protobuf::util::JsonStringToMessage(json, message);
  if (read.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the body is no ", message->GetTypeName(), ": ", std::string(read.message())));
}

}  // namespace fpo::coordinator
