#pragma once

namespace fpo::train {

// fpo-train: reads the command line, chooses the device, runs one command and turns its status into
// an exit code. May replace the process by itself with another environment.
int Main(int argc, char** argv);

}  // namespace fpo::train
