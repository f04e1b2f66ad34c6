#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "absl/status/statusor.h"
#include "common/rpc/listen_options.h"

namespace fpo {

// Plaintext without files, TLS with them; the files are reread every minute, so that certificates
// can be renewed without a restart. `ca` makes client certificates mandatory. InvalidArgument names
// a file that cannot be read.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsFor(const TlsFiles& tls);

// Plaintext without `ca`. With it the server must prove its identity; cert and key are presented
// when given.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentialsFor(
    const TlsFiles& tls);

}  // namespace fpo
