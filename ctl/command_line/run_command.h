#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "ctl/command_line/flags.h"
#include "ctl/interrupt.h"
#include "ctl/rpc/session.h"

namespace fpo::ctl {

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

}  // namespace fpo::ctl
