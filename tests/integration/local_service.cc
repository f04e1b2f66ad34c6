#include "tests/integration/local_service.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace fpo::testing {

int64_t Number(const nlohmann::json& object, const std::string& name) {
  if (!object.contains(name)) return 0;
  return object[name].is_string() ? std::stoll(object[name].get<std::string>())
                                  : object[name].get<int64_t>();
}

LocalService::LocalService(Settings settings)
    : settings_(std::move(settings)), bin_(Environment("FPO_BIN_DIR")) {
  char folder[] = "/tmp/fpo-service-XXXXXX";
  folder_ = mkdtemp(folder);
}

LocalService::~LocalService() {
  processes_.clear();
  if (::testing::Test::HasFailure()) {
    for (const char* program : {"coordinator", "cache", "worker"}) {
      const std::string log = Log(program);
      std::cerr << "-- end of " << program << "'s log\n"
                << log.substr(log.size() > 3000 ? log.size() - 3000 : 0) << "\n";
    }
  }
  std::error_code error;
  std::filesystem::remove_all(folder_, error);
}

std::string LocalService::Program(const std::string& name) const {
  const auto other = folders_.find(name);
  const std::string& folder = other == folders_.end() ? bin_ : other->second;
  return folder + (name == "fpoctl" ? "/" : "/fpo-") + name;
}

void LocalService::StartAll() {
  Start("cache");
  Start("coordinator");
  Start("worker");
}

std::vector<std::string> LocalService::WorkerFlags(const std::string& name) const {
  const std::string dials = worker_dials_.empty() ? grpc_.at("coordinator") : worker_dials_;
  const std::string cache = worker_dials_cache_.empty() ? grpc_.at("cache") : worker_dials_cache_;
  std::vector<std::string> flags = {"--coordinator", dials,
                                    "--cache",       cache,
                                    "--name",        name == "worker" ? "w1" : name,
                                    "--slots",       std::to_string(settings_.slots),
                                    "--work-dir",    Path(name),
                                    "--grace",       "5s"};
  if (!settings_.trainer.empty()) {
    const bool fake = settings_.trainer == "fake";
    flags.insert(flags.end(), {"--trainer", fake ? bin_ + "/fpo_fake_trainer" : settings_.trainer});
  }
  flags.insert(flags.end(), settings_.worker_flags.begin(), settings_.worker_flags.end());
  return flags;
}

void LocalService::Start(const std::string& program) {
  if (program == "worker") return StartWorker(program);
  std::vector<std::string> argv = {Program(program), "--listen",
                                   grpc_.count(program) ? grpc_[program] : "127.0.0.1:0"};
  if (program == "coordinator" && !settings_.store.empty()) {
    argv.insert(argv.end(), {"--store", settings_.store});
  } else {
    argv.insert(argv.end(), {"--data", Path(program)});
  }
  if (program == "coordinator") {
    argv.insert(argv.end(), {"--beat", settings_.heartbeat, "--lease", settings_.lease,
                             "--reattach", settings_.reattach});
    const bool is_own = folders_.count(program) == 0;  // an earlier version has no such flag
    if (is_own && grpc_.count("cache")) argv.insert(argv.end(), {"--cache", grpc_["cache"]});
    argv.insert(argv.end(), settings_.coordinator_flags.begin(), settings_.coordinator_flags.end());
    if (settings_.coordinator_files > 0) {
      const std::string limited =
          "ulimit -n " + std::to_string(settings_.coordinator_files) + " && exec \"$@\"";
      argv.insert(argv.begin(), {"/bin/sh", "-c", limited, "sh"});
    }
  }
  Launch(program, std::move(argv));
}

std::vector<std::string> LocalService::WorkerCommand(const std::string& name) const {
  std::vector<std::string> argv = WorkerFlags(name);
  argv.insert(argv.begin(), Program("worker"));
  return argv;
}

void LocalService::StartWorker(const std::string& name,
                               const std::vector<std::string>& more_flags) {
  std::vector<std::string> argv = WorkerCommand(name);
  argv.insert(argv.end(), more_flags.begin(), more_flags.end());
  Launch(name, std::move(argv));
}

void LocalService::Launch(const std::string& program, std::vector<std::string> argv) {
  const std::string ports = Path(program + ".json");
  unlink(ports.c_str());
  argv.insert(argv.end(), {"--port-file", ports, "--http",
                           http_.count(program) ? http_[program] : "127.0.0.1:0"});
  processes_.erase(program);
  std::vector<std::string> environment = settings_.environment[program];
  environment.push_back("FPO_TEST_FOLDER=" + folder_);
  processes_.emplace(program, Process(argv, environment, Path(program + ".log")));
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (ReadFile(ports).empty()) {
    ASSERT_TRUE(Alive(program) && absl::Now() < deadline) << program << " did not start:\n"
                                                          << Log(program);
    poll(nullptr, 0, 10);
  }
  grpc_[program] = Address(program, "grpc");
  http_[program] = Address(program, "http");
}

std::string LocalService::WriteFakeJob(const std::string& name, const std::string& how) {
  std::filesystem::create_directories(Path("model"));
  std::ofstream(Path("train.jsonl")) << "{}\n";
  const std::string path = Path(name + ".yaml");
  std::ofstream(path) << "name: " << name
                      << "\nmodel: {path: model}\ndata: {train: [train.jsonl]}\n"
                      << "method: {name: sft}\noutput: runs/" << name
                      << "\nlabels: {run: " << nlohmann::json(how).dump() << "}\n";
  return path;
}

void LocalService::Kill(const std::string& program) {
  processes_.at(program).Signal(SIGKILL);
  processes_.at(program).Wait(absl::Seconds(10));
}

bool LocalService::Alive(const std::string& program) {
  return processes_.at(program).Wait(absl::ZeroDuration()) == -1;
}

std::string LocalService::Log(const std::string& program) const {
  return ReadFile(Path(program + ".log"));
}

std::string LocalService::Address(const std::string& program, const std::string& kind) const {
  const nlohmann::json ports =
      nlohmann::json::parse(ReadFile(Path(program + ".json")), nullptr, false);
  return ports.is_object() ? ports.value(kind, "") : "";
}

Process LocalService::CtlProcess(const std::vector<std::string>& words) {
  std::vector<std::string> argv = {Program("fpoctl")};
  argv.insert(argv.end(), words.begin(), words.end());
  return Process(argv, {"FPO_SERVER=" + grpc_["coordinator"], "FPO_CACHE_SERVER=" + grpc_["cache"]},
                 Path("fpoctl.log"));
}

Outcome LocalService::Ctl(const std::vector<std::string>& words, absl::Duration timeout) {
  std::vector<std::string> argv = {Program("fpoctl")};
  argv.insert(argv.end(), words.begin(), words.end());
  return RunProgram(
      argv, {"FPO_SERVER=" + grpc_["coordinator"], "FPO_CACHE_SERVER=" + grpc_["cache"]}, timeout);
}

nlohmann::json LocalService::Describe(const std::string& job) {
  const Outcome outcome = Ctl({"describe", job, "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const nlohmann::json answer = nlohmann::json::parse(outcome.out, nullptr, false);
  return answer.is_object() ? answer.value("job", answer) : answer;
}

std::optional<nlohmann::json> LocalService::Until(
    const std::string& job, const std::function<bool(const nlohmann::json&)>& done,
    absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  Process watch = CtlProcess({"watch", job, "--json"});
  while (auto line = watch.ReadLine(deadline - absl::Now())) {
    nlohmann::json update = nlohmann::json::parse(*line, nullptr, false);
    if (!update.is_object()) continue;
    if (update.contains("job")) update = update["job"];
    if (done(update)) return update;
  }
  return std::nullopt;
}

std::string LocalService::Http(const std::string& program, const std::string& path) {
  return HttpGetBody(http_.at(program), path);
}

std::string HttpGetBody(const std::string& address, const std::string& path) {
  const size_t colon = address.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{2, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0) {
    const std::string request =
        "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    if (write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
      char bytes[4096];
      for (ssize_t got; (got = read(fd, bytes, sizeof(bytes))) > 0;) {
        answer.append(bytes, static_cast<size_t>(got));
      }
    }
  }
  close(fd);
  const size_t body = answer.find("\r\n\r\n");
  return body == std::string::npos ? "" : answer.substr(body + 4);
}

}  // namespace fpo::testing
