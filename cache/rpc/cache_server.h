#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cache/config.h"

namespace fpo::cache {

// The whole program below main: store, service, listeners and the ticker. Thread-safe.
class CacheServer {
 public:
  // Listens and has written the port file on return. Errors name the folder or address.
  static absl::StatusOr<std::unique_ptr<CacheServer>> Start(const CacheConfig& config,
                                                            const std::string& version,
                                                            const std::string& commit);
  ~CacheServer();  // Shutdown

  std::string address() const;       // gRPC, with the real port
  std::string http_address() const;  // empty without --http
  void Shutdown();                   // drains running calls; the second call does nothing

 private:
  struct State;
  explicit CacheServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fpo::cache
