#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/listen_options.h"

namespace fpo {

// How one call ended, for metrics.
struct HandledCall {
  absl::string_view service;  // "fpo.v1.ReferenceCache"
  absl::string_view method;   // "PutRecords"
  int code = 0;               // grpc::StatusCode
  absl::Duration duration;
};

struct RpcServerOptions {
  struct Service {
    std::string name;                  // pb::ReferenceCache::service_full_name()
    grpc::Service* service = nullptr;  // outlives the server
  };

  std::string listen;  // "host:port", port 0 picks one
  TlsFiles tls;
  bool insecure = false;  // allow an address outside loopback without TLS
  std::vector<Service> services;
  int threads_max = 64;              // of the synchronous API; callback services need few
  int memory_bytes_max = 512 << 20;  // of gRPC's buffers, over all connections
  absl::Duration drain_notice;       // how long NOT_SERVING stands before calls are cut: one probe
                                     // period of the balancer
  std::function<void(const HandledCall&)> on_handled;  // any thread, must not block
};

// A listening gRPC server with health service. Thread-safe.
class RpcServer {
 public:
  // InvalidArgument: address or TLS; Unavailable: the address is taken. All services start SERVING.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(RpcServerOptions options);
  ~RpcServer();  // Shutdown(0)

  int port() const { return port_; }
  std::string address() const;  // "host:port" with the real port

  // Health of one service, or of all for an empty name.
  void SetServing(const std::string& service, bool serving);
  // NOT_SERVING, drain_notice, then running calls get `grace` before they are cancelled. Blocks
  // until all are done, not longer: an idle client does not keep the server up. Once.
  void Shutdown(absl::Duration grace);

 private:
  explicit RpcServer(RpcServerOptions options);
  void BuildObserver(grpc::ServerBuilder* builder);

  const RpcServerOptions options_;
  int port_ = 0;
  absl::Mutex mu_;
  int calls_ ABSL_GUARDED_BY(mu_) = 0;    // begun and not ended
  std::unique_ptr<grpc::Server> server_;  // its calls report to the fields above
  std::atomic<bool> shut_down_ = false;
};

}  // namespace fpo
