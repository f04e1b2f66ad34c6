#pragma once

#include <string>
#include <vector>

#include "common/job/job_fields.h"

namespace fpo {

// The part of the field table for "adapter". The slots point into the argument.
JobEntry AdapterEntry(AdapterSection* section);

// What is wrong with adapter.targets, to stand behind the key; empty: nothing.
std::string UnknownTarget(const std::vector<std::string>& targets);

}  // namespace fpo
