#pragma once

#include "common/job/job_fields.h"

namespace fpo {

// The part of the field table for "parallel". The slots point into the argument.
JobEntry ParallelEntry(ParallelSection* section);

}  // namespace fpo
