#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/observe/http_guard.h"

namespace fpo {

// Path to reply. Handlers run concurrently, on the server's threads.
using HttpRoutes = std::map<std::string, std::function<HttpReply()>>;
// The same for paths that take a query; they receive the raw query string.
using HttpQueryRoutes = std::map<std::string, std::function<HttpReply(const std::string& query)>>;

// A request that RefusalOf (http_guard.h) let through.
struct HttpCall {
  std::string query = {};
  std::string body = {};   // of a POST, at most kHttpBodyBytesMax
  std::string token = {};  // what the caller says it is allowed by; "": nothing
};
// Paths whose reply comes later, from any thread: it does not hold one of the server's meanwhile.
struct HttpCallRoute {
  bool is_post = false;  // it changes something
  // Calls `reply` exactly once, at the latest when its own deadline has passed.
  std::function<void(HttpCall call, std::function<void(HttpReply)> reply)> answer;
};
using HttpCallRoutes = std::map<std::string, HttpCallRoute>;

// Serves a few fixed paths, for metrics, probes and the status page: GET and HEAD, and of call
// routes those that say so POST. A silent or slow peer holds a connection, of which there are
// 1,024, but no thread; connections are closed after 10 s without a byte, and a response not read
// within 30 s is cut off. Not for the open network. On loopback only requests for localhost or an
// address in numbers are answered.
class HttpServer {
 public:
  // "host:port" with a numeric host or localhost; port 0 picks one. InvalidArgument or Unavailable
  // (taken).
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address,
                                                           HttpRoutes routes,
                                                           HttpQueryRoutes query_routes = {},
                                                           HttpCallRoutes call_routes = {});
  ~HttpServer();  // waits for running handlers and for replies that are to come

  int port() const;
  std::string address() const;  // "host:port" with the real port

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fpo
