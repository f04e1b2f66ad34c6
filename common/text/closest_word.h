#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fpo {

// The closest word to a mistyped one, or "" when none is close. Two swapped letters are one
// mistake; one mistake is allowed per three letters, and at least one.
std::string ClosestWord(absl::string_view word, const std::vector<std::string>& words);

}  // namespace fpo
