#include "common/rpc/security/credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr unsigned kReloadSeconds = 60;

constexpr int64_t kPemBytesMax = 1 << 20;

// The provider only logs a missing or wrong file, and every handshake fails later; this reports it
// at start instead.
absl::Status CheckPem(const std::string& path, const char* flag, absl::string_view holds) {
  if (path.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> text = ReadFile(path, kPemBytesMax);
  if (!text.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(flag, ": cannot ", text.status().message()));
  }
  if (absl::StrContains(*text, absl::StrCat(holds, "-----"))) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": ", path, " holds no ", absl::AsciiStrToLower(holds), " in PEM form"));
}

absl::Status CheckFiles(const TlsFiles& tls) {
  FPO_RETURN_IF_ERROR(CheckPem(tls.cert, "--tls-cert", "CERTIFICATE"));
  FPO_RETURN_IF_ERROR(CheckPem(tls.key, "--tls-key", "PRIVATE KEY"));
  FPO_RETURN_IF_ERROR(CheckPem(tls.ca, "--tls-ca", "CERTIFICATE"));
  if (tls.cert.empty() != tls.key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key belong together; one is missing");
  }
  return absl::OkStatus();
}

std::shared_ptr<grpc::experimental::CertificateProviderInterface> Watch(const TlsFiles& tls) {
  return std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      tls.key, tls.cert, tls.ca, kReloadSeconds);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsFor(const TlsFiles& tls) {
  if (tls.empty()) return grpc::InsecureServerCredentials();
  if (tls.cert.empty() && tls.key.empty()) {
    return absl::InvalidArgumentError(
        "--tls-ca alone is not enough for a server: it needs "
        "--tls-cert and --tls-key");
  }
  FPO_RETURN_IF_ERROR(CheckFiles(tls));
  grpc::experimental::TlsServerCredentialsOptions options(Watch(tls));
  options.watch_identity_key_cert_pairs();
  if (!tls.ca.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentialsFor(
    const TlsFiles& tls) {
  FPO_RETURN_IF_ERROR(CheckFiles(tls));
  if (tls.ca.empty()) {
    if (tls.empty()) return grpc::InsecureChannelCredentials();
    return absl::InvalidArgumentError("a certificate without --tls-ca: the server could be anyone");
  }
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(Watch(tls));
  options.watch_root_certs();
  if (!tls.cert.empty()) options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace fpo
