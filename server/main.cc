#include <iostream>
#include <string>

#include "common/log.h"
#include "common/program_flags.h"
#include "common/stop_signals.h"
#include "server/flags.h"
#include "server/rpc/coordinator_server.h"
#include "server/version.h"

int main(int argc, char** argv) {
  using namespace fpo::coordinator;
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

  fpo::InitLog("fpo-coordinator", fpo::LogLevel::kInfo);
  auto server = CoordinatorServer::Start(flags->config, kVersion, kCommit);
  if (!server.ok()) {
    std::cerr << "error: " << server.status().message() << "\n";
    return 1;
  }
  const int signal = signals.Wait();
  fpo::Log(fpo::LogLevel::kInfo, "shutting down", {{"signal", std::to_string(signal)}});
  (*server)->Shutdown();
  return 0;
}
