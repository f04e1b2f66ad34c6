#include "common/rpc/listen_flags.h"

namespace fpo {

void AddListenFlags(FlagSet app, ListenOptions* listen, const std::string& http_help) {
  app.Add("--listen", &listen->listen, "gRPC address, host:port; port 0 picks one").ShowDefault();
  app.Add("--http", &listen->http, http_help).ShowDefault();
  app.Add("--port-file", &listen->port_file,
          "written with the real addresses once everything listens");
  app.Add("--insecure", &listen->insecure,
          "allow an address outside loopback without TLS, or without --access and --tls-ca");
  app.Add("--http-open", &listen->http_open,
          "allow --http outside loopback, where it has neither TLS nor tokens");
  app.Add("--tls-cert", &listen->tls.cert, "PEM file, own certificate chain");
  app.Add("--tls-key", &listen->tls.key, "PEM file, own private key");
  app.Add("--tls-ca", &listen->tls.ca, "PEM file, CA of the clients that may connect");
  app.Add("--access", &listen->access,
          "access list, written by fpoctl token create; without it anyone may call");
}

}  // namespace fpo
