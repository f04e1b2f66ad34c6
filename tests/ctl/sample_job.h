#pragma once

#include <map>
#include <string>

#include "proto/fpo/v1/job.pb.h"

namespace fpo::ctl {

// A job of every test: FPO in its train phase, 63 of 120 steps, half of its records found in the
// cache.
fpo::v1::Job SampleJob();
// The same in another state, without the numbers of its cache and most of those of its steps.
fpo::v1::Job SampleMessage(const std::string& job_id, fpo::v1::JobState state);

// Adds to a field of numbers by name.
void SetNumbers(const std::map<std::string, double>& numbers,
                google::protobuf::Map<std::string, double>* proto);

inline constexpr int64_t kSampleStart = 1738332191;  // 2025-01-31 14:03:11 UTC

}  // namespace fpo::ctl
