#pragma once

#include <optional>
#include <string>

#include "tests/integration/local_service.h"

namespace fpo::testing {

// Envoy with the configuration of deploy/envoy/ in front of a service: other ports, and either a
// certificate of its own or no TLS. The program is FPO_ENVOY.
class EnvoyFront {
 public:
  static bool IsThere();
  // Until it listens. `tls`: with certificate() for localhost.
  EnvoyFront(LocalService* service, bool tls);

  std::string coordinator() const { return coordinator_; }  // "localhost:port"
  std::string cache() const { return cache_; }
  std::string certificate() const { return folder_ + "/server.pem"; }
  pid_t pid() const { return process_->pid(); }

 private:
  std::string folder_;
  std::string coordinator_, cache_;
  std::optional<Process> process_;
};

}  // namespace fpo::testing
