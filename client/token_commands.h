#pragma once

#include <vector>

#include "client/command_table.h"

namespace fpo::client {

// `fpoctl token ...`: the commands that keep the file of --access.
std::vector<CommandSpec> TokenCommands();

}  // namespace fpo::client
