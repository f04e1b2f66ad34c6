#include "common/rpc/unary_call.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/error_info.h"
#include "common/rpc/channel.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/server.h"
#include "gtest/gtest.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;

// Answers Stats on its pool, for callers of at least `least`.
class StatsOnPool final : public pb::ReferenceCache::CallbackService {
 public:
  grpc::ServerUnaryReactor* Stats(grpc::CallbackServerContext* call, const pb::StatsRequest*,
                                  pb::StatsResponse* response) override {
    return AnswerOnPool(
        {call, access.get(), &pool, Role::kAdmin, "the test"},
        [response](const Principal& caller) {
          response->set_version(std::string(RoleName(caller.role)));
          return absl::OkStatus();
        },
        [this](const absl::Status& why) { refused.push_back(why); });
  }
  const std::unique_ptr<AccessControl> access = *AccessControl::Open("");  // everybody is an admin
  WorkPool pool{{.threads = 1, .queue_max = 1}};
  std::vector<absl::Status> refused;
};

class UnaryCallTest : public ::testing::Test {
 protected:
  UnaryCallTest() {
    RpcServerOptions options;
    options.listen = "127.0.0.1:0";
    options.services = {{pb::ReferenceCache::service_full_name(), &service_}};
    server_ = *RpcServer::Start(std::move(options));
    stub_ = pb::ReferenceCache::NewStub(*MakeChannel(server_->address()));
  }
  absl::Status Call(bool with_deadline) {
    grpc::ClientContext context;
    if (with_deadline) SetDeadline(&context, absl::Seconds(30));
    return FromGrpcStatus(stub_->Stats(&context, {}, &response_));
  }

  StatsOnPool service_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<pb::ReferenceCache::Stub> stub_;
  pb::StatsResponse response_;
};

TEST_F(UnaryCallTest, TheWorkSeesTheCallerAndFillsTheResponse) {
  ASSERT_TRUE(Call(true).ok());
  EXPECT_EQ(response_.version(), "admin");
  EXPECT_TRUE(service_.refused.empty());
}

TEST_F(UnaryCallTest, ACallWithoutADeadlineIsRefused) {
  EXPECT_EQ(ReasonOf(Call(false)), ErrorReason::kNoDeadline);
  ASSERT_EQ(service_.refused.size(), 1u);
  EXPECT_EQ(ReasonOf(service_.refused[0]), ErrorReason::kNoDeadline);
}

TEST_F(UnaryCallTest, APoolWithoutRoomSaysSo) {
  service_.pool.Stop();
  const absl::Status busy = Call(true);
  EXPECT_EQ(ReasonOf(busy), ErrorReason::kBusy);
  EXPECT_EQ(busy.message(), "the test has too many calls to serve");
  EXPECT_EQ(service_.refused.size(), 1u);
}

}  // namespace
}  // namespace fpo
