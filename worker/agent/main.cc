#include <csignal>
#include <iostream>

#include "common/log.h"
#include "worker/agent/flags.h"
#include "worker/agent/rpc/worker.h"
#include "worker/agent/version.h"

namespace {

// SIGTERM and SIGINT are taken by main alone: blocked before any thread starts.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace fpo::agent;
  const sigset_t signals = BlockStopSignals();
  std::signal(SIGPIPE, SIG_IGN);  // whoever reads our stderr may go before us
  const absl::StatusOr<ParsedFlags> flags = ParseFlags(argc, argv);
  if (!flags.ok()) {
    std::cerr << "error: " << flags.status().message() << "; hint: fpo-worker --help\n";
    return 2;
  }
  if (flags->text) {
    std::cout << *flags->text;
    return 0;
  }
  if (flags->check_config) return 0;

  fpo::InitLog("fpo-worker", fpo::LogLevel::kInfo);
  auto worker = Worker::Start(flags->config, kVersion, kCommit);
  if (!worker.ok()) {
    std::cerr << "error: " << worker.status().message() << "\n";
    return 1;
  }
  int signal = 0;
  sigwait(&signals, &signal);
  fpo::Log(fpo::LogLevel::kInfo, "shutting down", {{"signal", std::to_string(signal)}});
  (*worker)->Drain();
  return 0;
}
