#include <sys/stat.h>

#include <iostream>

#include "common/flags/program_flags.h"
#include "common/observe/log.h"
#include "common/observe/version.h"
#include "common/stop_signals.h"
#include "coordinator/flags.h"
#include "coordinator/rpc/serve_coordinator.h"
#include "coordinator/store_commands.h"

int main(int argc, char** argv) {
  using namespace fpo::coordinator;
  umask(077);  // the store is no other user's
  const fpo::StopSignals signals;
  const auto flags = ParseFlags(argc, argv);
  if (const auto code = fpo::ExitOfFlags(flags)) return *code;

  fpo::InitLog("fpo-coordinator", fpo::LogLevel::kInfo);
  if (const auto said = RunStoreCommand(*flags)) {
    if (said->ok()) std::cout << **said;
    if (!said->ok()) std::cerr << "error: " << said->status().message() << "\n";
    return said->ok() ? 0 : 1;
  }
  return ServeCoordinator(signals, flags->config, fpo::ProgramVersion(), fpo::BuildCommit());
}
