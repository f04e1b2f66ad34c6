#include "ctl/signal_listener.h"

#include <pthread.h>

namespace fpo::ctl {

void SignalListener::Start() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGINT);
  sigaddset(&signals_, SIGTERM);
  sigaddset(&signals_, SIGUSR1);  // ours: ends Listen
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  thread_ = std::thread([this] { Listen(); });
}

void SignalListener::Stop() {
  if (!thread_.joinable()) return;
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

void SignalListener::Listen() {
  for (int signal = 0; sigwait(&signals_, &signal) == 0 && signal != SIGUSR1;) {
    if (!interrupt_.raised()) {
      interrupt_.Raise();
      continue;
    }
    // The first one should have ended the program: let the default action do it.
    std::signal(signal, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
    std::raise(signal);
  }
}

}  // namespace fpo::ctl
