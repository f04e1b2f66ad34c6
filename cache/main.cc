#include <malloc.h>

#include <iostream>
#include <string>

#include "cache/flags.h"
#include "cache/rpc/cache_server.h"
#include "common/failpoint.h"
#include "common/observe/log.h"
#include "common/observe/version.h"
#include "common/program_flags.h"
#include "common/stop_signals.h"

namespace {

constexpr int kArenasMax = 4;

}  // namespace

int main(int argc, char** argv) {
  using namespace fpo::cache;
  // Frames of megabytes pass through many threads; with an arena for each of them the program would
  // keep several times what it uses.
  mallopt(M_ARENA_MAX, kArenasMax);
  const fpo::StopSignals signals;
  const absl::StatusOr<ParsedFlags> flags = ParseFlags(argc, argv);
  if (!flags.ok()) {
    std::cerr << fpo::ProgramErrorText(flags.status());
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
  auto server = CacheServer::Start(flags->config, fpo::ProgramVersion(), fpo::BuildCommit());
  if (!server.ok()) {
    std::cerr << "error: " << server.status().message() << "\n";
    return 1;
  }
  const int signal = signals.Wait();
  fpo::Log(fpo::LogLevel::kInfo, "shutting down", {{"signal", std::to_string(signal)}});
  (*server)->Shutdown();
  return 0;
}
