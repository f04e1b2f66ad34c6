#include "coordinator/rpc/serve_coordinator.h"

#include "common/serve.h"
#include "coordinator/rpc/coordinator_server.h"
#include "coordinator/rpc/elected_server.h"

namespace fpo::coordinator {

int ServeCoordinator(const StopSignals& signals, const CoordinatorConfig& config,
                     const std::string& version, const std::string& commit) {
  if (!config.store.empty()) {
    return ServeUntilStopped(signals, config.grace, ElectedServer::Start(config, version, commit));
  }
  return ServeUntilStopped(signals, config.grace,
                           CoordinatorServer::Start(config, version, commit));
}

}  // namespace fpo::coordinator
