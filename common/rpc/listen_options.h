#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fpo {

// PEM files. All empty: plaintext.
struct TlsFiles {
  std::string cert = {};  // own chain
  std::string key = {};   // own private key
  // CA that peers are verified by; on a server it makes client certificates mandatory
  std::string ca = {};

  bool empty() const { return cert.empty() && key.empty() && ca.empty(); }
};

// Where a program listens, from its flags; shared by coordinator, cache and agent.
struct ListenOptions {
  std::string listen = {};     // gRPC, "host:port", port 0 picks one; empty: no gRPC
  std::string http = {};       // /metrics, /healthz, /readyz; empty: none
  std::string port_file = {};  // path for WritePortFile; empty: not written
  bool insecure = false;       // allow one outside loopback without TLS or identity
  bool http_open = false;      // allow `http` there, which has neither
  TlsFiles tls = {};
  std::string access = {};  // access list file (common/access_list.h); empty: anyone may call
};

// InvalidArgument names the flag: a malformed address, half of a certificate pair, or an address
// that others can reach without TLS, or without saying who they are.
absl::Status ValidateListen(const ListenOptions& options);

// The rule of ValidateListen for one address: OK on loopback, with TLS, or with `insecure`.
absl::Status CheckExposure(absl::string_view address, bool has_tls, bool insecure);

// An address outside loopback demands an access list or client certificates, or `insecure`.
absl::Status CheckIdentity(const ListenOptions& options);
// What others can do there that they should not, for a warning every hour; empty: nothing.
std::string ExposureWarning(const ListenOptions& options);

// "host:port" with a host; [v6]:port too. InvalidArgument.
absl::Status CheckAddress(absl::string_view address);
std::string HostOf(absl::string_view address);  // without the port; brackets stay
bool IsLoopback(absl::string_view address);     // 127.0.0.0/8, [::1], localhost

// Atomically writes {"grpc":...,"http":...}, leaving out empty ones. An empty path does nothing.
absl::Status WritePortFile(const std::string& path, absl::string_view grpc, absl::string_view http);

}  // namespace fpo
