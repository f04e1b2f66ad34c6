#include "common/rpc/listen_flags.h"

#include <CLI/CLI.hpp>

namespace fpo {

void AddListenFlags(CLI::App* app, ListenOptions* listen, const std::string& http_help) {
  app->add_option("--listen", listen->listen, "gRPC address, host:port; port 0 picks one")
      ->capture_default_str();
  app->add_option("--http", listen->http, http_help)->capture_default_str();
  app->add_option("--port-file", listen->port_file,
                  "written with the real addresses once everything listens");
  app->add_flag("--insecure", listen->insecure,
                "allow an address outside loopback without TLS, or without --access and --tls-ca");
  app->add_option("--tls-cert", listen->tls.cert, "PEM file, own certificate chain");
  app->add_option("--tls-key", listen->tls.key, "PEM file, own private key");
  app->add_option("--tls-ca", listen->tls.ca, "PEM file, CA of the clients that may connect");
  app->add_option("--access", listen->access,
                  "access list, written by fpoctl token create; without it anyone may call");
}

}  // namespace fpo
