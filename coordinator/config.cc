#include "coordinator/config.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace fpo::coordinator {
namespace {

absl::Status CheckDuration(absl::string_view flag, absl::Duration value, absl::Duration min,
                           absl::Duration max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(flag, " is ", absl::FormatDuration(value),
                                                 ", allowed: ", absl::FormatDuration(min), " to ",
                                                 absl::FormatDuration(max)));
}

}  // namespace

absl::Status CoordinatorConfig::Validate() const {
  FPO_RETURN_IF_ERROR(ValidateListen(listen));
  if (listen.listen.empty()) return absl::InvalidArgumentError("--listen is empty");
  if (data.empty()) {
    return absl::InvalidArgumentError("--data is missing: name a folder for jobs and logs");
  }
  FPO_RETURN_IF_ERROR(
      CheckDuration("--beat", options.beat, absl::Milliseconds(50), absl::Minutes(1)));
  FPO_RETURN_IF_ERROR(
      CheckDuration("--lease", options.lease, absl::Milliseconds(200), absl::Hours(1)));
  // Two lost beats must not end a lease.
  FPO_RETURN_IF_ERROR(
      CheckDuration("--lease", options.lease, 3 * options.beat, absl::InfiniteDuration()));
  FPO_RETURN_IF_ERROR(
      CheckDuration("--reattach", options.reattach, options.lease, absl::Hours(24)));
  return CheckDuration("--shutdown-grace", grace, absl::ZeroDuration(), absl::Minutes(10));
}

}  // namespace fpo::coordinator
