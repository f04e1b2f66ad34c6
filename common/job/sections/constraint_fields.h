#pragma once

#include <vector>

#include "common/job/job_fields.h"

namespace fpo {

// The part of the field table for "constraint". The slots point into the arguments.
JobEntry ConstraintEntry(ConstraintSection* section);
std::vector<JobField> FeatureSetFields(FeatureSetSection* set);  // of one of constraint.sets

}  // namespace fpo
