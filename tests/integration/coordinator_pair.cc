#include "tests/integration/coordinator_pair.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/local_service.h"

namespace fpo::testing {

CoordinatorPair::CoordinatorPair(std::string store)
    : store_(std::move(store)), bin_(Environment("FPO_BIN_DIR")) {
  char folder[] = "/tmp/fpo-pair-XXXXXX";
  folder_ = mkdtemp(folder);
}

CoordinatorPair::~CoordinatorPair() {
  for (auto& [name, process] : processes_) process.Signal(SIGCONT);
  processes_.clear();
  if (::testing::Test::HasFailure()) {
    for (const char* name : {"a", "b", "worker"}) {
      const std::string log = Log(name);
      std::cerr << "-- end of " << name << "'s log\n"
                << log.substr(log.size() > 4000 ? log.size() - 4000 : 0) << "\n";
    }
  }
  std::error_code error;
  std::filesystem::remove_all(folder_, error);
}

void CoordinatorPair::Launch(const std::string& name, std::vector<std::string> argv) {
  const std::string ports = Path(name + ".json");
  unlink(ports.c_str());
  argv.insert(argv.end(),
              {"--port-file", ports, "--http", https_.count(name) ? https_[name] : "127.0.0.1:0"});
  processes_.erase(name);
  processes_.emplace(name, Process(argv, {"FPO_TEST_FOLDER=" + folder_}, Path(name + ".log")));
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  while (ReadFile(ports).empty()) {
    ASSERT_TRUE(processes_.at(name).Wait(absl::ZeroDuration()) == -1 && absl::Now() < give_up)
        << name << " did not start:\n"
        << Log(name);
    absl::SleepFor(absl::Milliseconds(10));
  }
  const nlohmann::json read = nlohmann::json::parse(ReadFile(ports));
  addresses_[name] = read.value("grpc", "");
  https_[name] = read.value("http", "");
}

void CoordinatorPair::Start(const std::string& name) {
  if (name == "worker") {
    return Launch(
        name, {bin_ + "/fpo-worker", "--coordinator", addresses(), "--name", "w1", "--slots", "2",
               "--work-dir", Path(name), "--grace", "5s", "--trainer", bin_ + "/fpo_fake_trainer"});
  }
  // As by default, --reattach is several times what an agent needs to find the one that leads, and
  // the lease of an agent bears a busy machine.
  Launch(name, {bin_ + "/fpo-coordinator", "--listen",
                addresses_.count(name) ? addresses_[name] : "127.0.0.1:0", "--store", store_,
                "--leader-lease", "1s", "--beat", "100ms", "--lease", "3s", "--reattach", "15s"});
}

void CoordinatorPair::StartAll() {
  Start("a");
  Start("b");
  Start("worker");
  ASSERT_NE(Leader(), "");
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  while (Http("worker", "/readyz") != "ok\n") {
    ASSERT_LT(absl::Now(), give_up) << "the worker found no leader";
    absl::SleepFor(absl::Milliseconds(20));
  }
}

void CoordinatorPair::Kill(const std::string& name) {
  processes_.at(name).Signal(SIGKILL);
  processes_.at(name).Wait(absl::Seconds(10));
}

std::string CoordinatorPair::Http(const std::string& name, const std::string& path) const {
  return HttpGetBody(https_.at(name), path);
}

std::string CoordinatorPair::Leader() {
  const absl::Time give_up = absl::Now() + absl::Seconds(60);
  while (absl::Now() < give_up) {
    for (const char* name : {"a", "b"}) {
      if (processes_.count(name) == 0 || processes_.at(name).Wait(absl::ZeroDuration()) != -1) {
        continue;
      }
      if (Http(name, "/healthz") == "ok\n") return name;
    }
    absl::SleepFor(absl::Milliseconds(20));
  }
  return "";
}

Outcome CoordinatorPair::Ctl(const std::vector<std::string>& words, const std::string& server) {
  std::vector<std::string> argv = {bin_ + "/fpoctl"};
  argv.insert(argv.end(), words.begin(), words.end());
  return RunProgram(argv, {"FPO_SERVER=" + (server.empty() ? addresses() : server)});
}

Process CoordinatorPair::CtlProcess(const std::vector<std::string>& words,
                                    const std::string& server) {
  std::vector<std::string> argv = {bin_ + "/fpoctl"};
  argv.insert(argv.end(), words.begin(), words.end());
  return Process(argv, {"FPO_SERVER=" + (server.empty() ? addresses() : server)},
                 Path("fpoctl.log"));
}

std::string CoordinatorPair::SubmitRun(const std::string& name, const std::string& how) {
  std::filesystem::create_directories(Path("model"));
  std::ofstream(Path("train.jsonl")) << "{}\n";
  const std::string path = Path(name + ".yaml");
  std::ofstream(path) << "name: " << name
                      << "\nmodel: {path: model}\ndata: {train: [train.jsonl]}\n"
                      << "method: {name: sft}\noutput: runs/" << name
                      << "\nlabels: {run: " << nlohmann::json(how).dump() << "}\n";
  const Outcome outcome = Ctl({"submit", path, "-q"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return outcome.out.substr(0, outcome.out.find('\n'));
}

}  // namespace fpo::testing
