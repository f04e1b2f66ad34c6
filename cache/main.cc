#include <malloc.h>
#include <sys/stat.h>

#include <iostream>
#include <string>

#include "cache/flags.h"
#include "cache/rpc/cache_server.h"
#include "common/failpoint.h"
#include "common/flags/program_flags.h"
#include "common/observe/log.h"
#include "common/observe/version.h"
#include "common/serve.h"
#include "common/stop_signals.h"

namespace {

constexpr int kArenasMax = 4;

}  // namespace

int main(int argc, char** argv) {
  using namespace fpo::cache;
  // Frames of megabytes pass through many threads; with one arena per thread the program would keep
  // several times the memory it uses.
  mallopt(M_ARENA_MAX, kArenasMax);
  umask(077);  // the store is no other user's
  const fpo::StopSignals signals;
  const auto flags = ParseFlags(argc, argv);
  if (const auto code = fpo::ExitOfFlags(flags)) return *code;

  for (const std::string& failpoint : flags->config.failpoints) {
    const absl::Status armed = fpo::ArmFailpoint(failpoint);
    if (armed.ok()) continue;
    std::cerr << "error: " << armed.message() << "\n";
    return 2;
  }
  fpo::InitLog("fpo-cache", fpo::LogLevel::kInfo);
  return fpo::ServeUntilStopped(
      signals, flags->config.grace,
      CacheServer::Start(flags->config, fpo::ProgramVersion(), fpo::BuildCommit()));
}
