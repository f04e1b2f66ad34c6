#pragma once

#include <string>

#include "common/stop_signals.h"
#include "coordinator/config.h"

namespace fpo::coordinator {

// Serves until a signal: alone on config.data, or as one of several coordinators on config.store.
// `version` and `commit` are for fpo_build_info. The exit code; an error was printed. Without
// gRPC's headers, so that main compiles fast.
int ServeCoordinator(const StopSignals& signals, const CoordinatorConfig& config,
                     const std::string& version, const std::string& commit);

}  // namespace fpo::coordinator
