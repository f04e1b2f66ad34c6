#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fpo {

// Checks the address of a service to call: as CheckAddress (listen_options.h), but rejects port 0.
absl::Status CheckPeerAddress(absl::string_view address);
// One or several of them, separated by commas.
absl::Status CheckPeerAddresses(absl::string_view addresses);
std::vector<std::string> SplitAddresses(absl::string_view addresses);

// Puts the name of the flag or variable in front of an error about its value: "--listen: ...".
absl::Status AboutFlag(absl::string_view flag, const absl::Status& error);

}  // namespace fpo
