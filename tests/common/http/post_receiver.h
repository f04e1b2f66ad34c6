#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/integration/process.h"
#include "tests/support/temp_folder.h"

namespace fpo::testing {

// post_receiver.py as a process, for as long as the object lives.
class PostReceiver {
 public:
  // `plan`: what becomes of the first requests, see there.
  explicit PostReceiver(const std::string& plan, const std::string& port = "0")
      : log_(folder_ / "requests.jsonl"),
        process_({"/usr/bin/python3",
                  Environment("FPO_SOURCE_DIR") + "/tests/common/http/post_receiver.py", log_, plan,
                  port},
                 {}, folder_ / "err") {
    const auto line = process_.ReadLine(absl::Seconds(60));
    EXPECT_TRUE(line.has_value()) << ReadFile(folder_ / "err");
    port_ = line.value_or("1");
  }

  std::string url() const { return "http://127.0.0.1:" + port_; }
  const std::string& port() const { return port_; }

  // The requests so far, in order: method, path, headers, body, step, time.
  std::vector<nlohmann::json> Requests() const {
    std::vector<nlohmann::json> requests;
    std::istringstream lines(ReadFile(log_));
    for (std::string line; std::getline(lines, line);) {
      requests.push_back(nlohmann::json::parse(line));
    }
    return requests;
  }

  // The same, once there are that many, or a minute has passed.
  std::vector<nlohmann::json> WaitFor(size_t count) const {
    const absl::Time end = absl::Now() + absl::Minutes(1);
    while (Requests().size() < count && absl::Now() < end) absl::SleepFor(absl::Milliseconds(20));
    return Requests();
  }

 private:
  TempFolder folder_;
  const std::string log_;
  Process process_;
  std::string port_;
};

}  // namespace fpo::testing
