#pragma once

#include <vector>

#include "train/rows/preference_row.h"

namespace fpo::train {

// The examples of kto that a row gives, each with one response and its label: of a row with a label
// itself, of a pair its chosen response as a wanted and its rejected one as an unwanted example (as
// TRL's unpair_preference_dataset). A row that gives none comes back with its drop_reason, which is
// "no_label" for one response without a label.
std::vector<PreferenceRow> LabelledExamples(PreferenceRow row);

}  // namespace fpo::train
