#pragma once

#include <csignal>

namespace fpo {

// How a service is stopped: SIGTERM or SIGINT, which its main waits for. SIGPIPE is ignored:
// whoever reads our stderr may go before us, and no log line may end a service.
class StopSignals {
 public:
  // Blocks the signals in this thread and those it starts: before any thread starts.
  StopSignals();
  // The signal that came.
  int Wait() const;
  // Lets Wait return as if SIGTERM had come. From any thread.
  static void Raise();

 private:
  sigset_t signals_;
};

}  // namespace fpo
