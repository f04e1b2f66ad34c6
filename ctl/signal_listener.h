#pragma once

#include <csignal>
#include <thread>

#include "ctl/interrupt.h"

namespace fpo::ctl {

// Turns SIGINT and SIGTERM into an Interrupt; a second one ends the process at once. Not
// thread-safe.
class SignalListener {
 public:
  explicit SignalListener(Interrupt& interrupt) : interrupt_(interrupt) {}
  ~SignalListener() { Stop(); }

  // Blocks the signals for the calling thread and those it starts later: call it before starting
  // any other thread.
  void Start();
  void Stop();

 private:
  void Listen();

  Interrupt& interrupt_;
  sigset_t signals_{};
  std::thread thread_;
};

}  // namespace fpo::ctl
