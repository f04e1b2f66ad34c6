#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fpo {

// The closest word to a mistyped one, or "" when none is close. Two letters in the wrong order are
// one mistake; a word may have one mistake for every three letters, and one at least.
std::string ClosestWord(absl::string_view word, const std::vector<std::string>& words);

}  // namespace fpo
