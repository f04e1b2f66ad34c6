#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/rpc/listen_options.h"
#include "coordinator/core/coordinator_options.h"

namespace fpo::coordinator {

// The configuration of fpo-coordinator. Filled only by flags.cc.
struct CoordinatorConfig {
  ListenOptions listen = {
      .listen = "127.0.0.1:7070", .http = "127.0.0.1:7071", .port_file = "", .tls = {}};
  std::string data;            // folder of the store, created when absent
  CoordinatorOptions options;  // timing
  // Free space for changes of jobs: new jobs are refused below it, log lines below twice of it.
  int64_t reserve_bytes = int64_t{256} << 20;
  absl::Duration grace = absl::Seconds(5);  // for running calls at shutdown

  // InvalidArgument names the flag and what is allowed.
  absl::Status Validate() const;
};

}  // namespace fpo::coordinator
