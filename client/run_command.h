#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "client/flags.h"
#include "client/interrupt.h"
#include "client/session.h"

namespace fpo::client {

// What one run of fpoctl works with.
struct RunContext {
  Environment environment;
  std::ostream& out;
  std::ostream& err;
  Interrupt& interrupt;
  FollowTimes times = {};
};

// The whole of fpoctl: parses, runs, prints an error if there is one. Returns the exit code.
int RunCommandLine(const std::vector<std::string>& args, const RunContext& context);

}  // namespace fpo::client
