#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/access_list.h"
#include "common/rpc/security/access_control.h"
#include "common/rpc/work_pool.h"

// How the services answer unary calls: who may, with which deadline, and on which thread.
namespace fpo {

struct UnaryCall {
  grpc::CallbackServerContext* context;
  const AccessControl* access;
  WorkPool* pool;
  Role least;           // callers below it are refused
  const char* program;  // "the cache"
};

// ResourceExhausted (BUSY): come back later.
absl::Status TooManyCalls(absl::string_view program);

// Answers with the status of `work`, which runs on the pool and may use request and response: they
// live until then. A call that is refused before, or for which the pool has no room, is told to
// `on_refused` in the calling thread.
grpc::ServerUnaryReactor* AnswerOnPool(
    const UnaryCall& call, std::function<absl::Status(const Principal& caller)> work,
    const std::function<void(const absl::Status&)>& on_refused = nullptr);

}  // namespace fpo
