#pragma once

#include <string>

#include "train/findings/findings.h"

namespace fpo::train {

// The findings for a console: a sentence a subject, the strongest features and the most suspect
// labels as tables, at most 100 columns. Texts of the data are on one line, without control
// characters.
std::string FindingsText(const Findings& findings);

}  // namespace fpo::train
