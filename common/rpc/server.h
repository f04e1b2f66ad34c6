#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/acceptor.h"
#include "common/rpc/listen_options.h"

namespace fpo {

// How one call ended, for metrics.
struct HandledCall {
  absl::string_view service;  // "fpo.v1.ReferenceCache"; "unknown" of a method that is not served
  absl::string_view method;   // "PutRecords"; "unknown"
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
  int connections_max = 0;           // 0: what the limit of open files allows
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

  int port() const;
  std::string address() const;  // "host:port" with the real port

  // To this server without a socket: its calls are admitted, observed and answered as any other,
  // but nobody shows a certificate. Ends with the server.
  std::shared_ptr<grpc::Channel> InProcessChannel();

  // Unavailable while no connection can be accepted.
  absl::Status Health() const;
  // For metrics: connections that are open, and since the start those refused over a limit and
  // failures to accept one.
  std::vector<std::pair<std::string, double>> ConnectionNumbers() const;

  // Health of one service, or of all for an empty name.
  void SetServing(const std::string& service, bool serving);
  // Reports NOT_SERVING for drain_notice, then gives running calls `grace` before cancelling them.
  // Blocks until all are done, but not for idle clients. Call once.
  void Shutdown(absl::Duration grace);

 private:
  explicit RpcServer(RpcServerOptions options);
  void FindMethods();
  void BuildObserver(grpc::ServerBuilder* builder);

  const RpcServerOptions options_;
  absl::flat_hash_set<std::string> methods_;  // "fpo.v1.ReferenceCache/Stats"
  absl::Mutex mu_;
  int calls_ ABSL_GUARDED_BY(mu_) = 0;    // in flight
  std::unique_ptr<grpc::Server> server_;  // its calls report to the fields above
  std::unique_ptr<Acceptor> acceptor_;    // its connections go to the server
  std::atomic<bool> shut_down_ = false;
};

}  // namespace fpo
