#pragma once

#include "common/job/job_fields.h"

namespace fpo {

// The part of the field table for "judge". The slots point into the argument.
JobEntry JudgeEntry(JudgeSection* section);

}  // namespace fpo
