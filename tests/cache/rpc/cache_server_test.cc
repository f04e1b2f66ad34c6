#include <unistd.h>

#include <cstdlib>

#include "common/observe/metrics.h"
#include "gmock/gmock.h"
#include "proto/fpo/v1/cache.pb.h"
#include "tests/cache/rpc/cache_fixture.h"
#include "tests/support/web/http_get.h"

namespace fpo::cache {
namespace {

using ::fpo::testing::HttpGet;
using ::testing::HasSubstr;

TEST_F(CacheServerTest, ServesHealthAndMetricsThatPromtoolAccepts) {
  Filled(FeatureTestRecipe(), 3);
  EXPECT_THAT(HttpGet(server_->http_address(), "/healthz"), HasSubstr("200 OK"));
  EXPECT_THAT(HttpGet(server_->http_address(), "/readyz"), HasSubstr("200 OK"));
  // A call is counted once its status is on the way, which may be after the client has it.
  std::string text;
  for (int i = 0; i < 1000 && text.find("op=\"PutRecords\"") == std::string::npos; ++i) {
    text = HttpGet(server_->http_address(), "/metrics");
  }
  for (const char* line :
       {"fpo_build_info{commit=\"abc\",version=\"1.2.3\"} 1",
        "fpo_cache_records_total{result=\"stored\"} 3", "fpo_cache_manifests{state=\"complete\"} 1",
        "fpo_cache_claims{state=\"live\"} 0", "fpo_cache_claim_expirations_total 0",
        "fpo_cache_size_bytes{kind=\"logical\"}", "fpo_cache_size_bytes{kind=\"disk\"}",
        "fpo_cache_stream_bytes_total{direction=\"in\"}",
        "fpo_cache_corruptions_total{where=\"read\"} 0", "fpo_store_read_only 0",
        "fpo_store_free_bytes", "fpo_cache_requests_total{op=\"PutManifest\",result=\"ok\"} 1",
        "grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"Claim\","
        "grpc_service=\"fpo.v1.ReferenceCache\"} 1"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  if (std::system("command -v promtool > /dev/null") != 0) GTEST_SKIP() << "no promtool here";
  const std::string file = folder_ / "metrics";
  fpo::testing::WriteWhole(file, text.substr(text.find("\r\n\r\n") + 4));
  EXPECT_EQ(std::system(("promtool check metrics < " + file).c_str()), 0);
}

TEST_F(CacheServerTest, AFullDiskIsNotReadyAndRefusesRecordsButReads) {
  const std::string id = Filled(MarginTestRecipe(), 1);
  server_.reset();
  config_.free_mib_min = 1 << 30;
  Start();
  EXPECT_THAT(HttpGet(server_->http_address(), "/healthz"), HasSubstr("200 OK"));
  EXPECT_THAT(HttpGet(server_->http_address(), "/readyz"), HasSubstr("503"));
  EXPECT_TRUE(absl::IsResourceExhausted(PutManifest(MarginTestRecipe(), TestKeys(2)).status()));
  fpo::v1::PullManifestRequest request;
  request.set_manifest_id(id);
  const auto context = Context();
  const auto reader = stub().PullManifest(context.get(), request);
  fpo::v1::PullManifestResponse frame;
  EXPECT_TRUE(reader->Read(&frame));
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_THAT(HttpGet(server_->http_address(), "/metrics"), HasSubstr("fpo_store_read_only 1"));
}

TEST_F(CacheServerTest, WritesThePortFileOnceItListens) {
  server_.reset();
  config_.listen.port_file = folder_ / "ports";
  Start();
  EXPECT_EQ(
      fpo::testing::ReadWhole(config_.listen.port_file),
      "{\"grpc\":\"" + server_->address() + "\",\"http\":\"" + server_->http_address() + "\"}\n");
}

TEST_F(CacheServerTest, NamesAFolderThatAnotherProcessHas) {
  const auto second = CacheServer::Start(config_, "1", "c");
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(config_.data));
}

TEST_F(CacheServerTest, AnIdleStreamIsCut) {
  server_.reset();
  config_.idle = absl::Milliseconds(300);
  Start();
  const auto context = Context();
  const auto stream = stub().PutRecords(context.get());
  fpo::v1::PutRecordsResponse ack;
  EXPECT_FALSE(stream->Read(&ack));
  EXPECT_EQ(stream->Finish().error_code(), grpc::CANCELLED);
}

TEST_F(CacheServerTest, ShutdownEndsWaitingStreams) {
  config_.grace = absl::Milliseconds(100);
  server_.reset();
  Start();
  const std::string id = PutManifest(MarginTestRecipe(), TestKeys(1))->manifest_id();
  Claim(id, 1).IgnoreError();
  fpo::v1::WaitManifestRequest request;
  request.set_manifest_id(id);
  const auto context = Context();
  const auto reader = stub().WaitManifest(context.get(), request);
  fpo::v1::WaitManifestResponse response;
  ASSERT_TRUE(reader->Read(&response));
  server_->Shutdown();
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_FALSE(reader->Finish().ok());
}

}  // namespace
}  // namespace fpo::cache
