#pragma once

#include <cstdint>
#include <functional>

#include "tests/train/support/ranks_as_threads.h"
#include "train/collective/process_group.h"

namespace fpo::train {

bool HasRanks();  // false: built without Gloo; a test of several ranks is skipped then

// Runs `work` as each of `world` ranks, which are threads of this process and meet over Gloo as
// processes do. A rank that cannot join fails the test.
void AsRanks(int64_t world, const std::function<void(ProcessGroup& group)>& work);

}  // namespace fpo::train
