#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fpo::ctl {

// A hint is what to do next. A command of fpoctl in it can be run as written: from "fpoctl" to a
// ';' or to the end, words before it ("why: fpoctl explain j-4f2a").

// The command lines in a text, each without "fpoctl" and without shell syntax ("> file", "| less").
std::vector<std::string> CommandLinesIn(absl::string_view text);

// A command line as typed: "fpoctl" and the words, quoted where a shell needs it.
std::string CommandLineOf(const std::vector<std::string>& words);

// Whether the hint repeats what was just typed, apart from --json and -q.
bool RepeatsLine(absl::string_view hint, const std::vector<std::string>& typed);

}  // namespace fpo::ctl
