#include "common/rpc/grpc_status.h"

#include <google/protobuf/any.pb.h>

#include <optional>
#include <string>

#include "common/error_info.h"
#include "proto/fpo/v1/error.pb.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;

constexpr size_t kDetailsMax = 4096;  // metadata limit of gRPC is 8 KiB for all of it

pb::ErrorDetail ErrorDetailOf(const ErrorInfo& info) {
  pb::ErrorDetail proto;
  proto.set_reason(std::string(ErrorReasonName(info.reason)));
  proto.set_field(info.field);
  proto.set_hint(info.hint);
  proto.mutable_ids()->Assign(info.ids.begin(), info.ids.end());
  return proto;
}

ErrorInfo ErrorInfoOf(const pb::ErrorDetail& proto) {
  return {.reason = ErrorReasonFromName(proto.reason()),
          .field = proto.field(),
          .hint = proto.hint(),
          .ids = {proto.ids().begin(), proto.ids().end()}};
}

// The first ErrorDetail of the details, which come from an untrusted peer.
std::optional<ErrorInfo> FindErrorInfo(const std::string& bytes) {
  pb::StatusDetails details;
  if (!details.ParseFromString(bytes)) return std::nullopt;
  for (const google::protobuf::Any& any : details.details()) {
    pb::ErrorDetail detail;
    if (any.UnpackTo(&detail)) return ErrorInfoOf(detail);
  }
  return std::nullopt;
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message(status.message());
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  if (!info) return grpc::Status(code, message);
  const pb::ErrorDetail detail = ErrorDetailOf(*info);
  if (detail.ByteSizeLong() > kDetailsMax) return grpc::Status(code, message);
  pb::StatusDetails details;
  details.set_code(static_cast<int32_t>(code));
  details.set_message(message.substr(0, kDetailsMax / 4));
  details.add_details()->PackFrom(detail);
  return grpc::Status(code, message, details.SerializeAsString());
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  if (const std::optional<ErrorInfo> info = FindErrorInfo(status.error_details())) {
    AttachErrorInfo(&result, *info);
  }
  return result;
}

}  // namespace fpo
