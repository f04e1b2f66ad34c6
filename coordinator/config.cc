#include "coordinator/config.h"

#include "common/status_macros.h"
#include "common/text/duration_text.h"

namespace fpo::coordinator {

absl::Status CoordinatorConfig::Validate() const {
  FPO_RETURN_IF_ERROR(ValidateListen(listen));
  if (listen.listen.empty()) return absl::InvalidArgumentError("--listen is empty");
  if (data.empty()) {
    return absl::InvalidArgumentError("--data is missing: name a folder for jobs and logs");
  }
  FPO_RETURN_IF_ERROR(CheckDurationFlag("--heartbeat", options.heartbeat,
                                        {absl::Milliseconds(50), absl::Minutes(1)}));
  FPO_RETURN_IF_ERROR(
      CheckDurationFlag("--lease", options.lease, {absl::Milliseconds(200), absl::Hours(1)}));
  // Two lost beats must not end a lease.
  FPO_RETURN_IF_ERROR(CheckDurationFlag("--lease", options.lease,
                                        {3 * options.heartbeat, absl::InfiniteDuration()}));
  FPO_RETURN_IF_ERROR(
      CheckDurationFlag("--reattach", options.reattach, {options.lease, absl::Hours(24)}));
  return CheckDurationFlag("--shutdown-grace", grace, {absl::ZeroDuration(), absl::Minutes(10)});
}

}  // namespace fpo::coordinator
