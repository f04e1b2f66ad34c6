#include <iostream>
#include <string>
#include <vector>

#include "ctl/command_line/flags.h"
#include "ctl/command_line/run_command.h"
#include "ctl/interrupt.h"
#include "ctl/signal_listener.h"

int main(int argc, char** argv) {
  fpo::ctl::Interrupt interrupt;
  fpo::ctl::SignalListener signals(interrupt);
  signals.Start();
  const std::vector<std::string> args(argv + 1, argv + argc);
  return fpo::ctl::RunCommandLine(args, {fpo::ctl::ReadEnvironment(), std::cout, std::cerr,
                                         interrupt, fpo::ctl::FollowTimes()});
}
