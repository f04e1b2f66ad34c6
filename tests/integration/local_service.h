#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/integration/process.h"

namespace fpo::testing {

// The body of a GET from host:port; empty after two seconds without an answer.
std::string HttpGetBody(const std::string& address, const std::string& path);

// A member of proto3's JSON, which writes int64 as text; 0 when it is missing.
int64_t Number(const nlohmann::json& object, const std::string& name);

// A coordinator, a cache and a worker as real processes on free ports, with their data in one
// temporary folder, and the tiny world's data and models beside it. Each can be killed and started
// again on the same data.
class LocalService {
 public:
  struct Settings {
    std::string trainer = {};  // a path; fpo_fake_trainer when "fake"; empty: fpo-train
    int slots = 1;
    std::string heartbeat = "200ms";
    std::string lease = "3s";
    std::string reattach = "5s";
    std::string store = {};     // of the coordinator, in place of a folder
    int coordinator_files = 0;  // its `ulimit -n`; 0: the test's own
    std::vector<std::string> coordinator_flags = {};
    std::vector<std::string> worker_flags = {};
    // "NAME=value" for a program of this name.
    std::map<std::string, std::vector<std::string>> environment = {};
  };
  LocalService() : LocalService(Settings()) {}
  explicit LocalService(Settings settings);
  ~LocalService();

  void StartAll();
  void Start(const std::string& program);  // coordinator | cache | worker
  // One more, known by this name from here on.
  void StartWorker(const std::string& name, const std::vector<std::string>& more_flags = {});
  // The command line of such a worker.
  std::vector<std::string> WorkerCommand(const std::string& name) const;
  void Kill(const std::string& program);  // kill -9, nothing else
  // For the next start of a program.
  void SetEnvironment(const std::string& program, std::vector<std::string> words) {
    settings_.environment[program] = std::move(words);
  }
  // From its next start `program` (fpoctl: its next call) is the one of this folder, e.g. of
  // another version, or of FPO_BIN_DIR again (""). A worker takes the fpo-train beside it.
  void TakeFrom(const std::string& program, const std::string& folder) {
    folders_.erase(program);
    if (!folder.empty()) folders_[program] = folder;
  }
  // From its next start the worker reaches the coordinator, and the cache, here, e.g. through a
  // proxy.
  void WorkerDials(const std::string& coordinator, const std::string& cache = "") {
    worker_dials_ = coordinator;
    worker_dials_cache_ = cache;
  }

  // fpoctl with the addresses of this service.
  Outcome Ctl(const std::vector<std::string>& words, absl::Duration timeout = absl::Seconds(180));
  Process CtlProcess(const std::vector<std::string>& words);
  nlohmann::json Describe(const std::string& job);  // the job as JSON

  // Follows a job until `done` says so; the last state seen, or nothing at the job's end or
  // timeout.
  std::optional<nlohmann::json> Until(const std::string& job,
                                      const std::function<bool(const nlohmann::json&)>& done,
                                      absl::Duration timeout = absl::Seconds(120));

  std::string Http(const std::string& program, const std::string& path);  // body of a GET
  int Pid(const std::string& program) const { return processes_.at(program).pid(); }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string Log(const std::string& program) const;
  std::string GrpcAddress(const std::string& program) const { return grpc_.at(program); }
  std::string HttpAddress(const std::string& program) const { return http_.at(program); }
  void Signal(const std::string& program, int signal) { processes_.at(program).Signal(signal); }
  int Wait(const std::string& program) { return processes_.at(program).Wait(absl::Seconds(60)); }
  // A job file for the fake trainer, whose run behaves as `how` says ("steps-40-20-5").
  std::string WriteFakeJob(const std::string& name, const std::string& how);
  bool Alive(const std::string& program);

 private:
  std::string Address(const std::string& program, const std::string& kind) const;
  // The path of fpo-coordinator, fpo-cache, fpo-worker or fpoctl; any other worker is a "worker".
  std::string Program(const std::string& name) const;
  // Until it listens.
  void Launch(const std::string& program, std::vector<std::string> argv);
  std::vector<std::string> WorkerFlags(const std::string& name) const;

  Settings settings_;
  std::string bin_;
  std::map<std::string, std::string> folders_;  // of programs that are not in bin_
  std::string folder_;
  std::string worker_dials_;        // empty: the coordinator itself
  std::string worker_dials_cache_;  // empty: the cache itself
  std::map<std::string, Process> processes_;
  std::map<std::string, std::string> grpc_;  // kept over restarts
  std::map<std::string, std::string> http_;
};

}  // namespace fpo::testing
