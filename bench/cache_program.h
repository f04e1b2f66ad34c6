#pragma once

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/channel.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo {

inline void Require(bool ok, const std::string& what) {
  if (ok) return;
  std::cerr << "cache_bench: " << what << "\n";
  std::_Exit(1);
}

inline double Seconds(const std::function<void()>& work) {
  const absl::Time start = absl::Now();
  work();
  return absl::ToDoubleSeconds(absl::Now() - start);
}

inline std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The fpo-cache under test.
class CacheProgram {
 public:
  CacheProgram(std::string program, std::string folder)
      : program_(std::move(program)), folder_(std::move(folder)) {}
  ~CacheProgram() { Kill(); }

  // Seconds until it serves. With a certificate, only clients that present the same one.
  double Start(const std::string& certificate = "") {
    const std::string ports = folder_ + "/ports";
    std::filesystem::remove(ports);
    std::vector<std::string> args = {
        program_, "--data",      folder_ + "/store", "--listen", "127.0.0.1:0",
        "--http", "127.0.0.1:0", "--port-file",      ports,      "--scrub-mib-per-second",
        "0"};
    tls_ = {};
    if (!certificate.empty()) {
      tls_ = {
          .cert = certificate + ".pem", .key = certificate + ".key", .ca = certificate + ".pem"};
      for (const std::string& arg : {"--tls-cert", tls_.cert.c_str(), "--tls-key", tls_.key.c_str(),
                                     "--tls-ca", tls_.ca.c_str()}) {
        args.push_back(arg);
      }
    }
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    const double seconds = Seconds([&] {
      Require(posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ) == 0, program_);
      while (!std::filesystem::exists(ports)) poll(nullptr, 0, 1);
    });
    const std::string text = ReadAll(ports);
    const size_t begin = text.find("127.");
    address_ = text.substr(begin, text.find('"', begin) - begin);
    return seconds;
  }
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  std::unique_ptr<fpo::v1::ReferenceCache::Stub> Connect() const {
    return fpo::v1::ReferenceCache::NewStub(*MakeChannel(address_, {.tls = tls_, .bulk = true}));
  }
  // Waits for a second with almost no work: compaction after an upload or a restart has ended.
  void AwaitRest() const {
    for (int second = 0; second < 60; ++second) {
      const double before = CpuSeconds();
      poll(nullptr, 0, 1000);
      if (CpuSeconds() - before < 0.05) return;
    }
  }
  double MemoryMiB() const { return Status("VmRSS:") / 1024; }
  double PeakMemoryMiB() const { return Status("VmHWM:") / 1024; }
  double CpuSeconds() const {
    std::istringstream stat(ReadAll(absl::StrCat("/proc/", pid_, "/stat")));
    std::string skipped;
    for (int i = 0; i < 13; ++i) stat >> skipped;
    double user = 0, system = 0;
    stat >> user >> system;
    return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }

 private:
  double Status(const std::string& field) const {
    const std::string text = ReadAll(absl::StrCat("/proc/", pid_, "/status"));
    const size_t at = text.find(field);
    return at == std::string::npos ? 0 : std::atof(text.c_str() + at + field.size());
  }

  const std::string program_, folder_;
  pid_t pid_ = -1;
  std::string address_;
  TlsFiles tls_;
};

}  // namespace fpo
