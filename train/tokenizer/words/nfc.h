#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fpo::train {

// Unicode's normalisation form C of well-formed UTF-8.
std::string NormalisedToNfc(absl::string_view text);

}  // namespace fpo::train
