#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fpo {

// The address of a service to call: as CheckAddress (listen_options.h), and port 0 is none.
absl::Status CheckPeerAddress(absl::string_view address);

// An error about the value of a flag, or of a variable, that names it: "--listen: ...".
absl::Status AboutFlag(absl::string_view flag, const absl::Status& error);

}  // namespace fpo
