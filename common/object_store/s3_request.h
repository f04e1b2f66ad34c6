#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/object_store/object_store.h"
#include "common/object_store/s3_settings.h"

namespace fpo {

// One request of S3's REST interface.
struct S3Request {
  std::string method;                     // GET | HEAD | PUT | POST | DELETE
  std::string path;                       // "/bucket/key", encoded
  std::string query = {};                 // encoded, in the order of its names, "a=1&b="
  std::vector<std::string> headers = {};  // "x-amz-...: value", names in lower case
  absl::string_view body = {};            // outlives the call
  // Instead of `body`: this part of an open file.
  int file = -1;
  int64_t file_offset = 0;
  int64_t file_bytes = 0;
  std::string body_sha256 = {};  // hex, of what is sent; signed, and checked by the server
  ObjectStore::Sink sink = {};   // gets the body of a success; none: it is S3Response::body
  std::stop_token stop = {};
};

struct S3Response {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // of an error always
};

// Signed requests (AWS Signature Version 4) to one endpoint over connections that stay open.
// Certificates are checked, redirects are not followed. Proxies are those of the environment.
// Thread-safe.
class S3Connections {
 public:
  struct Options {
    std::string endpoint;
    std::string region;
    std::string ca_file;
    absl::Duration connect_timeout = absl::Seconds(20);
    absl::Duration silence = absl::Seconds(60);  // no byte for this long ends a request
    int64_t body_bytes_max = 16 << 20;           // of a response without a sink
  };

  explicit S3Connections(Options options);
  ~S3Connections();

  // Whatever the server answered, of any status. Unavailable: no connection, or it ended early;
  // InvalidArgument: the server's certificate; Cancelled; an error of the sink.
  absl::StatusOr<S3Response> Call(const S3Request& request, const S3Credentials& credentials);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fpo
