#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <cstdint>

#include "absl/time/time.h"

namespace fpo {

// In microseconds: what the jobs' store holds.
void SetTime(absl::Time time, google::protobuf::Timestamp* proto);
void SetExactTime(absl::Time time, google::protobuf::Timestamp* proto);  // in nanoseconds
absl::Time TimeOf(const google::protobuf::Timestamp& proto);

// For a field in milliseconds: rounded up, within int32.
int32_t ToMilliseconds(absl::Duration duration);

}  // namespace fpo
