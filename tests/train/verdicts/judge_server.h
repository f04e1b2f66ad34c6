#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/integration/process.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo::train {

// judge_server.py as a process, for as long as the object lives.
class JudgeServer {
 public:
  // `plan`: what becomes of the first requests, see there.
  explicit JudgeServer(const std::string& plan, const std::vector<std::string>& tls = {})
      : log_(folder_ / "requests.jsonl"), process_(Command(log_, plan, tls), {}, folder_ / "err") {
    const auto line = process_.ReadLine(absl::Seconds(60));
    EXPECT_TRUE(line.has_value()) << Slurp(folder_ / "err");
    port_ = line.value_or("1");
    scheme_ = tls.empty() ? "http" : "https";
  }

  std::string url() const { return scheme_ + "://127.0.0.1:" + port_ + "/v1"; }
  // The requests so far, in order: path, authorization, time (seconds), active, step, model.
  std::vector<nlohmann::json> Requests() const {
    std::vector<nlohmann::json> requests;
    std::istringstream lines(Slurp(log_));
    for (std::string line; std::getline(lines, line);) {
      requests.push_back(nlohmann::json::parse(line));
    }
    return requests;
  }

 private:
  static std::vector<std::string> Command(const std::string& log, const std::string& plan,
                                          const std::vector<std::string>& tls) {
    const std::string source = testing::Environment("FPO_SOURCE_DIR");
    std::vector<std::string> command = {
        "/usr/bin/python3", source + "/tests/train/verdicts/judge_server.py", log, plan};
    command.insert(command.end(), tls.begin(), tls.end());
    return command;
  }

  ScratchFolder folder_;
  const std::string log_;
  testing::Process process_;
  std::string port_, scheme_;
};

}  // namespace fpo::train
