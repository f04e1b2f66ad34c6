#pragma once

#include <functional>

#include "common/observe/metrics.h"
#include "common/rpc/server.h"

namespace fpo {

// For RpcServerOptions::on_handled: counts grpc_server_handled_total{grpc_service,grpc_method,
// grpc_code} and observes grpc_server_handling_seconds. The registry outlives the server.
std::function<void(const HandledCall&)> CountCalls(MetricsRegistry* registry);

}  // namespace fpo
