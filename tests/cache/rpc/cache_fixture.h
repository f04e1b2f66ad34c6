#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>

#include <memory>
#include <string>
#include <vector>

#include "cache/core/records/reference_cache.h"
#include "cache/rpc/cache_server.h"
#include "common/rpc/channel.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "gtest/gtest.h"
#include "proto/fpo/v1/cache.grpc.pb.h"
#include "tests/cache/core/test_records.h"
#include "tests/support/temp_folder.h"

namespace fpo::cache {

// Client side of the service: each call with its context and status. `Begin` gives a context with a
// deadline that lives as long as the fixture's next call.
class CacheCalls {
 public:
  void Connect(const std::string& address, const std::string& token = "") {
    stub_ = fpo::v1::ReferenceCache::NewStub(*MakeChannel(address, {.token = token}));
  }
  // For a server that is about to be killed: a failed call is not tried again.
  void ConnectWithoutRetries(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    stub_ = fpo::v1::ReferenceCache::NewStub(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
  }
  fpo::v1::ReferenceCache::Stub& stub() { return *stub_; }

  static std::unique_ptr<grpc::ClientContext> Context(absl::Duration limit = absl::Seconds(30)) {
    auto context = std::make_unique<grpc::ClientContext>();
    SetDeadline(context.get(), limit);
    return context;
  }

  absl::StatusOr<fpo::v1::PutManifestResponse> PutManifest(const Recipe& recipe,
                                                           const std::vector<Digest>& keys,
                                                           int64_t promised = -1) {
    const auto context = Context();
    fpo::v1::PutManifestResponse response;
    const auto writer = stub_->PutManifest(context.get(), &response);
    fpo::v1::PutManifestRequest request;
    request.mutable_header()->set_recipe(CanonicalRecipe(recipe));
    request.mutable_header()->set_keys(promised < 0 ? static_cast<int64_t>(keys.size()) : promised);
    request.mutable_header()->set_owner("ann");
    request.mutable_header()->set_name("job");
    request.mutable_header()->set_share(share_);
    writer->Write(request);
    for (size_t from = 0; from < keys.size(); from += 4096) {
      request.clear_keys();
      std::string bytes;
      for (size_t i = from; i < std::min(keys.size(), from + 4096); ++i) bytes += ToBytes(keys[i]);
      request.set_keys(bytes);
      writer->Write(request);
    }
    writer->WritesDone();
    return Answer(writer->Finish(), response);
  }

  absl::StatusOr<fpo::v1::ClaimResponse> Claim(const std::string& manifest, int limit) {
    fpo::v1::ClaimRequest request;
    request.set_manifest_id(manifest);
    request.set_limit(limit);
    request.set_builder("test");
    fpo::v1::ClaimResponse response;
    return Answer(stub_->Claim(Context().get(), request, &response), response);
  }

  // Puts each batch and returns the last acknowledgement.
  absl::StatusOr<fpo::v1::PutRecordsResponse> PutRecords(const std::string& manifest,
                                                         uint64_t claim,
                                                         const std::vector<std::string>& batches) {
    const auto context = Context();
    const auto stream = stub_->PutRecords(context.get());
    fpo::v1::PutRecordsRequest request;
    request.set_manifest_id(manifest);
    request.set_claim_id(claim);
    fpo::v1::PutRecordsResponse ack;
    for (const std::string& batch : batches) {
      request.set_seq(request.seq() + 1);
      request.set_packed(batch);
      if (!stream->Write(request) || !stream->Read(&ack)) break;
    }
    stream->WritesDone();
    return Answer(stream->Finish(), ack);
  }

  template <typename Response>
  static absl::StatusOr<Response> Answer(const grpc::Status& status, const Response& response) {
    if (!status.ok()) return FromGrpcStatus(status);
    return response;
  }

  std::string share_;  // of the manifests that are put

 private:
  std::unique_ptr<fpo::v1::ReferenceCache::Stub> stub_;
};

// A whole cache in this process on a free port.
class CacheServerTest : public ::testing::Test, protected CacheCalls {
 protected:
  void SetUp() override {
    config_.listen.listen = "127.0.0.1:0";
    config_.listen.http = "127.0.0.1:0";
    config_.data = folder_ / "store";
    config_.free_mib_min = 0;
    Start();
  }
  void Start() {
    auto server = CacheServer::Start(config_, "1.2.3", "abc");
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    Connect(server_->address());
  }
  // A manifest of `count` records, all stored.
  std::string Filled(const Recipe& recipe, int count) {
    const std::string id = PutManifest(recipe, TestKeys(count))->manifest_id();
    for (int first = 0; first < count; first += 1024) {
      const auto claim = Claim(id, 1024);
      const int size = std::min(1024, count - first);
      std::vector<std::string> batches;
      for (int i = 0; i < size; i += 256) {
        batches.push_back(Pack(TestRecords(recipe, std::min(256, size - i), first + i)));
      }
      EXPECT_TRUE(PutRecords(id, claim->claim_id(), batches).ok());
    }
    return id;
  }

  const fpo::testing::TempFolder folder_;
  CacheConfig config_;
  std::unique_ptr<CacheServer> server_;
};

}  // namespace fpo::cache
