#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fpo::coordinator {

// Where traces go, by the variables that OpenTelemetry defines for every program.
struct OtlpSettings {
  std::string url;                             // of the traces; empty: none are sent
  std::map<std::string, std::string> headers;  // may hold secrets: never shown
  std::map<std::string, std::string> resource;
  std::string ca_file;  // empty: the system's
  absl::Duration timeout = absl::Seconds(10);

  bool operator==(const OtlpSettings&) const = default;
};

// Reads OTEL_EXPORTER_OTLP_{,TRACES_}{ENDPOINT,HEADERS,TIMEOUT,CERTIFICATE,PROTOCOL},
// OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_EXPORTER and OTEL_SDK_DISABLED.
// InvalidArgument names the variable, not its value, and what is allowed. Only looked at where an
// endpoint is given.
absl::StatusOr<OtlpSettings> ReadOtlpSettings(
    const std::function<std::optional<std::string>(const std::string& name)>& variable);

}  // namespace fpo::coordinator
