#include "common/wire/wire_time.h"

#include <algorithm>
#include <limits>

namespace fpo {

void SetTime(absl::Time time, google::protobuf::Timestamp* proto) {
  const int64_t micros = absl::ToUnixMicros(time);
  int64_t seconds = micros / 1'000'000;
  int64_t rest = micros % 1'000'000;
  if (rest < 0) {
    rest += 1'000'000;
    --seconds;
  }
  proto->set_seconds(seconds);
  proto->set_nanos(static_cast<int32_t>(rest * 1000));
}

void SetExactTime(absl::Time time, google::protobuf::Timestamp* proto) {
  const absl::Duration since = time - absl::UnixEpoch();
  proto->set_seconds(absl::ToUnixSeconds(time));
  proto->set_nanos(
      static_cast<int32_t>((since - absl::Seconds(proto->seconds())) / absl::Nanoseconds(1)));
}

absl::Time TimeOf(const google::protobuf::Timestamp& proto) {
  return absl::FromUnixSeconds(proto.seconds()) + absl::Nanoseconds(proto.nanos());
}

int32_t ToMilliseconds(absl::Duration duration) {
  const int64_t ms = absl::ToInt64Milliseconds(absl::Ceil(duration, absl::Milliseconds(1)));
  return static_cast<int32_t>(std::clamp<int64_t>(ms, 0, std::numeric_limits<int32_t>::max()));
}

}  // namespace fpo
