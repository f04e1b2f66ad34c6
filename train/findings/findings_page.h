#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fpo::train {

// findings.html from findings.json: one self-contained page without external requests. Texts of the
// data are shown as texts, whatever they contain.
std::string FindingsPage(absl::string_view findings_json);

}  // namespace fpo::train
