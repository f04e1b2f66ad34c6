#pragma once

#include <string>

#include "common/rpc/listen_options.h"

namespace CLI {
class App;
}

namespace fpo {

// Where a service listens and who may call: --listen, --http, --port-file, --insecure, --tls-cert,
// --tls-key, --tls-ca, --access. `http_help` says what is served there.
void AddListenFlags(CLI::App* app, ListenOptions* listen, const std::string& http_help);

}  // namespace fpo
