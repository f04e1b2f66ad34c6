#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fpo {

struct HttpRequest {
  std::string url;                   // http:// or https://
  std::vector<std::string> headers;  // "Name: value"
  std::string body;                  // sent by POST
};

struct HttpResponse {
  int status = 0;  // 200, 429, ...
  std::string body;
  absl::Duration retry_after;  // what the server asks for; zero: nothing
};

// POST requests in progress, over connections that stay open. Certificates are checked against the
// system's authorities, or `ca_file`; redirects are not followed, since a key would go with them.
// Proxies are those of the environment (http_proxy, https_proxy, no_proxy). Not thread-safe.
class HttpTransfers {
 public:
  struct Options {
    absl::Duration timeout = absl::Minutes(5);  // of a whole request
    absl::Duration connect_timeout = absl::Seconds(20);
    int64_t response_bytes_max = 16 << 20;
    std::string ca_file;  // PEM
  };
  struct Done {
    size_t id = 0;
    // Unavailable: no connection, or it ended early; DeadlineExceeded; ResourceExhausted: the
    // response is longer than response_bytes_max; InvalidArgument: the URL or the server's
    // certificate. The messages name the host and no header.
    absl::StatusOr<HttpResponse> response;
  };

  explicit HttpTransfers(const Options& options);
  ~HttpTransfers();  // gives up what is in progress

  void Start(size_t id, const HttpRequest& request);
  size_t in_progress() const;
  // Waits until a request has ended, at most this long; those that have.
  std::vector<Done> Wait(absl::Duration most);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fpo
