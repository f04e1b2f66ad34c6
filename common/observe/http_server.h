#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace fpo {

struct HttpReply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = {};
};

// Path to answer. Handlers of several requests run at the same time, on the server's threads.
using HttpRoutes = std::map<std::string, std::function<HttpReply()>>;
// The same for paths that take a query; they receive the raw string behind the '?'.
using HttpQueryRoutes = std::map<std::string, std::function<HttpReply(const std::string& query)>>;

// Answers GET and HEAD of a few fixed paths, for metrics, probes and the status page. Peers that
// are silent or read slowly hold a connection, of which there are 1,024, and no thread; after 10 s
// without a byte their connection is closed, and an answer that is not taken within 30 s is broken
// off. Not for the open network.
class HttpServer {
 public:
  // "host:port" with a numeric host or localhost; port 0 picks one. InvalidArgument or Unavailable
  // (taken).
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address,
                                                           HttpRoutes routes,
                                                           HttpQueryRoutes query_routes = {});
  ~HttpServer();  // waits for the handlers that run

  int port() const;
  std::string address() const;  // "host:port" with the real port

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fpo
