#pragma once

#include <stop_token>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/rpc/traces/otlp_settings.h"

namespace fpo::coordinator {

// Sends traces to a collector, one at a time.
class OtlpPost {
 public:
  explicit OtlpPost(const OtlpSettings& settings) : settings_(settings) {}

  // The body of the answer. Unavailable: the same may be taken later. InvalidArgument: the
  // collector refuses it, or its address is wrong. Cancelled: `stop`. Blocks at most for the
  // settings' timeout. Errors hold no header.
  absl::StatusOr<std::string> Send(const std::string& body, const std::stop_token& stop) const;

 private:
  const OtlpSettings settings_;
};

}  // namespace fpo::coordinator
