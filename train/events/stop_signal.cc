#include "train/events/stop_signal.h"

#include <csignal>

#include <atomic>

namespace fpo::train {
namespace {

std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "used in a signal handler");

void OnSignal(int number) {
  if (number == SIGINT && stop_requested.load()) std::signal(SIGINT, SIG_DFL);
  stop_requested.store(true);
}

}  // namespace

void InstallStopSignals() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGUSR1, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool StopRequested() { return stop_requested.load(); }
void RequestStop() { stop_requested.store(true); }
void ClearStopRequest() { stop_requested.store(false); }

}  // namespace fpo::train
