#include <iostream>
#include <string>
#include <vector>

#include "client/flags.h"
#include "client/interrupt.h"
#include "client/run_command.h"
#include "client/signal_listener.h"

int main(int argc, char** argv) {
  namespace client = fpo::client;
  client::Interrupt interrupt;
  client::SignalListener signals(interrupt);
  signals.Start();
  const std::vector<std::string> args(argv + 1, argv + argc);
  return client::RunCommandLine(
      args, {client::ReadEnvironment(), std::cout, std::cerr, interrupt, client::FollowTimes()});
}
