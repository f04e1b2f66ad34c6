#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/job/job_file.h"
#include "common/rpc/listen_options.h"
#include "ctl/show/text_layout.h"

namespace fpo::ctl {

struct CommandSpec;

// The settings of every command: where the services are and how to print.
struct Settings {
  std::string server = "127.0.0.1:7070";
  std::string cache_server = "127.0.0.1:7080";
  TlsFiles tls;
  std::string token_file;                      // identifies the caller; empty: none
  std::string context;                         // its name; empty: none
  std::map<std::string, std::string> sources;  // origin of each setting, by its name
  bool json = false;
  bool quiet = false;
};

// One command line, checked against the command table: all values fit their kinds.
struct Invocation {
  const CommandSpec* command = nullptr;
  Settings settings;
  std::vector<std::string> typed;  // the words as they were given
  // By option or argument name without dashes; a flag that was given is {"true"}.
  std::map<std::string, std::vector<std::string>> values;

  bool Has(const std::string& name) const;
  std::string Get(const std::string& name) const;  // the last value; empty when not given
  std::vector<std::string> GetAll(const std::string& name) const;
  int64_t GetCount(const std::string& name, int64_t fallback) const;
  std::optional<absl::Duration> GetDuration(const std::string& name) const;
};

// What fpoctl takes from its environment; read once, in flags.cc.
struct Environment {
  std::string server;                     // FPO_SERVER
  std::string cache_server;               // FPO_CACHE_SERVER
  std::string token_file;                 // FPO_TOKEN_FILE
  std::string tls_ca, tls_cert, tls_key;  // FPO_TLS_CA, FPO_TLS_CERT, FPO_TLS_KEY
  std::string context;                    // FPO_CONTEXT
  std::string config_path;                // $XDG_CONFIG_HOME/fpo/config.yaml; empty: no home
  std::string user;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  TextStyle style;      // of standard output
  Variables variables;  // by name, for the paths of job files
  std::string trainer;  // fpo-train beside fpoctl, which may be absent; empty: not wanted
};

}  // namespace fpo::ctl
