#pragma once

#include <functional>

#include "common/observe/metrics.h"
#include "common/rpc/security/access_control.h"
#include "common/rpc/server.h"

namespace fpo {

// For RpcServerOptions::on_handled: counts grpc_server_handled_total{grpc_service,grpc_method,
// grpc_code} and observes grpc_server_handling_seconds. The registry outlives the server.
std::function<void(const HandledCall&)> CountCalls(MetricsRegistry* registry);

// Shows fpo_access_list_ok: 0 while the list of `access` cannot be read and an older one is in
// force. `access` outlives the registry's expositions.
void ShowAccessList(MetricsRegistry* registry, const AccessControl* access);

}  // namespace fpo
