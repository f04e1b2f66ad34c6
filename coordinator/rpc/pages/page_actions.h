#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "absl/status/status.h"
#include "common/observe/http_server.h"
#include "common/rpc/listen_options.h"
#include "proto/fpo/v1/coordinator.grpc.pb.h"

namespace fpo::coordinator {

// What the status page changes: POST /api/cancel, hold, release, pause, resume and retry with the
// JSON of the Coordinator service's requests. Each becomes a call of that service over a channel
// within the process, with the token that the page's user gave: the same permissions, metrics and
// audit as of any caller. Thread-safe.
class PageActions {
 public:
  PageActions(const std::shared_ptr<grpc::Channel>& coordinator, const ListenOptions& listen);

  // OK, or why the page may change nothing here, whoever asks.
  const absl::Status& allowed() const { return allowed_; }
  HttpCallRoutes Routes() const;  // outlived by this

 private:
  const absl::Status allowed_;
  const std::unique_ptr<fpo::v1::Coordinator::Stub> stub_;
};

}  // namespace fpo::coordinator
