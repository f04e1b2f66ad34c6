#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace fpo {

// The only translator between absl::Status and grpc::Status. An ErrorInfo (common/error_info.h)
// travels in the status details as a google.rpc.Status whose one detail is an fpo.v1.ErrorDetail,
// so that clients in other languages can read it too.
grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace fpo
