#include "common/rpc/security/peer_address.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/rpc/listen_options.h"
#include "common/status_macros.h"

namespace fpo {

absl::Status CheckPeerAddress(absl::string_view address) {
  FPO_RETURN_IF_ERROR(CheckAddress(address));
  int port = 0;
  if (absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port) && port > 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", address, "\" is not HOST:PORT of a service: nothing listens on port 0"));
}

absl::Status AboutFlag(absl::string_view flag, const absl::Status& error) {
  if (error.ok()) return error;
  return absl::Status(error.code(), absl::StrCat(flag, ": ", error.message()));
}

}  // namespace fpo
