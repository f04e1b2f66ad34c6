#include <iostream>
#include <string>

#include "common/log.h"
#include "common/program_flags.h"
#include "common/stop_signals.h"
#include "worker/agent/flags.h"
#include "worker/agent/rpc/worker.h"
#include "worker/agent/version.h"

int main(int argc, char** argv) {
  using namespace fpo::agent;
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

  fpo::InitLog("fpo-worker", fpo::LogLevel::kInfo);
  auto worker = Worker::Start(flags->config, kVersion, kCommit);
  if (!worker.ok()) {
    std::cerr << "error: " << worker.status().message() << "\n";
    return 1;
  }
  const int signal = signals.Wait();
  fpo::Log(fpo::LogLevel::kInfo, "shutting down", {{"signal", std::to_string(signal)}});
  (*worker)->Drain();
  return 0;
}
