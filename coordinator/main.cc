#include <sys/stat.h>

#include <iostream>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "common/observe/log.h"
#include "common/observe/version.h"
#include "common/program_flags.h"
#include "common/serve.h"
#include "common/stop_signals.h"
#include "coordinator/core/store/store_repair.h"
#include "coordinator/flags.h"
#include "coordinator/rpc/coordinator_server.h"

namespace {

void Print(const std::string& heading, const std::vector<std::string>& items) {
  std::cout << heading << ": " << items.size() << "\n";
  for (const std::string& item : items) std::cout << "  " << item << "\n";
}

int Repair(const std::string& data) {
  const auto report = fpo::coordinator::RepairJobStore(data, absl::Now());
  if (!report.ok()) {
    std::cerr << "error: " << report.status().message() << "\n";
    return 1;
  }
  Print("damaged files moved to " + data + "/lost", report->files);
  Print("jobs that cannot be read any more", report->damaged_jobs);
  Print("jobs held until fpoctl release", report->held_jobs);
  Print("other jobs", report->other_jobs);
  std::cout << "Jobs that were only in the damaged files are not in these lists.\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace fpo::coordinator;
  umask(077);  // the store is no other user's
  const fpo::StopSignals signals;
  const auto flags = ParseFlags(argc, argv);
  if (const auto code = fpo::ExitOfFlags(flags)) return *code;

  fpo::InitLog("fpo-coordinator", fpo::LogLevel::kInfo);
  if (flags->repair) return Repair(flags->config.data);
  return fpo::ServeUntilStopped(
      signals, CoordinatorServer::Start(flags->config, fpo::ProgramVersion(), fpo::BuildCommit()));
}
