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

// Path to reply. Handlers run concurrently, on the server's threads.
using HttpRoutes = std::map<std::string, std::function<HttpReply()>>;
// The same for paths that take a query; they receive the raw query string.
using HttpQueryRoutes = std::map<std::string, std::function<HttpReply(const std::string& query)>>;

// Serves GET and HEAD of a few fixed paths, for metrics, probes and the status page. A silent or
// slow peer holds a connection, of which there are 1,024, but no thread; connections are closed
// after 10 s without a byte, and a response not read within 30 s is cut off. Not for the open
// network. On loopback only requests for localhost or an address in numbers are answered.
class HttpServer {
 public:
  // "host:port" with a numeric host or localhost; port 0 picks one. InvalidArgument or Unavailable
  // (taken).
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address,
                                                           HttpRoutes routes,
                                                           HttpQueryRoutes query_routes = {});
  ~HttpServer();  // waits for running handlers

  int port() const;
  std::string address() const;  // "host:port" with the real port

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fpo
