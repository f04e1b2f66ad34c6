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
  // how long NOT_SERVING is reported before calls are cut: one probe period of the balancer
  absl::Duration drain_notice;
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
  // Reports NOT_SERVING for drain_notice, then gives running calls `grace` before cancelling them.
  // Blocks until all are done, but not for idle clients. Call once.
  void Shutdown(absl::Duration grace);

 private:
  explicit RpcServer(RpcServerOptions options);
  void BuildObserver(grpc::ServerBuilder* builder);

  const RpcServerOptions options_;
  int port_ = 0;
  absl::Mutex mu_;
  int calls_ ABSL_GUARDED_BY(mu_) = 0;    // in flight
  std::unique_ptr<grpc::Server> server_;  // its calls report to the fields above
  std::atomic<bool> shut_down_ = false;
};

}  // namespace fpo
