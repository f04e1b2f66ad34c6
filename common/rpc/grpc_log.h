#pragma once

namespace fpo {

// Keeps gRPC's own log lines off standard error: what they report comes back as a status, which the
// program puts into words. Called before anything of gRPC is made; GRPC_VERBOSITY is heard where it
// is set. Thread-safe.
void QuietGrpc();

}  // namespace fpo
