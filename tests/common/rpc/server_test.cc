// Server, channel, credentials, deadlines and call metrics together, with gRPC's own health
// service.
#include "common/rpc/server.h"

#include <grpcpp/generic/generic_stub.h>

#include <cstdlib>
#include <map>

#include "absl/synchronization/mutex.h"
#include "common/observe/metrics.h"
#include "common/rpc/call_metrics.h"
#include "common/rpc/channel.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "gmock/gmock.h"
#include "proto/fpo/v1/cache.grpc.pb.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;
using ::testing::HasSubstr;

// Answers Stats at once and never answers ListManifests until it is cancelled.
class TestService final : public pb::ReferenceCache::CallbackService {
 public:
  grpc::ServerUnaryReactor* Stats(grpc::CallbackServerContext* context, const pb::StatsRequest*,
                                  pb::StatsResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    response->set_version("v");
    reactor->Finish(ToGrpcStatus(RequireDeadline(*context)));
    return reactor;
  }
  grpc::ServerUnaryReactor* ListManifests(grpc::CallbackServerContext*,
                                          const pb::ListManifestsRequest*,
                                          pb::ListManifestsResponse*) override {
    class Silent final : public grpc::ServerUnaryReactor {
      void OnCancel() override { Finish(grpc::Status::CANCELLED); }
      void OnDone() override { delete this; }
    };
    return new Silent();
  }
};

class RpcServerTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<RpcServer>> Start(RpcServerOptions options) {
    if (options.listen.empty()) options.listen = "127.0.0.1:0";
    options.services = {{pb::ReferenceCache::service_full_name(), &service_}};
    return RpcServer::Start(std::move(options));
  }
  static grpc::Status CallStats(const std::string& address, const ChannelOptions& options = {}) {
    const auto channel = MakeChannel(address, options);
    if (!channel.ok()) return ToGrpcStatus(channel.status());
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(10));
    pb::StatsResponse response;
    return pb::ReferenceCache::NewStub(*channel)->Stats(&context, {}, &response);
  }

  TestService service_;
};

TEST_F(RpcServerTest, ATakenAddressIsSaidInOurWordsAlone) {
  const auto first = Start({});
  ASSERT_TRUE(first.ok()) << first.status();
  ::testing::internal::CaptureStderr();
  const auto second = Start({.listen = (*first)->address()});
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "") << "gRPC logs nothing beside it";
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("the address is taken"));
}

// Clusters export one in login shells.
TEST_F(RpcServerTest, AProxyOfTheEnvironmentIsNotUsed) {
  for (const char* name : {"http_proxy", "https_proxy", "grpc_proxy"}) {
    setenv(name, "http://127.0.0.1:9", 1);
  }
  const auto server = Start({});
  ASSERT_TRUE(server.ok()) << server.status();
  const grpc::Status status = CallStats((*server)->address());
  for (const char* name : {"http_proxy", "https_proxy", "grpc_proxy"}) unsetenv(name);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(RpcServerTest, TlsFilesThatHoldSomethingElseAreSaidAtStart) {
  const fpo::testing::TempFolder folder;
  fpo::testing::WriteWhole(folder / "notes.txt", "words\n");
  const auto wrong = MakeChannel("127.0.0.1:1", {.tls = {.ca = folder / "notes.txt"}});
  EXPECT_THAT(std::string(wrong.status().message()),
              HasSubstr("notes.txt holds no certificate in PEM form"));
  const auto absent = MakeChannel("127.0.0.1:1", {.tls = {.ca = folder / "none.pem"}});
  EXPECT_THAT(std::string(absent.status().message()), HasSubstr("No such file"));
  const auto is_folder = MakeChannel("127.0.0.1:1", {.tls = {.ca = folder.path()}});
  EXPECT_THAT(std::string(is_folder.status().message()), HasSubstr("Is a directory"));
}

TEST_F(RpcServerTest, ServesOnAFreePort) {
  const auto server = Start({});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_GT((*server)->port(), 0);
  EXPECT_TRUE(CallStats((*server)->address()).ok());
  EXPECT_TRUE(CallStats((*server)->address(), {.bulk = true}).ok());
}

// Before anyone is asked who they are, a peer may call any path: it must leave no trace that stays.
TEST_F(RpcServerTest, MethodsThatAreNotServedAreCountedTogether) {
  absl::Mutex mutex;
  std::map<std::string, int> calls;
  RpcServerOptions options;
  options.on_handled = [&](const HandledCall& call) {
    absl::MutexLock lock(&mutex);
    ++calls[std::string(call.service) + "/" + std::string(call.method)];
  };
  auto server = Start(std::move(options));
  ASSERT_TRUE(server.ok()) << server.status();
  grpc::GenericStub stub(*MakeChannel((*server)->address()));
  for (const char* path : {"/x/1", "/x/2", "/fpo.v1.ReferenceCache/Nothing", "/fpo.v1/Stats"}) {
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(10));
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareUnaryCall(&context, path, grpc::ByteBuffer(), &queue);
    call->StartCall();
    grpc::ByteBuffer response;
    grpc::Status status;
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_EQ(status.error_code(), grpc::UNIMPLEMENTED) << path;
  }
  ASSERT_TRUE(CallStats((*server)->address()).ok());
  server->reset();
  EXPECT_EQ(calls, (std::map<std::string, int>{{"unknown/unknown", 4},
                                               {"fpo.v1.ReferenceCache/Stats", 1}}));
}

TEST_F(RpcServerTest, NamesATakenAddress) {
  const auto first = Start({});
  RpcServerOptions options;
  options.listen = (*first)->address();
  const absl::Status second = Start(options).status();
  EXPECT_TRUE(absl::IsUnavailable(second)) << second;
  EXPECT_THAT(std::string(second.message()), HasSubstr((*first)->address()));
}

TEST_F(RpcServerTest, RefusesToExposePlaintext) {
  RpcServerOptions options;
  options.listen = "0.0.0.0:0";
  EXPECT_THAT(std::string(Start(options).status().message()), HasSubstr("--insecure"));
  options.insecure = true;
  EXPECT_TRUE(Start(options).ok());
}

TEST_F(RpcServerTest, ACallWithoutADeadlineIsRefused) {
  const auto server = Start({});
  grpc::ClientContext context;
  pb::StatsResponse response;
  const grpc::Status status = pb::ReferenceCache::NewStub(*MakeChannel((*server)->address()))
                                  ->Stats(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
}

TEST_F(RpcServerTest, ShutdownCancelsWhatTheGraceDoesNotEnd) {
  const auto server = Start({});
  const auto stub = pb::ReferenceCache::NewStub(*MakeChannel((*server)->address()));
  ASSERT_TRUE(CallStats((*server)->address()).ok());
  grpc::ClientContext context;
  pb::ListManifestsRequest request;
  pb::ListManifestsResponse response;
  absl::Mutex mutex;
  bool done = false;
  grpc::Status ended;
  stub->async()->ListManifests(&context, &request, &response, [&](grpc::Status status) {
    absl::MutexLock lock(&mutex);
    ended = status;
    done = true;
  });
  (*server)->Shutdown(absl::Milliseconds(100));
  absl::MutexLock lock(&mutex);
  ASSERT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&done), absl::Seconds(10)));
  EXPECT_FALSE(ended.ok());
}

TEST_F(RpcServerTest, CountsHandledCalls) {
  MetricsRegistry registry;
  RpcServerOptions options;
  options.on_handled = CountCalls(&registry);
  auto server = Start(std::move(options));
  ASSERT_TRUE(CallStats((*server)->address()).ok());
  server->reset();  // every call has been counted when it returns
  const std::string text = registry.Text();
  EXPECT_THAT(text, HasSubstr("grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"Stats\","
                              "grpc_service=\"fpo.v1.ReferenceCache\"} 1"));
  EXPECT_THAT(text, HasSubstr("grpc_server_handling_seconds_count{grpc_method=\"Stats\","
                              "grpc_service=\"fpo.v1.ReferenceCache\"} 1"));
}

TEST_F(RpcServerTest, TlsProvesBothSides) {
  const testing::TempFolder folder;
  const std::string make = "cd " + folder.path() +
                           " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
                           "-nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost "
                           "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 2> /dev/null";
  if (std::system(make.c_str()) != 0) GTEST_SKIP() << "no openssl program here";
  const TlsFiles both{folder / "cert.pem", folder / "key.pem", folder / "cert.pem"};
  RpcServerOptions options;
  options.tls = both;
  const auto server = Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string address = "localhost:" + std::to_string((*server)->port());
  EXPECT_TRUE(CallStats(address, {.tls = both}).ok());
  EXPECT_FALSE(CallStats(address).ok()) << "plaintext";
  EXPECT_FALSE(CallStats(address, {.tls = {.ca = both.ca}}).ok()) << "no client certificate";
}

TEST_F(RpcServerTest, NamesTlsFilesThatCannotBeUsed) {
  RpcServerOptions options;
  options.tls = {"/none/cert.pem", "/none/key.pem", ""};
  EXPECT_THAT(std::string(Start(options).status().message()), HasSubstr("/none/cert.pem"));
  options.tls = {"", "", "/etc/hostname"};
  EXPECT_THAT(std::string(Start(options).status().message()), HasSubstr("--tls-cert"));
  EXPECT_THAT(CallStats("127.0.0.1:1", {.tls = {.ca = "/none/ca.pem"}}).error_message(),
              HasSubstr("/none/ca.pem"));
}

}  // namespace
}  // namespace fpo
