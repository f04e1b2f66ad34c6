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

// Path to answer; called on the server's thread.
using HttpRoutes = std::map<std::string, std::function<HttpReply()>>;
// The same for paths that take a query; they get what stands behind the '?', undecoded.
using HttpQueryRoutes = std::map<std::string, std::function<HttpReply(const std::string& query)>>;

// Answers GET and HEAD of a few fixed paths, for metrics, probes and the status page only: one
// thread, one request a connection, requests of at most 8 KiB within 2 s. Not for the open network.
class HttpServer {
 public:
  // "host:port" with a numeric host or localhost; port 0 picks one. InvalidArgument or Unavailable
  // (taken).
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address,
                                                           HttpRoutes routes,
                                                           HttpQueryRoutes query_routes = {});
  ~HttpServer();  // stops and joins

  int port() const;
  std::string address() const;  // "host:port" with the real port

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fpo
