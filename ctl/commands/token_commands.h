#pragma once

#include <vector>

#include "ctl/command_line/command_table.h"

namespace fpo::ctl {

// `fpoctl token ...`: the commands that keep the file of --access.
std::vector<CommandSpec> TokenCommands();

}  // namespace fpo::ctl
