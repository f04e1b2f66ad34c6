#pragma once

#include <csignal>

#include "absl/time/time.h"

namespace fpo {

// How a service is stopped: its main waits for SIGTERM, SIGINT, SIGHUP (unless it is ignored, as
// under nohup) or SIGUSR1, with which Slurm warns of a time limit. SIGPIPE is ignored: the reader
// of stderr may exit first, and a log line must not end a service.
class StopSignals {
 public:
  // Blocks the signals in this thread and those it starts; construct before starting any thread.
  StopSignals();
  // Returns the signal received. After SIGTERM or SIGINT the next of these ends the process at
  // once.
  int Wait() const;
  // Makes Wait return as if SIGTERM had been received. From any thread.
  static void Raise();

 private:
  sigset_t signals_;
};

// Ends the process with exit code 1 if it still runs after that time: a thread that waits for a
// dead disk can be neither stopped nor joined.
void EndProcessAfter(absl::Duration time);

}  // namespace fpo
