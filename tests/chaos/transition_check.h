#pragma once

#include <string>
#include <vector>

namespace fpo::testing {

// The history that a coordinator wrote to its log, over all its starts: each change of a job's
// state is one that the state table allows, follows the one before, never leaves a terminal state,
// and no epoch goes back. A kill may swallow the last lines: between two starts a job may have
// moved on by any legal way. One line per violation; `changes`, if given, gets the number of
// changes seen.
std::vector<std::string> CheckTransitions(const std::string& coordinator_log,
                                          int* changes = nullptr);

}  // namespace fpo::testing
