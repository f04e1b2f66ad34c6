#include "common/rpc/grpc_log.h"

#include <cstdlib>

namespace fpo {

void QuietGrpc() {
  static const int set = setenv("GRPC_VERBOSITY", "NONE", 0);  // read once, when gRPC starts
  (void)set;
}

}  // namespace fpo
