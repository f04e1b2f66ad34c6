#pragma once

#include <iostream>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/observe/log.h"
#include "common/stop_signals.h"

namespace fpo {

// The rest of the main of a service that was started, or was not: waits for a signal and shuts it
// down. The exit code.
template <typename Server>
int ServeUntilStopped(const StopSignals& signals,
                      const absl::StatusOr<std::unique_ptr<Server>>& server) {
  if (!server.ok()) {
    std::cerr << "error: " << server.status().message() << "\n";
    return 1;
  }
  const int signal = signals.Wait();
  Log(LogLevel::kInfo, "shutting down", {{"signal", std::to_string(signal)}});
  (*server)->Shutdown();
  return 0;
}

}  // namespace fpo
