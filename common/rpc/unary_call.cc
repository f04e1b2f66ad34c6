#include "common/rpc/unary_call.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"

namespace fpo {

absl::Status TooManyCalls(absl::string_view program) {
  return WithErrorInfo(
      absl::ResourceExhaustedError(absl::StrCat(program, " has too many calls to serve")),
      {.reason = ErrorReason::kBusy, .hint = "retry after a second"});
}

grpc::ServerUnaryReactor* AnswerOnPool(const UnaryCall& call,
                                       std::function<absl::Status(const Principal& caller)> work,
                                       const std::function<void(const absl::Status&)>& on_refused) {
  grpc::ServerUnaryReactor* reactor = call.context->DefaultReactor();
  absl::StatusOr<Principal> caller = call.access->Admit(*call.context, call.least);
  absl::Status refused = caller.ok() ? RequireDeadline(*call.context) : caller.status();
  if (refused.ok()) {
    const bool queued =
        call.pool->TryRun([reactor, caller = *std::move(caller), work = std::move(work)] {
          reactor->Finish(ToGrpcStatus(work(caller)));
        });
    if (queued) return reactor;
    refused = TooManyCalls(call.program);
  }
  if (on_refused) on_refused(refused);
  reactor->Finish(ToGrpcStatus(refused));
  return reactor;
}

}  // namespace fpo
