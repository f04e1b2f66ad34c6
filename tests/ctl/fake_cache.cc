#include "tests/ctl/fake_cache.h"

#include <utility>

#include "gtest/gtest.h"

namespace fpo::ctl {

namespace pb = fpo::v1;

FakeCache::FakeCache() {
  RpcServerOptions options;
  options.listen = "127.0.0.1:0";
  options.services = {{pb::ReferenceCache::service_full_name(), this}};
  auto server = RpcServer::Start(std::move(options));
  EXPECT_TRUE(server.ok()) << server.status();
  if (!server.ok()) return;
  server_ = std::move(*server);
  address_ = server_->address();
}

grpc::Status FakeCache::ListManifests(grpc::ServerContext*, const pb::ListManifestsRequest*,
                                      pb::ListManifestsResponse* response) {
  for (const pb::Manifest& manifest : manifests_) *response->add_manifests() = manifest;
  return grpc::Status::OK;
}

grpc::Status FakeCache::GetManifest(grpc::ServerContext*, const pb::GetManifestRequest* request,
                                    pb::GetManifestResponse* response) {
  for (const pb::Manifest& manifest : manifests_) {
    if (manifest.manifest_id() == request->manifest_id()) *response->mutable_manifest() = manifest;
  }
  if (response->has_manifest()) return grpc::Status::OK;
  return {grpc::StatusCode::NOT_FOUND, "no such manifest"};
}

grpc::Status FakeCache::Stats(grpc::ServerContext*, const pb::StatsRequest*,
                              pb::StatsResponse* response) {
  *response = stats_;
  return grpc::Status::OK;
}

}  // namespace fpo::ctl
