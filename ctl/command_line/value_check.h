#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ctl/command_line/command_table.h"

namespace fpo::ctl {

// Whether what a command line gives to an option or an argument fits what the command table says of
// it. InvalidArgument: "--limit is 'x' and must be ...". Values are brought into their usual form.
absl::Status CheckOption(const OptionSpec& option, std::vector<std::string>* values);
absl::Status CheckArgument(const ArgumentSpec& argument, const std::vector<std::string>& values);

// "; did you mean WORD?", or nothing when no word is close. A word may also be cut short.
std::string DidYouMean(const std::string& word, const std::vector<std::string>& words);
// The word that DidYouMean would name, or "".
std::string NearestWord(const std::string& word, const std::vector<std::string>& words);

}  // namespace fpo::ctl
