#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/rpc/server.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::ctl {

// A ReferenceCache with fixed manifests, on a free port of this machine. Filled before the first
// call.
class FakeCache final : public fpo::v1::ReferenceCache::Service {
 public:
  FakeCache();

  const std::string& address() const { return address_; }
  void AddManifest(const fpo::v1::Manifest& manifest) { manifests_.push_back(manifest); }
  void SetStats(const fpo::v1::StatsResponse& stats) { stats_ = stats; }

  grpc::Status ListManifests(grpc::ServerContext*, const fpo::v1::ListManifestsRequest*,
                             fpo::v1::ListManifestsResponse*) override;
  grpc::Status GetManifest(grpc::ServerContext*, const fpo::v1::GetManifestRequest*,
                           fpo::v1::GetManifestResponse*) override;
  grpc::Status Stats(grpc::ServerContext*, const fpo::v1::StatsRequest*,
                     fpo::v1::StatsResponse*) override;

 private:
  std::vector<fpo::v1::Manifest> manifests_;
  fpo::v1::StatsResponse stats_;
  std::string address_;
  std::unique_ptr<RpcServer> server_;
};

}  // namespace fpo::ctl
