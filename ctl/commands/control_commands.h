#pragma once

#include <vector>

#include "ctl/command_line/command_table.h"

namespace fpo::ctl {

// The commands that act on jobs, checkpoints and workers, those that explain, and those about the
// services and fpoctl itself; the others are in command_table.cc.
std::vector<CommandSpec> ExplainCommands();
std::vector<CommandSpec> JobControlCommands();
std::vector<CommandSpec> CheckpointCommands();
std::vector<CommandSpec> WorkerCommands();
std::vector<CommandSpec> AdminCommands();
std::vector<CommandSpec> ContextCommands();  // in context.cc

}  // namespace fpo::ctl
