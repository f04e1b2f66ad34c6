#pragma once

namespace fpo {

// Keeps gRPC's own log lines off standard error: what they report is also returned as a status,
// which the program reports itself. Call before creating anything of gRPC; GRPC_VERBOSITY takes
// precedence if set. Thread-safe.
void QuietGrpc();

}  // namespace fpo
