#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ctl/command_line/command_table.h"

namespace fpo::ctl {

// Errors of a command line as a whole. All are usage errors whose hint is the line as it was
// probably meant, or the help page of the command.

// "list: MESSAGE" with the help page of the command (null: the overview) for a hint.
absl::Status WrongLine(const CommandSpec* command, absl::string_view message);

// The words of a line that are neither options nor the values of options that every command takes;
// the first one or two name the command.
std::vector<std::string> CommandWords(const std::vector<std::string>& args);

// An error when the words that name the command match none, with the closest one. OK for a group
// alone ("workers") when a help page is requested, and for no words.
absl::Status CheckCommandWords(const std::vector<std::string>& args);

// For an option that the command does not have, with the closest one, or an extra word.
absl::Status UnexpectedWord(const CommandSpec& command, const std::vector<std::string>& args,
                            const std::string& word);

}  // namespace fpo::ctl
