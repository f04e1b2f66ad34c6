#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ctl/command_line/command_table.h"

namespace fpo::ctl {

// Checks the values of an option or an argument against the command table. InvalidArgument:
// "--limit is 'x' and must be ...". Values are normalised.
absl::Status CheckOption(const OptionSpec& option, std::vector<std::string>* values);
absl::Status CheckArgument(const ArgumentSpec& argument, const std::vector<std::string>& values);

// "; did you mean WORD?", or nothing when no word is close. An abbreviation also counts as close.
std::string DidYouMean(const std::string& word, const std::vector<std::string>& words);
// The word that DidYouMean would name, or "".
std::string NearestWord(const std::string& word, const std::vector<std::string>& words);

}  // namespace fpo::ctl
