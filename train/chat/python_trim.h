#pragma once

#include "absl/strings/string_view.h"

namespace fpo::train {

// What Jinja's trim filter leaves: the text without white space around it, in the sense of Python's
// str.strip. UTF-8.
absl::string_view PythonTrim(absl::string_view text);
absl::string_view PythonTrimEnd(absl::string_view text);

}  // namespace fpo::train
