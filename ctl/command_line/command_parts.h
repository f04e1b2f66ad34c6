#pragma once

#include "ctl/command_line/command_table.h"

// Parts that several commands share.
namespace fpo::ctl {

ArgumentSpec JobArgument();                    // JOB
ArgumentSpec JobsArgument();                   // JOB...
ArgumentSpec JobFileArgument();                // FILE
ArgumentSpec ManifestArgument(bool required);  // MANIFEST
OptionSpec SetOption();                        // --set KEY=VALUE

// A command that changes one job: takes JOB, answers with a ChangeJobResponse.
CommandSpec JobCommand(const char* name, const char* group, const char* summary,
                       CommandSpec::Run run);

}  // namespace fpo::ctl
