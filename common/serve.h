#pragma once

#include <iostream>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/observe/log.h"
#include "common/stop_signals.h"

namespace fpo {

// Beyond the grace of calls: for stores to close and queues to run empty.
inline constexpr absl::Duration kCloseTime = absl::Seconds(30);

// The rest of the main of a service that was started, or was not: waits for a signal and shuts it
// down, within `grace` and kCloseTime. The exit code.
template <typename Server>
int ServeUntilStopped(const StopSignals& signals, absl::Duration grace,
                      const absl::StatusOr<std::unique_ptr<Server>>& server) {
  if (!server.ok()) {
    std::cerr << "error: " << server.status().message() << "\n";
    return 1;
  }
  const int signal = signals.Wait();
  Log(LogLevel::kInfo, "shutting down", {{"signal", std::to_string(signal)}});
  EndProcessAfter(grace + kCloseTime);
  (*server)->Shutdown();
  return 0;
}

}  // namespace fpo
