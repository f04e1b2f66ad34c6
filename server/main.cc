#include <csignal>
#include <iostream>

#include "common/log.h"
#include "server/flags.h"
#include "server/rpc/coordinator_server.h"
#include "server/version.h"

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
  using namespace fpo::coordinator;
  const sigset_t signals = BlockStopSignals();
  const absl::StatusOr<ParsedFlags> flags = ParseFlags(argc, argv);
  if (!flags.ok()) {
    std::cerr << "error: " << flags.status().message() << "; hint: fpo-coordinator --help\n";
    return 2;
  }
  if (flags->text) {
    std::cout << *flags->text;
    return 0;
  }
  if (flags->check_config) return 0;

  fpo::InitLog("fpo-coordinator", fpo::LogLevel::kInfo);
  auto server = CoordinatorServer::Start(flags->config, kVersion, kCommit);
  if (!server.ok()) {
    std::cerr << "error: " << server.status().message() << "\n";
    return 1;
  }
  int signal = 0;
  sigwait(&signals, &signal);
  fpo::Log(fpo::LogLevel::kInfo, "shutting down", {{"signal", std::to_string(signal)}});
  (*server)->Shutdown();
  return 0;
}
