#include "common/rpc/listen_options.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/rpc/security/peer_address.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

absl::Status Malformed(absl::string_view address, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", address, "\" is not HOST:PORT such as 127.0.0.1:7070: ", why));
}

// A name, an IPv4 address, or an IPv6 address in brackets.
bool IsHost(absl::string_view host) {
  const bool v6 = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (v6) {
    host = host.substr(1, host.size() - 2);
    // After a '%' comes the interface of a link-local address.
    return host.find(':') != absl::string_view::npos &&
           std::all_of(host.begin(), host.end(), [](char c) {
             return absl::ascii_isalnum(c) || c == ':' || c == '.' || c == '%';
           });
  }
  return host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_';
         });
}

// A flag of its own: who opens /metrics to a Prometheus must not open the calls with it.
absl::Status CheckHttp(const ListenOptions& options) {
  if (options.http_open || options.insecure || IsLoopback(options.http)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--http ", options.http,
      " would show jobs and metrics to anyone on the network, since HTTP has neither TLS nor "
      "tokens here: listen on 127.0.0.1, or accept that with --http-open"));
}

}  // namespace

std::string HostOf(absl::string_view address) {
  return std::string(address.substr(0, address.rfind(':')));
}

bool IsLoopback(absl::string_view address) {
  std::string host = HostOf(address);
  if (host == "localhost") return true;
  in_addr v4 = {};
  // A name such as 127.example.org is not an address.
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') return false;
  in6_addr v6 = {};
  host = host.substr(1, host.size() - 2);
  if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return false;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return v6.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&v6);
}

absl::Status CheckAddress(absl::string_view address) {
  const size_t scheme = address.find("://");
  if (scheme != absl::string_view::npos) {
    return Malformed(address, absl::StrCat("leave out \"", address.substr(0, scheme + 3), "\""));
  }
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return Malformed(address, "the port is missing");
  const absl::string_view host = address.substr(0, colon);
  if (host.empty()) return Malformed(address, "the host is missing");
  if (!IsHost(host)) return Malformed(address, "the host is not valid");
  const absl::string_view port = address.substr(colon + 1);
  int number = 0;
  const bool digits = !port.empty() && std::all_of(port.begin(), port.end(), absl::ascii_isdigit);
  if (!digits || !absl::SimpleAtoi(port, &number) || number > 65535) {
    return Malformed(address, "a port is a number up to 65535");
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

absl::Status CheckIdentity(const ListenOptions& options) {
  const bool knows = !options.access.empty() || !options.tls.ca.empty();
  if (knows || options.insecure || IsLoopback(options.listen)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "listening on ", options.listen,
      " without knowing who calls would make everyone on the network an administrator: give "
      "--access FILE with the callers' tokens (fpoctl token create), or --tls-ca FILE to demand "
      "client certificates, or accept the risk with --insecure"));
}

std::string ExposureWarning(const ListenOptions& options) {
  if (options.listen.empty() || IsLoopback(options.listen)) return "";
  const bool plain = options.tls.cert.empty();
  const bool anyone = options.access.empty() && options.tls.ca.empty();
  if (anyone) return "anyone on the network is an administrator here: --insecure without --access";
  return plain ? "calls and their tokens pass the network in the clear: no TLS" : "";
}

absl::Status ValidateListen(const ListenOptions& options) {
  if (options.tls.cert.empty() != options.tls.key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key belong together; one is missing");
  }
  if (!options.listen.empty()) {
    FPO_RETURN_IF_ERROR(AboutFlag("--listen", CheckAddress(options.listen)));
    FPO_RETURN_IF_ERROR(CheckExposure(options.listen, !options.tls.cert.empty(), options.insecure));
    FPO_RETURN_IF_ERROR(CheckIdentity(options));
  }
  if (!options.http.empty()) {
    FPO_RETURN_IF_ERROR(AboutFlag("--http", CheckAddress(options.http)));
    FPO_RETURN_IF_ERROR(CheckHttp(options));
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
  return WriteFileAtomically(path, json);
}

}  // namespace fpo
