#pragma once

#include <fstream>
#include <memory>
#include <string>

#include "common/access_list.h"
#include "coordinator/rpc/coordinator_server.h"
#include "tests/coordinator/core/temp_dir.h"
#include "tests/coordinator/rpc/test_user.h"

namespace fpo::coordinator {

// A whole coordinator in this process on free ports, and a user of it.
class TestServer {
 public:
  TestServer() {
    config_.listen.listen = "127.0.0.1:0";
    config_.listen.http = "127.0.0.1:0";
    config_.data = dir_.path();
    config_.options.heartbeat = absl::Milliseconds(100);
    config_.options.lease = absl::Seconds(10);
    config_.options.reattach = absl::Seconds(10);
    config_.grace = absl::Seconds(5);
  }
  void Start() {
    server_ = CoordinatorServer::Start(config_, "0.0.0", "test").value();
    user_ = std::make_unique<TestUser>(server_->grpc_address());
  }
  // Before Start: only those of the list may call.
  void Guard(const AccessList& list) {
    config_.listen.access = dir_.path() + "-access.json";
    std::ofstream(config_.listen.access) << list.ToJson();
  }
  // Another user, who shows this token.
  std::unique_ptr<TestUser> As(const std::string& token) {
    return std::make_unique<TestUser>(server_->grpc_address(), token);
  }
  void Stop() { server_.reset(); }
  std::string http_address() const { return server_->http_address(); }
  TestUser& user() { return *user_; }

 private:
  TempDir dir_;
  CoordinatorConfig config_;
  std::unique_ptr<CoordinatorServer> server_;
  std::unique_ptr<TestUser> user_;
};

}  // namespace fpo::coordinator
