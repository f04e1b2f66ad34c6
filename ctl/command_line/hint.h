#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fpo::ctl {

// A hint is what to do next. Where it names a command of fpoctl, the command line runs as it
// stands: from "fpoctl" to a ';' or to the end, words before it ("why: fpoctl explain j-4f2a").

// The command lines that a text tells to run, each without "fpoctl" and without what the shell
// takes for itself ("> file", "| less").
std::vector<std::string> CommandLinesIn(absl::string_view text);

// A command line as one types it: "fpoctl" and the words, quoted where a shell needs it.
std::string CommandLineOf(const std::vector<std::string>& words);

// Whether the hint is to do what was just typed, apart from --json and -q.
bool RepeatsLine(absl::string_view hint, const std::vector<std::string>& typed);

}  // namespace fpo::ctl
