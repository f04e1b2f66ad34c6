#include "common/rpc/security/peer_address.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
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

std::vector<std::string> SplitAddresses(absl::string_view addresses) {
  std::vector<std::string> split;
  for (const absl::string_view address : absl::StrSplit(addresses, ',')) {
    split.emplace_back(absl::StripAsciiWhitespace(address));
  }
  return split;
}

absl::Status CheckPeerAddresses(absl::string_view addresses) {
  for (const std::string& address : SplitAddresses(addresses)) {
    FPO_RETURN_IF_ERROR(CheckPeerAddress(address));
  }
  return absl::OkStatus();
}

}  // namespace fpo
