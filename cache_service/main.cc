#include <malloc.h>

#include <csignal>
#include <iostream>

#include "cache_service/flags.h"
#include "cache_service/rpc/cache_server.h"
#include "cache_service/version.h"
#include "common/failpoint.h"
#include "common/log.h"

namespace {

constexpr int kArenasMax = 4;

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
  using namespace fpo::cache;
  // Frames of megabytes pass through many threads; with an arena for each of them the program would
  // keep several times what it uses.
  mallopt(M_ARENA_MAX, kArenasMax);
  const sigset_t signals = BlockStopSignals();
  const absl::StatusOr<ParsedFlags> flags = ParseFlags(argc, argv);
  if (!flags.ok()) {
    std::cerr << "error: " << flags.status().message() << "; hint: fpo-cache --help\n";
    return 2;
  }
  if (flags->text) {
    std::cout << *flags->text;
    return 0;
  }
  if (flags->check_config) return 0;

  for (const std::string& failpoint : flags->config.failpoints) {
    const absl::Status armed = fpo::ArmFailpoint(failpoint);
    if (armed.ok()) continue;
    std::cerr << "error: " << armed.message() << "\n";
    return 2;
  }
  fpo::InitLog("fpo-cache", fpo::LogLevel::kInfo);
  auto server = CacheServer::Start(flags->config, kVersion, kCommit);
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
