#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "ctl/command_line/flags.h"
#include "ctl/interrupt.h"
#include "ctl/rpc/session.h"

namespace fpo::ctl {

// The environment of one run of fpoctl.
struct RunContext {
  Environment environment;
  std::ostream& out;
  std::ostream& err;
  Interrupt& interrupt;
  FollowTimes times = {};
};

// Runs fpoctl: parses, runs the command, prints its error if any. Returns the exit code.
int RunCommandLine(const std::vector<std::string>& args, const RunContext& context);

}  // namespace fpo::ctl
