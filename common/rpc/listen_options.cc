#include "common/rpc/listen_options.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace fpo {

std::string HostOf(absl::string_view address) {
  return std::string(address.substr(0, address.rfind(':')));
}

bool IsLoopback(absl::string_view address) {
  const std::string host = HostOf(address);
  return host == "localhost" || host == "[::1]" || absl::StartsWith(host, "127.");
}

absl::Status CheckAddress(absl::string_view address) {
  const size_t colon = address.rfind(':');
  int port = -1;
  if (colon == absl::string_view::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", address, "\" is not host:port with a port of 0 to 65535"));
  }
  return absl::OkStatus();
}

absl::Status CheckExposure(absl::string_view address, bool has_tls, bool insecure) {
  if (has_tls || insecure || IsLoopback(address)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("listening on ", address,
                   " without TLS would let anyone on the network in: give --tls-cert "
                   "and --tls-key, listen on 127.0.0.1, or accept the risk with --insecure"));
}

absl::Status ValidateListen(const ListenOptions& options) {
  if (options.tls.cert.empty() != options.tls.key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key belong together; one is missing");
  }
  if (!options.listen.empty()) {
    FPO_RETURN_IF_ERROR(CheckAddress(options.listen));
    FPO_RETURN_IF_ERROR(CheckExposure(options.listen, !options.tls.cert.empty(), options.insecure));
  }
  if (!options.http.empty()) {
    FPO_RETURN_IF_ERROR(CheckAddress(options.http));
    FPO_RETURN_IF_ERROR(CheckExposure(options.http, /*has_tls=*/false, options.insecure));
  }
  return absl::OkStatus();
}

absl::Status WritePortFile(const std::string& path, absl::string_view grpc,
                           absl::string_view http) {
  if (path.empty()) return absl::OkStatus();
  std::string json = "{";
  if (!grpc.empty()) absl::StrAppend(&json, "\"grpc\":\"", grpc, "\"");
  if (!http.empty()) absl::StrAppend(&json, grpc.empty() ? "" : ",", "\"http\":\"", http, "\"");
  absl::StrAppend(&json, "}\n");
  const std::string part = path + ".part";
  std::ofstream out(part, std::ios::trunc);
  out << json;
  out.close();
  if (!out || std::rename(part.c_str(), path.c_str()) != 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot write the port file ", path, ": ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

}  // namespace fpo
