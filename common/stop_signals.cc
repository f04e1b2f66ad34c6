#include "common/stop_signals.h"

#include <unistd.h>

#include <thread>

#include "absl/time/clock.h"
#include "common/observe/log.h"

namespace fpo {

StopSignals::StopSignals() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGTERM);
  sigaddset(&signals_, SIGINT);
  sigaddset(&signals_, SIGUSR1);
  // A terminal that closes stops its programs like any other wish to; nohup lets them go on.
  struct sigaction hangup {};
  if (sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN) {
    sigaddset(&signals_, SIGHUP);
  }
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

void StopSignals::Raise() { kill(getpid(), SIGTERM); }

int StopSignals::Wait() const {
  int signal = 0;
  sigwait(&signals_, &signal);
  if (signal == SIGUSR1) return signal;  // a warning, which SIGTERM follows in any case
  // Whoever sends it again does not want to wait for what is still to be done.
  sigset_t again = {};
  sigemptyset(&again);
  sigaddset(&again, SIGTERM);
  sigaddset(&again, SIGINT);
  pthread_sigmask(SIG_UNBLOCK, &again, nullptr);
  return signal;
}

void EndProcessAfter(absl::Duration time) {
  std::thread([time] {
    absl::SleepFor(time);
    Log(LogLevel::kError,
        "the program does not end by itself and is ended; does a disk not answer?",
        {{"after", absl::FormatDuration(time)}});
    _exit(1);
  }).detach();
}

}  // namespace fpo
