#pragma once

#include <google/protobuf/timestamp.pb.h>

#include "absl/time/time.h"

namespace fpo {

// In microseconds: what stores hold.
void SetTime(absl::Time time, google::protobuf::Timestamp* proto);
absl::Time TimeOf(const google::protobuf::Timestamp& proto);

}  // namespace fpo
