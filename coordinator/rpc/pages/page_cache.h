#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/observe/http_server.h"
#include "common/rpc/listen_options.h"
#include "coordinator/core/coordinator.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::coordinator {

// GET /api/cache: what the cache says of itself, its recipes and its manifests, and which jobs of
// this coordinator use them. Asked with the token of the page's user, so that they see what they
// may. Thread-safe.
class PageCache {
 public:
  struct Options {
    std::string address;    // of fpo-cache; "": it is not known
    TlsFiles tls = {};      // as a client
    bool has_list = false;  // the coordinator has an access list: nobody sees the cache without one
  };
  // As MakeChannel.
  static absl::StatusOr<std::unique_ptr<PageCache>> Create(Options options,
                                                           Coordinator* coordinator);

  HttpCallRoutes Routes() const;  // outlived by this

 private:
  PageCache(Options options, Coordinator* coordinator)
      : options_(std::move(options)), coordinator_(coordinator) {}
  absl::Status CheckToken(const std::string& token) const;
  void Answer(const HttpCall& call, std::function<void(HttpReply)> reply) const;

  const Options options_;
  Coordinator* const coordinator_;
  std::unique_ptr<fpo::v1::ReferenceCache::Stub> stub_;  // null without an address
};

// {"jobs": {manifest in hex: [{"job_id", "name", ...}, ...]}, "saved": {recipe in hex: {"seconds",
// "jobs", "unmeasured"}}, "seen": jobs looked at, "all": whether those are all}.
std::string CacheUsesJson(const std::vector<JobPtr>& jobs, bool all);

}  // namespace fpo::coordinator
