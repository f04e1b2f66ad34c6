#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"

namespace fpo::ctl {

// What a call was for, to word its error.
struct CallSite {
  std::string service = {};  // "coordinator", "cache"
  std::string address = {};
  std::string flag = {};     // how to name another address: "--server or FPO_SERVER"
  std::string program = {};  // the program that listens there: "fpo-coordinator"
  bool interrupted = false;
};

CallSite CoordinatorSite(const std::string& address, bool interrupted);
CallSite CacheSite(const std::string& address, bool interrupted);

// A failed call as fpoctl reports it: the server's own message and hint if it gave them; for a
// server that cannot be reached the address and what to do.
absl::Status CallError(const grpc::Status& status, const CallSite& site);

// The connection or the server was lost, or the server is too busy; the call may be repeated.
bool IsLost(const absl::Status& status);

}  // namespace fpo::ctl
