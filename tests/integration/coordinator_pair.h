#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/integration/postgres_server.h"
#include "tests/integration/process.h"

namespace fpo::testing {

// Two coordinators, "a" and "b", on one database, and a worker "worker" of the fake trainer that
// knows both. The lease of the lead is one second. Not thread-safe.
class CoordinatorPair {
 public:
  explicit CoordinatorPair(std::string store);
  ~CoordinatorPair();

  void StartAll();                      // until one leads and the worker is connected
  void Start(const std::string& name);  // until it listens
  void Kill(const std::string& name);
  void Signal(const std::string& name, int signal) { processes_.at(name).Signal(signal); }
  int Wait(const std::string& name) { return processes_.at(name).Wait(absl::Seconds(60)); }
  // The name of the one that leads, within a minute; empty: none.
  std::string Leader();
  std::string address(const std::string& name) const { return addresses_.at(name); }
  std::string addresses() const { return addresses_.at("a") + "," + addresses_.at("b"); }
  std::string Http(const std::string& name, const std::string& path) const;
  std::string Log(const std::string& name) const { return ReadFile(Path(name + ".log")); }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  // fpoctl that knows both, or only `server`.
  Outcome Ctl(const std::vector<std::string>& words, const std::string& server = "");
  Process CtlProcess(const std::vector<std::string>& words, const std::string& server = "");
  // Submits a job for the fake trainer (step_run.h); its id.
  std::string SubmitRun(const std::string& name, const std::string& how);

 private:
  void Launch(const std::string& name, std::vector<std::string> argv);

  const std::string store_;
  std::string bin_;
  std::string folder_;
  std::map<std::string, Process> processes_;
  std::map<std::string, std::string> addresses_;  // kept over restarts
  std::map<std::string, std::string> https_;
};

}  // namespace fpo::testing
