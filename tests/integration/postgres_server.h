#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/integration/process.h"

namespace fpo::testing {

// A PostgreSQL server of its own in a temporary folder, reached by a socket there. Runs as another
// user when we are root, which postgres refuses. Not thread-safe.
class PostgresServer {
 public:
  // Why tests with it are skipped; empty: they are not.
  static std::string Missing();

  // Makes an empty database and starts it; `settings` are "name=value".
  explicit PostgresServer(std::vector<std::string> settings = {});
  // A streaming replica of another one, started.
  PostgresServer(const PostgresServer& primary, std::vector<std::string> settings);
  ~PostgresServer();

  void Start();                                // until it answers
  void Stop(const std::string& how = "fast");  // smart | fast | immediate, as a crash
  void Kill();                                 // SIGKILL to all of it
  void Promote();                              // a replica, until it takes writes
  std::string Query(const std::string& sql);   // by psql; its output, trimmed
  // For --store; with several, of which one takes writes.
  std::string Url() const { return UrlOf({this}); }
  static std::string UrlOf(const std::vector<const PostgresServer*>& servers);
  std::string log() const { return ReadFile(folder_ + "/log"); }

 private:
  void MakeFolder();
  Outcome Run(const std::string& program, std::vector<std::string> words) const;
  bool Answers() const;
  std::vector<pid_t> Pids() const;

  std::string folder_;
  std::vector<std::string> settings_;
  std::unique_ptr<Process> process_;
};

}  // namespace fpo::testing
