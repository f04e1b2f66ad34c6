#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "common/object_store/s3_object_store.h"
#include "common/object_store/s3_request.h"
#include "tests/integration/process.h"
#include "tests/support/temp_folder.h"

namespace fpo::testing {

// s3_server.py as a process, for as long as the object lives.
class S3Server {
 public:
  // `plan`: what becomes of the first requests, see there.
  explicit S3Server(const std::string& plan = "")
      : process_({"/usr/bin/python3",
                  Environment("FPO_SOURCE_DIR") + "/tests/common/object_store/s3_server.py", plan},
                 {}, folder_ / "err") {
    const auto line = process_.ReadLine(absl::Seconds(60));
    EXPECT_TRUE(line.has_value()) << ReadWhole(folder_ / "err");
    port_ = line.value_or("1");
  }

  std::string endpoint() const { return "http://127.0.0.1:" + port_; }

  // The settings of who may use it.
  S3Settings Settings() const {
    S3Settings settings;
    settings.endpoint = endpoint();
    settings.region = "eu-test-1";
    settings.fixed = {"test-key", "test-secret", "test-token"};
    return settings;
  }

  // With waits that a test can afford, and parts of 1,000 bytes.
  S3ObjectStore::Options Options() const {
    S3ObjectStore::Options options;
    options.settings = Settings();
    options.part_bytes = 1000;
    options.tries_max = 3;
    options.backoff = {.first = absl::Milliseconds(1), .most = absl::Milliseconds(2)};
    return options;
  }

  // "METHOD PATH?QUERY RANGE" of the requests so far.
  std::vector<std::string> Requests() const {
    S3Connections connections({.endpoint = endpoint(), .region = "x", .ca_file = ""});
    S3Request request;
    request.method = "GET";
    request.path = "/_requests";
    const auto response = connections.Call(request, {"a", "b", ""});
    EXPECT_TRUE(response.ok()) << response.status();
    std::vector<std::string> lines;
    std::istringstream text(response.ok() ? response->body : "");
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

 private:
  TempFolder folder_;
  Process process_;
  std::string port_;
};

}  // namespace fpo::testing
