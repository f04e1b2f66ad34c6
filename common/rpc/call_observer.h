#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <functional>
#include <memory>

#include "common/rpc/server.h"

namespace fpo {

// Interceptor that reports each call's method, status code and duration once it ended; a cancelled
// call counts as CANCELLED.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallObserver(
    std::function<void(const HandledCall&)> on_handled);

}  // namespace fpo
