#pragma once

#include <string>

#include "common/flags/flag_set.h"
#include "common/rpc/listen_options.h"

namespace fpo {

// Where a service listens and who may call: --listen, --http, --port-file, --insecure, --http-open,
// --tls-cert, --tls-key, --tls-ca, --access. `http_help` says what is served there.
void AddListenFlags(FlagSet app, ListenOptions* listen, const std::string& http_help);

}  // namespace fpo
