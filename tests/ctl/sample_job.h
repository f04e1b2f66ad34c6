#pragma once

#include "ctl/show/job_view.h"
#include "proto/fpo/v1/job.pb.h"

namespace fpo::ctl {

// A job of every test: FPO in its train phase, 63 of 120 steps, half of its records found in the
// cache.
JobView SampleJob();
// The same as the coordinator sends it.
fpo::v1::Job SampleMessage(const std::string& job_id, fpo::v1::JobState state);

inline constexpr int64_t kSampleStart = 1738332191;  // 2025-01-31 14:03:11 UTC

}  // namespace fpo::ctl
